/// Which batches of a stream a destination has acknowledged. Kept by epoch, so that a cursor that
/// lies beyond what survived a power cut says nothing of the epochs that came after. A pure value.
struct AckSet: Hashable {
  /// Names an epoch across stores.
  struct EpochID: Hashable {
    var store: UInt64
    var epoch: UInt32
  }

  /// Acknowledgements arrive nearly in order, in two lanes; more holes than this mean a broker that
  /// answers in disorder. Then the smallest run is forgotten: repeats, never loss.
  static let mostRanges = 1024

  /// Ranges of acknowledged seqs, ascending, neither overlapping nor touching.
  private(set) var epochs: [EpochID: [ClosedRange<UInt64>]] = [:]

  func contains(_ epoch: EpochID, _ seq: UInt64) -> Bool {
    guard let ranges = epochs[epoch] else { return false }
    return ranges[Self.firstRange(in: ranges, reaching: seq)...].first?.contains(seq) ?? false
  }

  /// How many of `seqs` are acknowledged.
  func count(_ epoch: EpochID, in seqs: ClosedRange<UInt64>) -> UInt64 {
    (epochs[epoch] ?? []).reduce(0) { count, range in
      range.overlaps(seqs) ? count + UInt64(range.clamped(to: seqs).count) : count
    }
  }

  /// Whether every one of `seqs` is.
  func covers(_ epoch: EpochID, _ seqs: ClosedRange<UInt64>) -> Bool {
    count(epoch, in: seqs) == UInt64(seqs.count)
  }

  /// Those of `seqs` that are not acknowledged, ascending.
  func missing(_ epoch: EpochID, in seqs: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var missing: [ClosedRange<UInt64>] = []
    var next = seqs.lowerBound
    for range in epochs[epoch] ?? [] where range.upperBound >= next {
      if range.lowerBound > seqs.upperBound { break }
      if range.lowerBound > next { missing.append(next...range.lowerBound - 1) }
      next = range.upperBound &+ 1
      if next > seqs.upperBound || next == 0 { return missing }
    }
    missing.append(next...seqs.upperBound)
    return missing
  }

  mutating func insert(_ epoch: EpochID, _ seqs: ClosedRange<UInt64>) {
    var ranges = epochs[epoch] ?? []
    let first = Self.firstRange(
      in: ranges, reaching: seqs.lowerBound == 0 ? 0 : seqs.lowerBound - 1)
    var merged = seqs
    var end = first
    while end < ranges.count, ranges[end].lowerBound <= merged.upperBound &+ 1 {
      merged =
        min(
          merged.lowerBound, ranges[end].lowerBound)...max(
          merged.upperBound, ranges[end].upperBound)
      end += 1
    }
    ranges.replaceSubrange(first..<end, with: [merged])
    if ranges.count > Self.mostRanges,
      let smallest = ranges.indices.min(by: { ranges[$0].count < ranges[$1].count })
    {
      ranges.remove(at: smallest)
    }
    epochs[epoch] = ranges
  }

  /// Takes over what another one knows.
  mutating func formUnion(_ other: AckSet) {
    for (epoch, ranges) in other.epochs {
      for range in ranges { insert(epoch, range) }
    }
  }

  /// Forgets epochs of which the store has nothing any more.
  mutating func keepOnly(_ kept: Set<EpochID>) {
    epochs = epochs.filter { kept.contains($0.key) }
  }

  /// The index of the first range that ends at `seq` or later.
  private static func firstRange(in ranges: [ClosedRange<UInt64>], reaching seq: UInt64) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < seq { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension AckSet {
  func write(to writer: inout ByteWriter) {
    writer.varint(UInt64(epochs.count))
    for (epoch, ranges) in epochs.sorted(by: {
      ($0.key.store, $0.key.epoch) < ($1.key.store, $1.key.epoch)
    }) {
      writer.fixed(epoch.store)
      writer.fixed(epoch.epoch)
      writer.varint(UInt64(ranges.count))
      for range in ranges {
        writer.varint(range.lowerBound)
        writer.varint(UInt64(range.count - 1))
      }
    }
  }

  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    for _ in 0..<(try reader.count()) {
      let epoch = EpochID(
        store: try reader.fixed(UInt64.self), epoch: try reader.fixed(UInt32.self))
      for _ in 0..<(try reader.count()) {
        let first = try reader.ordinal()
        insert(epoch, first...first + (try reader.ordinal()))
      }
    }
  }
}
