internal import LinuxSystem

/// Asks `condition` again and again until it holds or `seconds` have passed; whether it held.
public func eventually(within seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
  let pause = Monitor(())
  let deadline = ContinuousClock.now + .seconds(seconds)
  while true {
    if try condition() { return true }
    if .now >= deadline { return false }
    // Short enough to notice soon, long enough to leave the cores to what is waited for.
    let _: Void? = pause.wait(atMost: 0.02) { _ in nil }
  }
}

/// Lets a scripted scenario reach `instant`; what happens meanwhile is the scenario's matter.
public func reach(_ instant: ContinuousClock.Instant) {
  _ = eventually(within: (instant - .now) / .seconds(1)) { .now >= instant }
}
