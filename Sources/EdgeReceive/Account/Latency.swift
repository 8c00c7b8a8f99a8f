/// Times from measuring to arrival, in milliseconds.
struct Latency: Sendable {
  /// Percentiles of what was recorded.
  struct Summary: Sendable, Hashable {
    var count: Int
    /// Half of the samples took no longer; ms, nearest rank.
    var median: Int64
    /// 99 in 100 took no longer; ms, nearest rank.
    var percentile99: Int64
    /// The longest, ms.
    var longest: Int64
  }

  private var milliseconds: [Int64] = []

  /// Notes one sample.
  mutating func record(_ duration: Int64) { milliseconds.append(duration) }

  /// `nil` if nothing was recorded.
  var summary: Summary? {
    let sorted = milliseconds.sorted()
    guard let longest = sorted.last else { return nil }
    return Summary(
      count: sorted.count, median: sorted.nearestRank(50), percentile99: sorted.nearestRank(99),
      longest: longest)
  }
}

extension [Int64] {
  /// The smallest element that `percent` in 100 do not exceed; the array is ascending, not empty.
  fileprivate func nearestRank(_ percent: Int) -> Int64 {
    self[Swift.max(0, (count * percent + 99) / 100 - 1)]
  }
}
