internal import ConfigurationFile
internal import Telemetry

/// What `report` says: a rule, or that every reading is reported.
struct ReportChoice {
  /// `nil`: every reading.
  var rule: ReportRule?

  /// How long a point that does not change is silent unless its rule says otherwise: as long as
  /// `health` is, so that whoever waits for a sign of life knows one time.
  static let usualAtLeast: Int64 = 60_000
  /// From ten readings a second to one a day; what is silent longer looks like what is gone.
  static let atLeastTimes: ClosedRange<Int64> = 100...86_400_000

  /// Reads `always`, or `{ deadband, at-least }`.
  static func read(_ value: ConfigurationValue) -> ReportChoice? {
    if case .scalar(let text, _) = value.node.content, !value.node.isEmpty {
      if text == "always" { return ReportChoice(rule: nil) }
      value.refuse(
        "is neither always nor a rule", "always, or { deadband, at-least }, is expected")
      return nil
    }
    return value.mapping { report in
      let deadband = Setting(report.take("deadband")) { number($0) }
      let atLeast = report.take("at-least").map { $0.duration(in: atLeastTimes) } ?? usualAtLeast
      if case .refused = deadband { return nil }
      return atLeast.map {
        ReportChoice(rule: ReportRule(deadband: deadband.value, atLeastMilliseconds: $0))
      }
    }
  }

  private static func number(_ value: ConfigurationValue) -> Double? {
    guard let number = value.decimal() else { return nil }
    guard number.mantissa >= 0 else {
      value.refuse("is negative", "by how much a value has to change is expected")
      return nil
    }
    return number.approximate
  }
}
