/// How much of the last minute a bus spent in transactions. Bounded, whatever it does.
public struct BusUse: Sendable, Hashable {
  /// A bucket's milliseconds.
  private static let bucketMilliseconds: Int64 = 5_000
  /// A minute, and the bucket that is being filled.
  private static let buckets = 13

  private let start: Int64
  /// Microseconds, by the bucket's number modulo their count.
  private var busy = [Int64](repeating: 0, count: buckets)
  /// The newest bucket that was filled.
  private var newest: Int64

  /// Begins at `start`, in monotonic milliseconds.
  public init(start: Int64) {
    self.start = start
    newest = start / Self.bucketMilliseconds
  }

  /// The bus was busy for `microseconds` until `end` (monotonic milliseconds).
  public mutating func record(microseconds: Int64, until end: Int64) {
    moveOn(to: end / Self.bucketMilliseconds)
    var rest = max(0, microseconds)
    var place = end
    // What began before the oldest bucket is over is cut off.
    while rest > 0, place / Self.bucketMilliseconds > newest - Int64(Self.buckets) {
      let bucket = place / Self.bucketMilliseconds
      // At its first millisecond the one before it begins to count.
      let inside = max(1, place - bucket * Self.bucketMilliseconds)
      let part = min(rest, inside * 1000)
      busy[Self.index(of: bucket)] += part
      rest -= part
      place = bucket * Self.bucketMilliseconds - 1
      if place < 0 { return }
    }
  }

  /// The share of the last minute, or of the time since the start, at `now` (monotonic
  /// milliseconds): 0…1; `nil` in the first second.
  public func share(at now: Int64) -> Double? {
    let bucket = now / Self.bucketMilliseconds
    let oldest = max(0, bucket - Int64(Self.buckets) + 1)
    let begin = max(start, oldest * Self.bucketMilliseconds)
    guard now - begin >= 1000 else { return nil }
    let numbers = max(oldest, newest - Int64(Self.buckets) + 1)...max(oldest, newest)
    let sum = numbers.reduce(0) { $1 <= newest ? $0 + busy[Self.index(of: $1)] : $0 }
    return min(1, Double(sum) / 1000 / Double(now - begin))
  }

  private mutating func moveOn(to bucket: Int64) {
    guard bucket > newest else { return }
    for number in max(newest + 1, bucket - Int64(Self.buckets) + 1)...bucket {
      busy[Self.index(of: number)] = 0
    }
    newest = bucket
  }

  private static func index(of bucket: Int64) -> Int { Int(bucket % Int64(buckets)) }
}
