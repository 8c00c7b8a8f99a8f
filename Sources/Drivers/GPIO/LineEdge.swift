internal import Telemetry

/// A change of a line as the kernel recorded it.
struct LineEdge: Sendable, Hashable {
  /// Whether the line became active, so active low is already taken into account.
  var isRising: Bool
  /// The kernel's stamp: CLOCK_MONOTONIC, before Linux 5.7 CLOCK_REALTIME.
  var nanoseconds: Int64
  /// The line's own number of the event, from libgpiod 2 on.
  var sequence: UInt32? = nil
}

/// What a line's input hands over, in this order.
enum LineOutput: Sendable, Hashable {
  case sample(Sample)
  case event(Event)
  case transition(LineTransition)
  /// The line can't be read from now on, or (`nil`) it can.
  case fault(BadReason?)
}
