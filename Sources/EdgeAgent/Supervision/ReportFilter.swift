internal import Drivers
internal import Telemetry

/// Holds back the readings of a device that are no news, by its points' rules. Pure.
struct ReportFilter: Sendable {
  private struct Report: Sendable {
    var outcome: Outcome
    /// Monotonic milliseconds.
    var time: Int64
  }

  private struct Point: Sendable {
    var rule: ReportRule
    var every: Int64
  }

  /// By the point's index; `nil` for a point whose every reading is reported.
  private let points: [Point?]
  /// What was reported of each point last.
  private var reports: [Report?]

  /// `nil` for a device none of whose points has a rule.
  init?(_ device: ModbusDevice) {
    points = device.points.map { point in
      point.description.report.map { Point(rule: $0, every: point.everyMilliseconds) }
    }
    guard points.contains(where: { $0 != nil }) else { return nil }
    reports = Array(repeating: nil, count: points.count)
  }

  /// What is to be reported of a sample; `nil` if nothing is.
  mutating func news(in sample: Sample) -> Sample? {
    let time = sample.time.monotonic
    let news = sample.outcomes.filter { isNews($0, at: time) }
    guard !news.isEmpty else { return nil }
    return Sample(device: sample.device, time: sample.time, outcomes: news)
  }

  private mutating func isNews(_ entry: PointOutcome, at time: Int64) -> Bool {
    guard points.indices.contains(entry.point), let point = points[entry.point] else { return true }
    // The next reading would be a sign of life too late.
    if let last = reports[entry.point],
      time + point.every - last.time <= point.rule.atLeastMilliseconds,
      !point.rule.isNews(entry.outcome, after: last.outcome)
    {
      return false
    }
    reports[entry.point] = Report(outcome: entry.outcome, time: time)
    return true
  }
}
