internal import Buffering

/// What was published and is not acknowledged yet, and how much more may be. The window is ours:
/// the library's own limit is overridden by the broker's.
struct InflightWindow: Sendable {
  /// What a packet carries.
  enum Cargo: Sendable, Hashable {
    case batch(BatchIdentity, start: LogPosition, lane: Lane)
    case announcement(Announcements.Message)
    case health
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
  /// So long may a packet wait once it is the oldest in flight. Longer than three retransmissions
  /// on a bad link; a broker that froze, or forgot a packet, is noticed by then.
  static let silenceMilliseconds: Int64 = 20_000

  /// An entry and its place in the order of sending.
  private struct Flight {
    var entry: Entry
    var number: UInt64
    var sentAt: Int64
  }

  /// Packets that may be in flight now.
  private(set) var credits: Int
  private let configured: Int
  private let historyShare: Double
  private var flights: [Int32: Flight] = [:]
  private var identities: Set<BatchIdentity> = []
  private var bytes = 0
  private var historyCount = 0
  private var historyBytes = 0
  private var inserted: UInt64 = 0
  // When the oldest was last acknowledged. Acknowledgements come in the order of sending (MQTT 5,
  // section 4.6): on a slow link each makes the next one the oldest, and that begins to wait then.
  private var oldestRemovedAt: Int64 = .min

  init(configured: Int, historyShare: Double) {
    self.configured = max(1, configured)
    self.historyShare = historyShare
    credits = 0
  }

  var isEmpty: Bool { flights.isEmpty }
  var count: Int { flights.count }
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

  /// Takes a packet in. `false`, and nothing is changed, when its id is in flight already (the
  /// library uses ids again after 65,535 publishes and does not look whether one is free) or when
  /// there is no credit for it.
  mutating func insert(_ id: Int32, _ entry: Entry, now: Int64) -> Bool {
    guard flights[id] == nil, count < credits else { return false }
    flights[id] = Flight(entry: entry, number: inserted, sentAt: now)
    inserted += 1
    bytes += entry.bytes
    if case .batch(let identity, _, let lane) = entry.cargo {
      identities.insert(identity)
      if lane.isHistory {
        historyCount += 1
        historyBytes += entry.bytes
      }
    }
    return true
  }

  /// Takes an acknowledged packet out; `nil` for an id that is not in flight.
  mutating func remove(_ id: Int32, now: Int64) -> Entry? {
    let oldest = oldest
    guard let flight = flights.removeValue(forKey: id) else { return nil }
    if flight.number == oldest?.number { oldestRemovedAt = now }
    let entry = flight.entry
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

  /// When the broker counts as gone for want of an acknowledgement; `nil` with nothing in flight.
  /// Those of later packets don't count: one that never comes would else stay in flight for ever.
  var overdueAt: Int64? {
    oldest.map { max($0.sentAt, oldestRemovedAt) + Self.silenceMilliseconds }
  }

  private var oldest: Flight? { flights.values.min { $0.number < $1.number } }
}
