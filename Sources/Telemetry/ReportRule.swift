/// When a point that is read every cycle is reported: on change, and now and then all the same, so
/// that one that stands still can be told from one that is gone.
public struct ReportRule: Sendable, Hashable {
  /// A number is reported when it differs from the one reported last by more than this; `nil` for
  /// points that are no numbers, of which every change is reported.
  public var deadband: Double?
  /// The longest time between two reports of a point that is read, in milliseconds.
  public var atLeastMilliseconds: Int64

  /// Makes a rule. The deadband is not negative.
  public init(deadband: Double?, atLeastMilliseconds: Int64) {
    self.deadband = deadband
    self.atLeastMilliseconds = atLeastMilliseconds
  }
}

extension ReportRule {
  /// Whether `outcome` is news after `last`. Whether it is good, and why not,
  /// always is.
  public func isNews(_ outcome: Outcome, after last: Outcome) -> Bool {
    switch (outcome, last) {
    case (.good(let value), .good(let before)):
      return isNews(value, after: before)
    case (.bad(let reason, let raw), .bad(let reasonBefore, let rawBefore)):
      guard reason == reasonBefore else { return true }
      guard let raw, let rawBefore else { return (raw == nil) != (rawBefore == nil) }
      return isNews(raw, after: rawBefore)
    default:
      return true
    }
  }

  private func isNews(_ value: Value, after before: Value) -> Bool {
    guard value != before else { return false }
    // Large integers differ by less than a double tells.
    guard let deadband, deadband > 0 else { return true }
    // Written so that what is not a number is news.
    return !((value.approximate - before.approximate).magnitude <= deadband)
  }
}
