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

/// Short enough to notice soon, long enough to leave the cores to what is waited for.
private let pauseMilliseconds = 5.0

/// Blocks this thread until `condition` holds, and throws if it does not in time. For tests that
/// run on a thread of their own (`.ownThread`); the others wait with the form below.
public func waitUntil(
  _ what: @autoclosure () -> String, within seconds: Double = patienceSeconds,
  _ condition: () throws -> Bool
) throws {
  let pause = Monitor(())
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw WaitedInVain(what()) }
    let _: Void? = pause.wait(atMost: pauseMilliseconds / 1000) { _ in nil }
  }
}

/// Suspends until `condition` holds, and throws if it does not in time. The pool's few threads are
/// free for other tests meanwhile.
public func waitUntil(
  _ what: @autoclosure () -> String, within seconds: Double = patienceSeconds,
  _ condition: () throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw WaitedInVain(what()) }
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
