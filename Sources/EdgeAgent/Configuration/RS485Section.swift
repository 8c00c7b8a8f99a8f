internal import ConfigurationFile
internal import Drivers

extension RS485Direction {
  /// Decodes `rs485` and the keys that go with it: the direction of a line without them is `nil`
  /// in an optional, `nil` itself stands for a problem.
  static func read(_ line: MappingReader) -> RS485Direction?? {
    let by = Setting(line.take("rs485")) { $0.choice(Switch.self, "a way to switch the driver") }
    let level = Setting(line.take("rts-on-send")) { $0.choice(Level.self, "a level of RTS") }
    let before = delay(line.take("rts-delay-before"))
    let after = delay(line.take("rts-delay-after"))
    guard let way = by.value else {
      if by.isAbsent {
        for place in [level.place, before.place, after.place].compactMap(\.self) {
          place.refuse("nothing switches the driver", "rs485: kernel or rs485: rts is expected")
        }
        return level.isAbsent && before.isAbsent && after.isAbsent ? .some(nil) : nil
      }
      return nil
    }
    if case .refused = level { return nil }
    if case .refused = before { return nil }
    if case .refused = after { return nil }
    return RS485Direction(
      by: way, levelOnSend: level.value ?? .high, delayBeforeMilliseconds: before.value ?? 0,
      delayAfterMilliseconds: after.value ?? 0)
  }

  private static func delay(_ place: ConfigurationValue?) -> Setting<Int64> {
    Setting(place) { $0.duration(in: 0...longestDelayMilliseconds) }
  }

  /// The direction in words, for `check`.
  var words: String {
    var words =
      by == .kernel ? "direction by the kernel" : "direction by RTS"
    words += ", RTS \(levelOnSend.rawValue) on send"
    if delayBeforeMilliseconds > 0 {
      words += ", \(AgentPlan.duration(delayBeforeMilliseconds)) before"
    }
    if delayAfterMilliseconds > 0 {
      words += ", \(AgentPlan.duration(delayAfterMilliseconds)) after"
    }
    return words
  }
}
