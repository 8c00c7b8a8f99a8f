internal import Telemetry

/// Turns the kernel's stamps of edges into the agent's time.
struct EventClock: Sendable {
  /// What the agent's clock said at a stamp of the kernel.
  /// - Parameters:
  ///   - stamp: the kernel's: CLOCK_MONOTONIC, before Linux 5.7 CLOCK_REALTIME.
  ///   - now: both clocks of the agent, read after the edge was.
  ///   - kernelNow: CLOCK_MONOTONIC in nanoseconds, read beside `now`; unlike the agent's clock
  ///     it does not count suspend.
  /// - Returns: never later than `now`, and `now` for a stamp that is near neither clock.
  mutating func time(ofNanoseconds stamp: Int64, now: Timestamp, kernelNow: Int64) -> Timestamp {
    now
  }
}
