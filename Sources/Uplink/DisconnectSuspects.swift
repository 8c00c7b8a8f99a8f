internal import Buffering

/// Finds the batch at which a broker drops the connection. A batch that was in flight at three
/// losses in a row is sent alone; if that ends the connection too, it is to blame.
struct DisconnectSuspects: Sendable {
  /// Losses in a row after which a batch is sent alone. Two happen by chance on a bad link.
  static let lossesBeforeAlone = 3
  /// Losses while alone that need no closing by the broker. A link that fails for reasons of its
  /// own would condemn an innocent batch, so one such loss is not enough.
  static let lossesAlone = 3

  /// Suspects kept at most; beyond, only those that were in flight last are.
  static let limit = 1024

  private var losses: [BatchIdentity: Int] = [:]

  /// Whether nothing else may be in flight beside this batch.
  func mustGoAlone(_ identity: BatchIdentity) -> Bool {
    (losses[identity] ?? 0) >= Self.lossesBeforeAlone
  }

  mutating func acknowledged(_ identity: BatchIdentity) {
    if !losses.isEmpty { losses[identity] = nil }
  }

  /// Counts a loss; returns the batch that is to blame, if that is clear.
  mutating func connectionLost(
    inFlight: Set<BatchIdentity>, isByBroker: Bool
  ) -> BatchIdentity? {
    // A connection that ended before any batch was sent says nothing.
    if inFlight.isEmpty { return nil }
    if inFlight.count == 1, let loner = inFlight.first, mustGoAlone(loner) {
      let count = losses[loner, default: 0] + 1
      if isByBroker || count >= Self.lossesBeforeAlone + Self.lossesAlone {
        // When it is tried again, it goes alone at once: that costs one connection, not four.
        losses[loner] = Self.lossesBeforeAlone
        return loner
      }
      losses[loner] = count
      // The others were not given a chance: their count stands.
      return nil
    }
    var next: [BatchIdentity: Int] = [:]
    for identity in inFlight { next[identity] = losses[identity, default: 0] + 1 }
    // Those that wait for their turn alone are not in flight; they have not been cleared.
    if losses.count + next.count <= Self.limit {
      for (identity, count) in losses where count >= Self.lossesBeforeAlone {
        next[identity] = next[identity] ?? count
      }
    }
    losses = next
    return nil
  }
}
