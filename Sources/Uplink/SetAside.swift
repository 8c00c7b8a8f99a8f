internal import Buffering
internal import Telemetry

/// Batches that are passed over, so that one that can't be delivered does not hold up the rest.
/// They stay unacknowledged in the store, and are tried again on the next connection and after an
/// hour: of those with the same reason the oldest alone, the others once that one was taken. What a
/// broker will not have must not cross a metered link every hour.
struct SetAside: Sendable {
  enum Reason: Sendable, Hashable, CaseIterable {
    /// The broker refuses it for good.
    case refused
    /// It exceeds the largest packet that the broker takes.
    case tooLarge
  }

  /// Batches that most likely share their fate.
  private struct Kind: Hashable {
    var stream: StreamName
    var reason: Reason
  }

  private struct Entry {
    var kind: Kind
    var start: LogPosition
  }

  /// Names kept at most. The oldest is forgotten beyond: then that batch may be sent and refused
  /// once more.
  static let limit = 1024
  /// So long what was set aside waits for its next trial. Rights are mended, and brokers too, but
  /// seldom within minutes.
  static let retryMilliseconds: Int64 = 3_600_000

  private var entries: [BatchIdentity: Entry] = [:]
  private var order: [BatchIdentity] = []
  private var counts: [Kind: Int] = [:]
  // Of all that were set aside, the forgotten ones too.
  private var earliest: [Kind: LogPosition] = [:]
  // Being tried again: not passed over, but still counted.
  private var trials: Set<BatchIdentity> = []
  private var trialAt: Int64?
  private var condemned: [(identity: BatchIdentity, until: Int64)] = []

  /// Passes the batch at `start` over. The hour counts from the first.
  mutating func add(
    _ identity: BatchIdentity, _ reason: Reason, start: LogPosition, now: Int64
  ) {
    trials.remove(identity)
    trialAt = trialAt ?? now + Self.retryMilliseconds
    guard entries[identity] == nil else { return }
    let kind = Kind(stream: identity.stream, reason: reason)
    entries[identity] = Entry(kind: kind, start: start)
    counts[kind, default: 0] += 1
    earliest[kind] = min(earliest[kind] ?? start, start)
    order.append(identity)
    if order.count > Self.limit { entries[order.removeFirst()] = nil }
  }

  /// Passes a batch over for an hour, across connections: the broker dropped the connection at it.
  mutating func condemn(_ identity: BatchIdentity, now: Int64) {
    condemned.removeAll { $0.identity == identity }
    condemned.append((identity, now + Self.retryMilliseconds))
    if condemned.count > Self.limit { condemned.removeFirst() }
  }

  /// Begins anew for a connection, whose broker may take what another refused.
  mutating func open(now: Int64) {
    let condemned = condemned.filter { $0.until > now }
    self = SetAside()
    self.condemned = condemned
  }

  func contains(_ identity: BatchIdentity) -> Bool {
    entries[identity] != nil && !trials.contains(identity)
      || condemned.contains { $0.identity == identity }
  }

  /// Batches of a stream that were set aside since the connection began, or stand condemned.
  func count(_ reason: Reason, in stream: StreamName) -> Int {
    let refused = reason == .refused ? condemned.filter { $0.identity.stream == stream }.count : 0
    return (counts[Kind(stream: stream, reason: reason)] ?? 0) + refused
  }

  /// The fault that a destination has for these batches.
  var fault: UplinkFault? {
    if !condemned.isEmpty || counts.keys.contains(where: { $0.reason == .refused }) {
      return .refused
    }
    return counts.isEmpty ? nil : .tooLarge
  }
}

extension SetAside {
  /// When `retry` has something to do.
  var retryAt: Int64? { ([trialAt] + condemned.map(\.until)).compactMap { $0 }.min() }

  /// Begins the trials that are due; returns from where on each stream is to be read again.
  mutating func retry(now: Int64) -> [StreamName: LogPosition] {
    var positions: [StreamName: LogPosition] = [:]
    for (identity, until) in condemned where until <= now { positions[identity.stream] = .start }
    condemned.removeAll { $0.until <= now }
    guard let trialAt, trialAt <= now else { return positions }
    // What did not come up within an hour is no longer in the log.
    for identity in trials { forget(identity) }
    trials = []
    for stream in StreamName.allCases {
      for reason in Reason.allCases {
        let kind = Kind(stream: stream, reason: reason)
        guard let identity = order.first(where: { entries[$0]?.kind == kind }),
          let start = entries[identity]?.start
        else {
          counts[kind] = nil
          continue
        }
        trials.insert(identity)
        positions[stream] = min(positions[stream] ?? start, start)
      }
    }
    self.trialAt = trials.isEmpty ? nil : now + Self.retryMilliseconds
    return positions
  }

  /// The broker took a batch. If that was on trial, those like it are set free; returns from where
  /// on its stream is to be read again then.
  mutating func delivered(_ identity: BatchIdentity) -> LogPosition? {
    guard trials.remove(identity) != nil, let kind = entries[identity]?.kind else { return nil }
    entries = entries.filter { $0.value.kind != kind }
    order.removeAll { entries[$0] == nil }
    counts[kind] = nil
    if counts.isEmpty { trialAt = nil }
    return earliest.removeValue(forKey: kind)
  }

  private mutating func forget(_ identity: BatchIdentity) {
    guard let kind = entries.removeValue(forKey: identity)?.kind else { return }
    order.removeAll { $0 == identity }
    counts[kind, default: 1] -= 1
  }
}
