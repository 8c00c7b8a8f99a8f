/// A set of seqs as ascending ranges that neither overlap nor touch.
struct SeqSet: Sendable, Hashable {
  /// Above any real seq (at 1,000 batches a second it takes 292 million years), so that adding 1
  /// never overflows.
  static let largest: UInt64 = 1 << 63

  /// The ranges, both ends included.
  private(set) var ranges: [ClosedRange<UInt64>] = []

  /// Makes an empty set.
  init() {}

  /// How many seqs there are.
  var count: UInt64 { ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound + 1 } }

  /// The largest seq.
  var last: UInt64? { ranges.last?.upperBound }

  /// Adds a seq, 1 at least; false if it was there already.
  @discardableResult
  mutating func insert(_ seq: UInt64) -> Bool {
    let next = firstIndex(above: seq)
    if next > 0, ranges[next - 1].upperBound >= seq { return false }
    let joinsLeft = next > 0 && ranges[next - 1].upperBound + 1 == seq
    let joinsRight = next < ranges.count && seq + 1 == ranges[next].lowerBound
    switch (joinsLeft, joinsRight) {
    case (true, true):
      ranges[next - 1] = ranges[next - 1].lowerBound...ranges[next].upperBound
      ranges.remove(at: next)
    case (true, false): ranges[next - 1] = ranges[next - 1].lowerBound...seq
    case (false, true): ranges[next] = seq...ranges[next].upperBound
    case (false, false): ranges.insert(seq...seq, at: next)
    }
    return true
  }

  /// Whether `seq` is there.
  func contains(_ seq: UInt64) -> Bool {
    let next = firstIndex(above: seq)
    return next > 0 && ranges[next - 1].upperBound >= seq
  }

  /// What is missing of 1…`newest`, as ranges.
  func holes(upTo newest: UInt64) -> [ClosedRange<UInt64>] {
    var holes: [ClosedRange<UInt64>] = []
    var expected: UInt64 = 1
    for range in ranges where range.lowerBound <= newest {
      if range.lowerBound > expected { holes.append(expected...(range.lowerBound - 1)) }
      expected = range.upperBound + 1
    }
    if expected <= newest { holes.append(expected...newest) }
    return holes
  }

  /// The largest seq below `seq`.
  func last(before seq: UInt64) -> UInt64? {
    let next = firstIndex(above: seq - 1)
    return next > 0 ? min(ranges[next - 1].upperBound, seq - 1) : nil
  }

  /// The smallest seq above `seq`.
  func first(after seq: UInt64) -> UInt64? {
    if contains(seq + 1) { return seq + 1 }
    let next = firstIndex(above: seq)
    return next < ranges.count ? ranges[next].lowerBound : nil
  }

  /// The index of the first range that begins above `seq`.
  private func firstIndex(above seq: UInt64) -> Int {
    // Nearly every seq comes in order, so the end is looked at first.
    if let last = ranges.last, last.lowerBound <= seq { return ranges.count }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].lowerBound <= seq { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
