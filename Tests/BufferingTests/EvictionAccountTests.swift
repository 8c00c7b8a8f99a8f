import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("What an eviction says and what it spares")
struct EvictionAccountTests {
  let province = StoreUnderTest.province

  @Test("A segment that one batch is still needed of is spared while others can be used again")
  func sparesTheNeeded() throws {
    let test = try StoreUnderTest(
      SimulatedDisk(), StoreUnderTest.settings(segments: 4, segmentBytes: 8192))
    for seq in UInt64(1)...1000 {
      try test.append(test.sample())
      if seq != 10 { test.acknowledge(seq) }
    }
    #expect(test.gaps.isEmpty)
    #expect(test.seqs == [10])
  }

  @Test("The gap of an evicted segment names the batches that were needed and no others")
  func namesOnlyTheNeeded() throws {
    let test = try StoreUnderTest(
      SimulatedDisk(), StoreUnderTest.settings(segments: 3, segmentBytes: 8192))
    var written: UInt64 = 0
    while test.gaps.count < 5, written < 3000 {
      written += 1
      try test.append(test.sample())
      if written % 20 != 0 { test.acknowledge(written) }
    }
    let needed = (1...written).filter { $0 % 20 == 0 }
    let gaps = test.gaps(.evicted)
    #expect(gaps.count >= 5)
    #expect(gaps.allSatisfy { $0.count == $0.seqs?.count })
    #expect((test.explained(by: .evicted) + test.seqs).sorted() == needed)
  }

  @Test("Acknowledgements in wild disorder cost repeats of the latest, never the long run before")
  func disorderlyAcknowledgements() throws {
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    for seq in UInt64(1)...5000 { first.acknowledge(seq) }
    for number in UInt64(0)..<UInt64(AckSet.mostRanges + 50) {
      first.acknowledge(5002 + 2 * number)
    }
    let epoch = AckSet.EpochID(store: first.journal.store, epoch: first.journal.epoch)
    try first.store.saveCursors()

    let second = try StoreUnderTest(disk.afterKill())
    for test in [first, second] {
      let known = test.journal.index(of: .data).withLock { $0.acknowledged[province] }
      #expect(known?.covers(epoch, 1...5000) == true)
      #expect(known?.count(epoch, in: 1...10_000) == 5000 + UInt64(AckSet.mostRanges) - 1)
    }
  }
}
