internal import LinuxSystem

/// Something that a test waited for did not come about.
public struct WaitedInVain: Error, CustomStringConvertible {
  /// What was waited for.
  public var description: String

  /// Makes an error that names what was waited for.
  public init(_ what: String) { description = "waited in vain: \(what)" }
}

/// How long a test waits for what has to come. It only bounds a failing test: sanitized programs on
/// a machine that does other work too are some 50 times slower than they should be.
public let patienceSeconds = 60.0

/// Seconds by which a busy machine may be late with what a test's own process does: that is never
/// optimised, whatever programs it runs.
public let latenessSeconds = 8

/// Short enough to notice soon, long enough to leave the cores to what is waited for.
private let pauseMilliseconds = 5.0

/// Whether a wait has been in vain: its time is over, and the pool's threads had turns enough in
/// it. Sanitized tests that compute keep those few threads busy for a minute and more, and what is
/// waited for may stand in their queue, also where the test has a thread of its own.
private struct Patience {
  private struct Turns {
    var left: Int
    var isWaiting = false
  }

  private let deadline: ContinuousClock.Instant
  private let turns: Monitor<Turns>

  init(seconds: Double) {
    deadline = .now + .seconds(seconds)
    // A tenth of those that an idle machine has time for.
    turns = Monitor(Turns(left: Int(seconds * 1000 / pauseMilliseconds / 10)))
  }

  /// To be asked at each look.
  func isOver() -> Bool {
    let (isFirst, left) = turns.withLock { turns in
      defer { turns.isWaiting = true }
      return (!turns.isWaiting, turns.left)
    }
    if isFirst {
      Task.detached { [turns] in
        turns.withLock { turns in
          turns.left -= 1
          turns.isWaiting = false
        }
      }
    }
    return left < 0 && ContinuousClock.now >= deadline
  }
}

/// Blocks this thread until `condition` holds, and throws if it does not in time. For tests that
/// run on a thread of their own (`.ownThread`); the others wait with the form below.
public func waitUntil(
  _ what: @autoclosure () -> String, within seconds: Double = patienceSeconds,
  _ condition: () throws -> Bool
) throws {
  let pause = Monitor(())
  let patience = Patience(seconds: seconds)
  while try !condition() {
    guard !patience.isOver() else { throw WaitedInVain(what()) }
    let _: Void? = pause.wait(atMost: pauseMilliseconds / 1000) { _ in nil }
  }
}

/// Suspends until `condition` holds, and throws if it does not in time. The pool's few threads are
/// free for other tests meanwhile.
public func waitUntil(
  _ what: @autoclosure () -> String, within seconds: Double = patienceSeconds,
  _ condition: () throws -> Bool
) async throws {
  let patience = Patience(seconds: seconds)
  while try !condition() {
    guard !patience.isOver() else { throw WaitedInVain(what()) }
    // The one place where a test sleeps: between two looks, never for something to have happened.
    try await ContinuousClock().sleep(for: .milliseconds(pauseMilliseconds))
  }
}

/// Blocks until `instant`, for scenarios that are written in time; what happens meanwhile is the
/// scenario's matter.
public func reach(_ instant: ContinuousClock.Instant) {
  let pause = Monitor(())
  while ContinuousClock.now < instant {
    let _: Void? = pause.wait(atMost: (instant - .now) / .seconds(1)) { _ in nil }
  }
}
