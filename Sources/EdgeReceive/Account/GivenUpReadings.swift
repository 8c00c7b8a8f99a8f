/// The readings of a point that say `timeout`: tell which served values came after the agent had
/// given their question up. The simulator can't know: it was late itself, or the agent's machine.
struct GivenUpReadings {
  /// Ascending; those that are not used yet.
  private var times: [Int64]

  /// The monotonic times of the readings, in any order.
  init(_ times: [Int64]) { self.times = times.sorted() }

  /// Whether one of them says that a served value was not waited for; each says that of one. They
  /// bear the time when they were due, which is before their question.
  mutating func explains(_ value: ServedValue) -> Bool {
    let window = value.monotonic - ValueMatching.latest...value.monotonic + ValueMatching.earliest
    guard let index = times.firstIndex(where: { window.contains($0) }) else { return false }
    times.remove(at: index)
    return true
  }
}
