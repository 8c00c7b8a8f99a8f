internal import Telemetry

/// How often edges of one direction came within a time, from the times of the edges themselves: the
/// periods between neighbours over the time they took. A period in which an edge may be missing is
/// left out. Memory is the same at any rate of edges: the window is kept as sums of its parts.
struct FrequencyWindow: Sendable {
  /// What the window says.
  enum Reading: Sendable, Hashable {
    /// Too few edges since watching began, or none of them without doubt.
    case unknown
    /// No edge for the whole time.
    case silent
    case hertz(Double)
  }

  private struct Part: Sendable {
    var index: Int64 = -1
    var periods: Int64 = 0
    var nanoseconds: Int64 = 0
  }

  /// The window moves by steps of a tenth.
  static let parts = 10

  private let partMilliseconds: Int64
  private let silenceMilliseconds: Int64
  private var parts = [Part](repeating: Part(), count: Self.parts)
  /// What came since the last `commit`.
  private var pending: [Part] = []
  private var since: Int64
  private var last: LineChange?
  private var isInterrupted = false
  /// The newest period, for signals that are slower than the window.
  private var period: Int64?
  private var pendingPeriod: Int64?

  /// - Parameters:
  ///   - windowMilliseconds: the time that is looked at.
  ///   - silenceMilliseconds: how long after the last edge there is no signal; the window at least.
  ///   - start: when watching begins, in monotonic milliseconds.
  init(windowMilliseconds: Int64, silenceMilliseconds: Int64, at start: Int64) {
    partMilliseconds = max(1, windowMilliseconds / Int64(Self.parts))
    self.silenceMilliseconds = max(windowMilliseconds, silenceMilliseconds)
    since = start
  }

  /// An edge came.
  mutating func take(_ change: LineChange) {
    defer {
      last = change
      isInterrupted = false
    }
    guard let last, !isInterrupted, let nanoseconds = change.nanoseconds(since: last),
      nanoseconds > 0
    else { return }
    let index = change.time.monotonic / partMilliseconds
    if pending.last?.index != index {
      if pending.count == Self.parts { pending.removeFirst() }
      pending.append(Part(index: index))
    }
    pending[pending.count - 1].periods += 1
    pending[pending.count - 1].nanoseconds += nanoseconds
    pendingPeriod = nanoseconds
  }

  /// No edge was lost since the last `commit`, or up to the last `interrupt`.
  mutating func commit() {
    for part in pending {
      let slot = Int(part.index % Int64(Self.parts))
      if parts[slot].index == part.index {
        parts[slot].periods += part.periods
        parts[slot].nanoseconds += part.nanoseconds
      } else if parts[slot].index < part.index {
        parts[slot] = part
      }
    }
    period = pendingPeriod ?? period
    pending.removeAll(keepingCapacity: true)
    pendingPeriod = nil
  }

  /// Edges may be missing anywhere since the last `commit`.
  mutating func discard() {
    pending.removeAll(keepingCapacity: true)
    pendingPeriod = nil
    interrupt()
  }

  /// Edges may be missing before the next one.
  mutating func interrupt() { isInterrupted = true }

  /// When the newest edge came, in monotonic milliseconds.
  var lastEdge: Int64? { last?.time.monotonic }

  /// What the window says, of the edges that were committed.
  func reading(at now: Int64) -> Reading {
    guard now - (lastEdge ?? since) <= silenceMilliseconds else { return .silent }
    let current = now / partMilliseconds
    var periods: Int64 = 0
    var nanoseconds: Int64 = 0
    for part in parts where part.index > current - Int64(Self.parts) && part.index <= current {
      periods += part.periods
      nanoseconds += part.nanoseconds
    }
    if periods == 0, let period { (periods, nanoseconds) = (1, period) }
    guard periods > 0 else { return .unknown }
    return .hertz(Double(periods) * 1e9 / Double(nanoseconds))
  }
}
