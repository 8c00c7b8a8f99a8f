internal import Telemetry

/// A change of a line as the kernel recorded it.
struct LineEdge: Sendable, Hashable {
  /// Whether the line became active, so active low is already taken into account.
  var isRising: Bool
  /// The kernel's stamp: CLOCK_MONOTONIC, before Linux 5.7 CLOCK_REALTIME.
  var nanoseconds: Int64
  /// The line's own number of the event, from libgpiod 2 on; 1 for the first of a request.
  var sequence: UInt32? = nil
}

/// A level that a line has since some moment.
struct LineChange: Sendable, Hashable {
  /// The level.
  var isActive: Bool
  /// Since when.
  var time: Timestamp
  /// The kernel's stamp of the edge; `nil` where the level was read and no edge is known.
  var nanoseconds: Int64?

  /// How far stamps and times may differ: times are rounded to milliseconds, and the wall clock,
  /// which old kernels stamp with, is slewed.
  private static let toleranceNanoseconds: Int64 = 10_000_000

  /// How long after `other` it was, by the kernel's stamps; `nil` where there are none, or where
  /// they contradict the times, as when the wall clock that old kernels stamp with was set.
  func nanoseconds(since other: LineChange) -> Int64? {
    guard let nanoseconds, let start = other.nanoseconds else { return nil }
    let (difference, overflows) = nanoseconds.subtractingReportingOverflow(start)
    let expected = milliseconds(since: other) &* 1_000_000
    guard !overflows, (difference &- expected).magnitude <= Self.toleranceNanoseconds else {
      return nil
    }
    return difference
  }

  /// How long after `other` it was, by the agent's clock.
  func milliseconds(since other: LineChange) -> Int64 {
    time.monotonic - other.time.monotonic
  }
}

/// What a line's input hands over, in this order.
enum LineOutput: Sendable, Hashable {
  case sample(Sample)
  case event(Event)
  case transition(LineTransition)
  /// The line can't be read from now on, or (`nil`) it can.
  case fault(BadReason?)
}
