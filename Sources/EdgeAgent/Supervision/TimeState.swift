internal import LinuxSystem
internal import Telemetry

/// What the board knows of the time, for a technician. Pure.
struct TimeState: Hashable {
  /// Whether the kernel holds the wall clock for synchronised.
  var clock: ClockState
  /// Clocks that go on while the power is off, by the kernel's names.
  var realTimeClocks: [RealTimeClock]

  /// That of the machine this runs on.
  static func ofThisMachine() -> TimeState {
    TimeState(clock: KernelClock().now().clock, realTimeClocks: RealTimeClock.all())
  }

  /// In words, on one line.
  var words: String {
    let state = clock == .synced ? "synchronised" : "not synchronised"
    return "\(state), \(Self.words(realTimeClocks.map(\.name)))"
  }

  /// What it means which real-time clocks there are.
  static func words(_ names: [String]) -> String {
    names.isEmpty
      ? "no real-time clock: after a power cut the date is wrong until the network tells it"
      : "real-time clock \(names.joined(separator: ", "))"
  }

  /// Writes the names as a member.
  static func write(_ clocks: [RealTimeClock], into json: inout JSONWriter) {
    json.key("real-time-clocks")
    json.beginArray()
    for clock in clocks { json.string(clock.name) }
    json.endArray()
  }
}
