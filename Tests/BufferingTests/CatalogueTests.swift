import TestSupport
import Testing

@testable import Buffering

@Suite("Opening a store of many epochs")
struct CatalogueTests {
  static let settings = StoreUnderTest.settings(segments: 200, segmentBytes: 8192)

  /// A store in which nearly every segment saw an epoch end.
  func store(epochs: Int) throws -> (disk: SimulatedDisk, clock: ManualClock, samples: Int) {
    var disk = SimulatedDisk()
    let clock = ManualClock()
    var samples = 0
    for _ in 0..<epochs {
      let test = try StoreUnderTest(disk, Self.settings, clock: clock)
      let target = test.segmentCount + 1
      while test.segmentCount < target {
        try test.append(test.sample())
        samples += 1
      }
      try test.end()
      disk = disk.afterKill()
    }
    return (disk, clock, samples)
  }

  @Test("A segment that is full is read once, not at every start")
  func readsOnce() throws {
    let (disk, clock, samples) = try store(epochs: 40)
    let reads = disk.count(of: .read)
    let test = try StoreUnderTest(disk, Self.settings, clock: clock)
    let files = disk.paths.filter { $0.hasSuffix(".seg") }.count
    #expect(files > 40)
    // Each header, the tails, and the small records.
    #expect(disk.count(of: .read) - reads < files + 20)
    #expect(test.sampleCount == samples)
    #expect(test.journal.takeHoles().isEmpty)
  }

  @Test("Where the record of them is damaged or lost they are read again")
  func damaged() throws {
    let (disk, clock, samples) = try store(epochs: 6)
    for path in disk.paths where path.hasPrefix("store/segments.") {
      disk.damage(path) { $0[40] ^= 1 }
    }
    let test = try StoreUnderTest(disk, Self.settings, clock: clock)
    #expect(test.sampleCount == samples)
    #expect(test.gaps.isEmpty)
  }

  @Test("Damage in a segment that is not read at the start is named on reading, wherever it is")
  func damagedLater() throws {
    let (disk, clock, samples) = try store(epochs: 3)
    let path = try #require(disk.dataSegments.dropFirst().first)
    for offset in stride(from: SegmentHeader.bytes, to: 8192, by: 100) {
      let copy = disk.afterKill()
      _ = try StoreUnderTest(copy, Self.settings, clock: clock)
      copy.damage(path) { bytes in
        for index in offset..<min(offset + 300, bytes.count) { bytes[index] = 0 }
      }
      let test = try StoreUnderTest(copy, Self.settings, clock: clock)
      let kept = test.batches(.data).count
      try test.store.explainHoles()
      #expect(test.gaps(.damaged).compactMap(\.count).reduce(kept, +) == samples, "\(offset)")
      #expect(test.journal.summary(of: .data, for: StoreUnderTest.province).unsent == kept)
    }
  }

  @Test("The record comes back as it was written")
  func roundTrip() throws {
    let (disk, clock, _) = try store(epochs: 5)
    let test = try StoreUnderTest(disk, Self.settings, clock: clock)
    var file = DurableRecord(storage: disk, path: "store/segments")
    let kept = JournalStore.catalogue(&file)
    #expect(kept.entries.count >= 4)
    #expect(try SegmentCatalogue(#require(kept.encoded())) == kept)
    #expect(test.journal.usedBytes(of: .data) > 0)
  }
}
