import Testing
import TestSupport

@testable import EdgeReceive

@Suite struct SeqSetTests {
  @Test("It holds what a plain set holds", arguments: 0..<20 as Range<UInt64>)
  func agreesWithSet(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var seqs = SeqSet()
    var plain: Set<UInt64> = []
    for _ in 0..<120 {
      let seq = UInt64.random(in: 1...60, using: &generator)
      #expect(seqs.insert(seq) == plain.insert(seq).inserted)
    }
    #expect(Array(seqs.ranges.joined()) == plain.sorted())
    #expect(seqs.count == UInt64(plain.count))
    #expect(seqs.last == plain.max())
    for (left, right) in zip(seqs.ranges, seqs.ranges.dropFirst()) {
      #expect(left.upperBound + 1 < right.lowerBound)
    }
    for seq in UInt64(1)...62 {
      #expect(seqs.contains(seq) == plain.contains(seq))
      #expect(seqs.last(before: seq) == plain.filter { $0 < seq }.max())
      #expect(seqs.first(after: seq) == plain.filter { $0 > seq }.min())
    }
    let newest = UInt64.random(in: 1...70, using: &generator)
    let missing = (1...newest).filter { !plain.contains($0) }
    #expect(Array(seqs.holes(upTo: newest).joined()) == missing)
  }
}
