import TestSupport
import Testing

@testable import Buffering

@Suite("What a destination has acknowledged")
struct AckSetTests {
  let epoch = AckSet.EpochID(store: 1, epoch: 3)
  let later = AckSet.EpochID(store: 1, epoch: 4)

  @Test("Acknowledgements in any order say the same as a plain set", arguments: 0..<60)
  func matchesPlainSet(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var set = AckSet()
    var plain: Set<UInt64> = []
    for _ in 0..<Int.random(in: 1...200, using: &generator) {
      let first = UInt64.random(in: 1...150, using: &generator)
      let last = min(150, first + UInt64.random(in: 0...3, using: &generator))
      set.insert(epoch, first...last)
      plain.formUnion(first...last)
    }
    for seq in UInt64(0)...160 { #expect(set.contains(epoch, seq) == plain.contains(seq)) }
    let from = UInt64.random(in: 1...80, using: &generator)
    let to = UInt64.random(in: 80...160, using: &generator)
    #expect(
      set.count(epoch, in: from...to) == UInt64(plain.filter { $0 >= from && $0 <= to }.count))
    #expect(set.covers(epoch, from...to) == (from...to).allSatisfy(plain.contains))
    #expect(
      set.missing(epoch, in: from...to).flatMap(Array.init)
        == (from...to).filter { !plain.contains($0) })

    var writer = ByteWriter()
    set.write(to: &writer)
    let read = try writer.bytes.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      return try AckSet(&reader)
    }
    #expect(read == set)
  }

  @Test("Neighbouring ranges become one")
  func merges() {
    var set = AckSet()
    set.insert(epoch, 1...3)
    set.insert(epoch, 5...5)
    set.insert(epoch, 4...4)
    #expect(set.epochs[epoch] == [1...5])
  }

  @Test("An epoch's cursor says nothing of the next epoch")
  func epochsAreSeparate() {
    var set = AckSet()
    set.insert(epoch, 1...1_000)
    #expect(!set.contains(later, 1))
    #expect(set.count(later, in: 1...10) == 0)
  }

  @Test("More holes than the limit forget the smallest runs, never the main one")
  func isBounded() {
    var set = AckSet()
    set.insert(epoch, 1...4_000_000)
    for index in 0..<UInt64(AckSet.mostRanges + 10) {
      set.insert(epoch, 4_000_002 + index * 2...4_000_002 + index * 2)
    }
    #expect(set.epochs[epoch]?.count == AckSet.mostRanges)
    #expect(set.covers(epoch, 1...4_000_000))
  }
}
