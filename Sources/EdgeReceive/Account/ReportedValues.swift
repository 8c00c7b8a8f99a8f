import Telemetry

/// The delivered values of a point that is reported on change: tells which served values its rule
/// leaves out.
struct ReportedValues {
  /// Both sides reckon with doubles, of numbers that went through text.
  private static let tolerance = 1.000_001

  private let rule: ReportRule
  /// In the order of their times.
  private let delivered: [DeliveredValue]

  /// The point's rule, and all of its delivered values.
  init(_ rule: ReportRule, _ delivered: [DeliveredValue]) {
    self.rule = rule
    self.delivered = delivered.sorted { $0.monotonic < $1.monotonic }
  }

  /// Whether a served value need not have been delivered: one was not long ago, from which it
  /// differs too little.
  func leavesOut(_ value: ServedValue) -> Bool {
    guard let last = newest(before: value.monotonic),
      value.monotonic - last.monotonic < rule.atLeastMilliseconds + ValueMatching.latest
    else { return false }
    if last.text == value.text { return true }
    guard let deadband = rule.deadband, let number = Double(value.text),
      let before = Double(last.text)
    else { return false }
    return (number - before).magnitude <= deadband * Self.tolerance
  }

  /// The newest that was delivered until then. The agent's times are a little later than those of
  /// the simulator.
  private func newest(before time: Int64) -> DeliveredValue? {
    var (lower, upper) = (0, delivered.count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if delivered[middle].monotonic <= time { lower = middle + 1 } else { upper = middle }
    }
    return lower > 0 ? delivered[lower - 1] : nil
  }
}
