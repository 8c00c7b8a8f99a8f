internal import Glibc
internal import Synchronization

/// Tells that a loop still turns: the loop says at every turn by when the next one comes, and
/// whoever watches compares that with the time. Costs the loop one atomic store.
///
/// A loop that is about to wait, or to make a call that may take long for a good reason, says so in
/// the time it gives; it has to wake within it.
public final class Heartbeat: Sendable {
  /// The loop's name, for the message about one that is stuck.
  public let name: String
  // Times that never come: a loop that has not begun, or rests, is not stuck.
  private static let notBegun = Int64.max
  private static let resting = Int64.max - 1
  private let due = Atomic(notBegun)

  /// A heartbeat of a loop that has not begun.
  public init(name: String) { self.name = name }

  /// Milliseconds of CLOCK_MONOTONIC: unlike the time stamps' clock it stands still while the board
  /// sleeps, and a loop that slept with it is not late.
  public static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// The loop turns; the next turn comes within `milliseconds`.
  public func turn(nextWithin milliseconds: Int64, now: Int64 = now()) {
    let (time, overflows) = now.addingReportingOverflow(milliseconds)
    due.store(overflows ? Self.resting : time, ordering: .relaxed)
  }

  /// The loop has ended, or waits for something that may never come: no turn is due.
  public func rest() { due.store(Self.resting, ordering: .relaxed) }

  /// Whether the loop has turned at least once.
  public var hasBegun: Bool { due.load(ordering: .relaxed) != Self.notBegun }

  /// By how many milliseconds the next turn is late; `nil` while it is not.
  public func lateness(at now: Int64) -> Int64? {
    let time = due.load(ordering: .relaxed)
    return now > time ? now - time : nil
  }
}
