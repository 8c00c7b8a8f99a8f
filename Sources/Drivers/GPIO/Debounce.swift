internal import Telemetry

/// Debounce from the times of edges, where the kernel offers none: a level counts once it held for
/// the time, and is dated by the end of that time, as the kernel dates what it debounces. Dated by
/// the edge from which on it held, it would contradict samples that came before it was known.
/// Remembers one edge only.
struct Debounce: Sendable {
  /// How long a level has to hold; 0: each edge counts.
  let milliseconds: Int64
  private var level: Bool?
  private var candidate: LineChange?

  init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// From now on with that level.
  mutating func begin(isActive: Bool) {
    level = isActive
    candidate = nil
  }

  /// An edge came, possibly to the level that the line already had.
  /// - Returns: the change that this one is, or that held until it came.
  mutating func take(_ change: LineChange) -> LineChange? {
    guard milliseconds > 0 else {
      level = change.isActive
      return change
    }
    let held = candidate.flatMap { holds($0, until: change) ? $0 : nil }
    if let held { level = held.isActive }
    candidate = change.isActive == level ? nil : change
    return held.map(atEnd)
  }

  /// The change that has held, if there is one.
  mutating func settle(at now: Timestamp) -> LineChange? {
    guard let held = candidate, let wakeTime, now.monotonic >= wakeTime else { return nil }
    level = held.isActive
    candidate = nil
    return atEnd(held)
  }

  /// When a change will have held. A millisecond later than it seems: its time was rounded down.
  var wakeTime: Int64? { candidate.map { $0.time.monotonic + milliseconds + 1 } }

  /// Whether nothing between the two could have held for the time.
  func isShort(from first: LineChange, to last: LineChange) -> Bool {
    milliseconds > 0 && !holds(first, until: last)
  }

  /// The change with the time at which it had held.
  private func atEnd(_ change: LineChange) -> LineChange {
    LineChange(
      isActive: change.isActive, time: change.time.advanced(by: milliseconds),
      nanoseconds: change.nanoseconds.map { $0 &+ milliseconds * 1_000_000 })
  }

  private func holds(_ first: LineChange, until last: LineChange) -> Bool {
    if let nanoseconds = last.nanoseconds(since: first) {
      return nanoseconds >= milliseconds * 1_000_000
    }
    return last.milliseconds(since: first) >= milliseconds
  }
}
