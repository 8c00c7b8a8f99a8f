internal import Buffering
internal import Telemetry

/// Batches that are passed over, so that one that can't be delivered does not hold up the rest.
/// They stay unacknowledged in the store.
struct SetAside: Sendable {
  enum Reason: Sendable, Hashable {
    /// The broker refuses it for good.
    case refused
    /// It exceeds the largest packet that the broker takes.
    case tooLarge
  }

  /// Names kept at most. The oldest is forgotten beyond: then that batch may be sent and refused
  /// once more.
  static let limit = 1024
  /// So long, and to the end of the connection that then stands, a batch is passed over at which
  /// the broker dropped the connection. It may have been the broker's fault, and that may be
  /// mended.
  static let condemnedMilliseconds: Int64 = 3_600_000

  private var reasons: [BatchIdentity: Reason] = [:]
  private var order: [BatchIdentity] = []
  private var condemned: [(identity: BatchIdentity, until: Int64)] = []
  private var counts: [Reason: [StreamName: Int]] = [:]

  /// Passes a batch over until the connection ends.
  mutating func add(_ identity: BatchIdentity, _ reason: Reason) {
    guard reasons.updateValue(reason, forKey: identity) == nil else { return }
    counts[reason, default: [:]][identity.stream, default: 0] += 1
    order.append(identity)
    if order.count > Self.limit { reasons[order.removeFirst()] = nil }
  }

  /// Passes a batch over for an hour, across connections.
  mutating func condemn(_ identity: BatchIdentity, now: Int64) {
    condemned.removeAll { $0.identity == identity }
    condemned.append((identity, now + Self.condemnedMilliseconds))
    if condemned.count > Self.limit { condemned.removeFirst() }
  }

  /// Begins anew for a connection, whose broker may take what another refused.
  mutating func open(now: Int64) {
    reasons = [:]
    order = []
    counts = [:]
    condemned.removeAll { $0.until <= now }
  }

  func contains(_ identity: BatchIdentity) -> Bool {
    reasons[identity] != nil || condemned.contains { $0.identity == identity }
  }

  /// Batches of a stream that were set aside since the connection began, or stand condemned.
  func count(_ reason: Reason, in stream: StreamName) -> Int {
    let refused = reason == .refused ? condemned.filter { $0.identity.stream == stream }.count : 0
    return (counts[reason]?[stream] ?? 0) + refused
  }

  /// The fault that a destination has for these batches.
  var fault: UplinkFault? {
    if !condemned.isEmpty || counts[.refused] != nil { return .refused }
    return counts[.tooLarge] != nil ? .tooLarge : nil
  }
}
