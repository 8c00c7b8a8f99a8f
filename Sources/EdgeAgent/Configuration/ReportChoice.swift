internal import ConfigurationFile
internal import Telemetry

/// What `report` says: a rule, or that every reading is reported.
enum ReportChoice {
  /// Every reading.
  case always
  /// A number that differs by more than the deadband, and every `atLeast` milliseconds one anyway.
  case onChange(deadband: Double?, atLeast: Int64?)

  /// How long a point that does not change is silent unless its rule says otherwise, or it is read
  /// too rarely: as long as `health` is, so that whoever waits for a sign of life knows one time.
  static let usualAtLeast: Int64 = 60_000
  /// From ten readings a second to one a day; what is silent longer looks like what is gone.
  static let atLeastTimes: ClosedRange<Int64> = 100...86_400_000

  /// Reads `always`, or `{ deadband, at-least }`.
  static func read(_ value: ConfigurationValue) -> ReportChoice? {
    if case .scalar(let text, _) = value.node.content, !value.node.isEmpty {
      if text == "always" { return .always }
      value.refuse(
        "is neither always nor a rule", "always, or { deadband, at-least }, is expected")
      return nil
    }
    return value.mapping { report in
      let deadband = Setting(report.take("deadband")) { number($0) }
      let atLeast = Setting(report.take("at-least")) { $0.duration(in: atLeastTimes) }
      if deadband.isRefused || atLeast.isRefused { return nil }
      return .onChange(deadband: deadband.value, atLeast: atLeast.value)
    }
  }

  /// The rule for a point that is read every `interval` milliseconds; `nil` where every reading is
  /// reported. A device's rule is for all its points: it has none for those that are read so rarely
  /// that nothing would be held back.
  func rule(every interval: Int64) -> ReportRule? {
    guard case .onChange(let deadband, let atLeast) = self else { return nil }
    let longest = atLeast ?? max(Self.usualAtLeast, Self.shortest(every: interval))
    guard longest >= Self.shortest(every: interval) else { return nil }
    return ReportRule(deadband: deadband, atLeastMilliseconds: longest)
  }

  /// The shortest time without a report that holds any reading back, in milliseconds.
  static func shortest(every interval: Int64) -> Int64 { 2 * interval }

  private static func number(_ value: ConfigurationValue) -> Double? {
    guard let number = value.decimal() else { return nil }
    guard number.mantissa >= 0 else {
      value.refuse("is negative", "by how much a value has to change is expected")
      return nil
    }
    return number.approximate
  }
}
