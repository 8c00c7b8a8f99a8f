internal import Telemetry

/// Turns the kernel's stamps of edges into the agent's time. Kernels before 5.7 stamp with
/// CLOCK_REALTIME, later ones with CLOCK_MONOTONIC, and nothing says which: a stamp is of the clock
/// that it is near. On a board whose wall clock began with the boot both are near, so what was
/// learnt while they were apart is remembered.
struct EventClock: Sendable {
  /// Edges wait in the kernel for less; one that seems older was stamped by a clock that was set
  /// since.
  static let oldestNanoseconds: Int64 = 600 * 1_000_000_000

  private(set) var isWallStamped = false

  /// What the agent's clock said at a stamp of the kernel.
  /// - Parameters:
  ///   - stamp: the kernel's.
  ///   - now: both clocks of the agent, read after the edge was.
  ///   - kernelNow: CLOCK_MONOTONIC in nanoseconds, read beside `now`; unlike the agent's clock
  ///     it does not count suspend.
  /// - Returns: never later than `now`, and `now` for a stamp that is near neither clock.
  mutating func time(ofNanoseconds stamp: Int64, now: Timestamp, kernelNow: Int64) -> Timestamp {
    let wallNow = now.wall.multipliedReportingOverflow(by: 1_000_000).partialValue
    let sinceBoot = kernelNow &- stamp
    // The wall clock is known to the millisecond only, so an edge may seem to be that much ahead.
    let byWall = wallNow &- stamp
    if sinceBoot.magnitude > UInt64(Self.oldestNanoseconds) {
      if byWall.magnitude <= UInt64(Self.oldestNanoseconds) { isWallStamped = true }
    } else if byWall.magnitude > UInt64(Self.oldestNanoseconds) {
      isWallStamped = false
    }
    let age = isWallStamped ? byWall : sinceBoot
    guard age > 0, age <= Self.oldestNanoseconds else { return now }
    return now.advanced(by: -(age / 1_000_000))
  }
}
