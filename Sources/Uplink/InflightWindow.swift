internal import Buffering

/// What was published and is not acknowledged yet, and how much more may be. The window is ours:
/// the library's own limit is overridden by the broker's.
struct InflightWindow: Sendable {
  /// What a packet carries.
  enum Cargo: Sendable, Hashable {
    case batch(BatchIdentity, start: LogPosition, lane: Lane)
    case retained(topic: String)
  }

  /// A packet that waits for its acknowledgement.
  struct Entry: Sendable, Hashable {
    var cargo: Cargo
    var bytes: Int
  }

  /// Bytes in flight at most, unless one packet alone is larger. At 16 KiB/s they are out in 16 s,
  /// within the time that an acknowledgement may take; and they bound what the library holds.
  static let bytesLimit = 256 * 1024
  /// Bytes of history in flight at most, unless one batch alone is larger: so much may stand in the
  /// socket before a live batch.
  static let historyBytesLimit = 64 * 1024
  /// So long may the oldest packet in flight wait while no acknowledgement at all arrives. Longer
  /// than three retransmissions on a bad link; a broker that froze is noticed by then.
  static let silenceMilliseconds: Int64 = 20_000

  /// Packets that may be in flight now.
  private(set) var credits: Int
  private let configured: Int
  private let historyShare: Double
  private var entries: [Int32: Entry] = [:]
  private var identities: Set<BatchIdentity> = []
  private var bytes = 0
  private var historyCount = 0
  private var historyBytes = 0
  private var progressAt: Int64 = 0

  init(configured: Int, historyShare: Double) {
    self.configured = max(1, configured)
    self.historyShare = historyShare
    credits = 0
  }

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }
  /// The batches in flight, in no order.
  var batches: Set<BatchIdentity> { identities }
  /// Whether a batch of a live lane is in flight.
  var holdsLive: Bool { identities.count > historyCount }
  /// Credits that history may use: at least one, or it would never be sent.
  var historyCredits: Int { min(credits, max(1, Int(Double(credits) * historyShare))) }

  /// Empties the window for a new connection, whose broker takes `receiveMaximum` packets.
  mutating func open(receiveMaximum: UInt16) {
    self = InflightWindow(configured: configured, historyShare: historyShare)
    credits = min(configured, max(1, Int(receiveMaximum)))
  }

  /// Empties the window and closes it.
  mutating func close() {
    self = InflightWindow(configured: configured, historyShare: historyShare)
  }

  func contains(_ identity: BatchIdentity) -> Bool { identities.contains(identity) }

  /// Whether a packet of so many bytes may be published now.
  func hasRoom(forBytes size: Int, isHistory: Bool) -> Bool {
    guard count < credits, isEmpty || bytes + size <= Self.bytesLimit else { return false }
    guard isHistory else { return true }
    return historyCount < historyCredits
      && (historyCount == 0 || historyBytes + size <= Self.historyBytesLimit)
  }

  mutating func insert(_ id: Int32, _ entry: Entry, now: Int64) {
    precondition(entries[id] == nil, "packet id \(id) is in flight already")
    precondition(count < credits, "\(count) packets in flight, credits for \(credits)")
    if isEmpty { progressAt = now }
    entries[id] = entry
    bytes += entry.bytes
    if case .batch(let identity, _, let lane) = entry.cargo {
      identities.insert(identity)
      if lane.isHistory {
        historyCount += 1
        historyBytes += entry.bytes
      }
    }
  }

  /// Takes an acknowledged packet out; `nil` for an id that is not in flight.
  mutating func remove(_ id: Int32, now: Int64) -> Entry? {
    guard let entry = entries.removeValue(forKey: id) else { return nil }
    progressAt = now
    bytes -= entry.bytes
    if case .batch(let identity, _, let lane) = entry.cargo {
      identities.remove(identity)
      if lane.isHistory {
        historyCount -= 1
        historyBytes -= entry.bytes
      }
    }
    return entry
  }

  /// When the broker counts as gone for want of acknowledgements; `nil` with nothing in flight.
  var overdueAt: Int64? { isEmpty ? nil : progressAt + Self.silenceMilliseconds }
}
