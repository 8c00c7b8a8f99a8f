/// How long answers take, in buckets that are an eighth to a quarter as wide as the times they
/// hold: quantiles are right within 1/8 in some hundred bytes. Of about the newest answers only.
public struct TurnaroundHistogram: Sendable, Hashable {
  /// Answers after which all counts are halved: a unit that was slow last week is not slow now, and
  /// at one answer a second this is an hour.
  static let remembered = 4096
  /// Each doubling of the time has so many buckets.
  private static let bucketsPerDoubling = 4
  /// The first bucket begins at 2^4 = 16 µs: nothing on any wire answers sooner.
  private static let firstExponent = 4
  /// The last one ends at 2^26 µs = 67 s: no time-out is longer than 60 s.
  private static let doublings = 22

  private var counts = [UInt16](repeating: 0, count: doublings * bucketsPerDoubling)
  private var total = 0

  /// Makes an empty one.
  public init() {}

  /// Takes a time in microseconds.
  public mutating func record(microseconds: Int64) {
    if total >= Self.remembered {
      for index in counts.indices { counts[index] /= 2 }
      total = counts.reduce(0) { $0 + Int($1) }
    }
    counts[Self.bucket(of: microseconds)] += 1
    total += 1
  }

  /// The time in microseconds that `share` (0…1) of the answers did not exceed, as the middle of
  /// its bucket; `nil` without answers.
  public func quantile(_ share: Double) -> Int64? {
    guard total > 0 else { return nil }
    let rank = Int((Double(total) * min(max(share, 0), 1)).rounded(.up))
    var sum = 0
    for (index, count) in counts.enumerated() {
      sum += Int(count)
      if sum >= max(1, rank) { return Self.middle(of: index) }
    }
    return nil
  }

  private static func bucket(of microseconds: Int64) -> Int {
    let time = max(microseconds, 1 << Int64(firstExponent))
    let exponent = 63 - time.leadingZeroBitCount
    let place = Int(time >> Int64(exponent - 2)) & (bucketsPerDoubling - 1)
    let index = (exponent - firstExponent) * bucketsPerDoubling + place
    return min(index, doublings * bucketsPerDoubling - 1)
  }

  private static func middle(of index: Int) -> Int64 {
    let (doubling, place) = index.quotientAndRemainder(dividingBy: bucketsPerDoubling)
    let width = Int64(1) << Int64(doubling + firstExponent - 2)
    return Int64(bucketsPerDoubling + place) * width + width / 2
  }
}
