import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("A full journal")
struct RecyclingTests {
  @Test("Acknowledged segments are used again without a word, and no file is added beyond the cap")
  func recyclesAcknowledged() throws {
    var generator = SeededGenerator(seed: 1)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 4))
    for round in 0..<40 {
      try test.append(50, using: &generator)
      let batches = test.batches(.data)
      #expect(batches.map(\.seq) == (1...50).map { UInt64(round * 50 + $0) })
      for batch in batches { test.journal.acknowledge(batch.identity, by: StoreUnderTest.province) }
    }
    #expect(disk.paths.filter { $0.hasPrefix("store/data/") }.count == 4)
    #expect(test.events("gap").isEmpty)
  }

  @Test("What nobody took is evicted oldest first, and durable gap events name exactly what went")
  func evicts() throws {
    var generator = SeededGenerator(seed: 2)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 4))
    try test.append(2000, using: &generator)
    let kept = test.batches(.data).map(\.seq)
    let oldest = try #require(kept.first)
    #expect(kept == Array(oldest...2000))
    let gaps = test.events("gap")
    #expect(gaps.first?.contains(#""from-seq":1,"#) == true)
    #expect(gaps.last?.contains(#""to-seq":\#(oldest - 1),"#) == true)
    #expect(gaps.allSatisfy { $0.contains(#""reason":"evicted""#) })

    // A power cut right now: whatever went is still explained.
    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator))
    #expect(next.events("gap").filter { $0.contains("evicted") } == gaps)
  }

  @Test("A destination that has everything is not named in the gap of one that has not")
  func evictsForOne() throws {
    var generator = SeededGenerator(seed: 3)
    let group = DestinationName("group")
    let settings = StoreUnderTest.settings(
      segments: 3, destinations: [StoreUnderTest.province, group])
    let test = try StoreUnderTest(SimulatedDisk(), settings)
    for _ in 0..<60 {
      try test.append(20, using: &generator)
      for batch in test.batches(.data) {
        test.journal.acknowledge(batch.identity, by: StoreUnderTest.province)
      }
    }
    let gaps = test.events("gap")
    #expect(!gaps.isEmpty)
    #expect(gaps.allSatisfy { $0.contains(#""destinations":["group"]"#) })
  }

  @Test("A full events stream explains its own eviction before the room is used again")
  func evictsEvents() throws {
    let test = try StoreUnderTest(SimulatedDisk(), StoreUnderTest.settings(segments: 2))
    for index in 0..<800 {
      test.clock.advance(by: 1000)
      try test.store.append([
        Event(
          time: test.clock.now(), severity: .alarm, source: "face-\(index)",
          detail: .device(StateDetail(state: "lost", reason: "timeout")))
      ])
    }
    let seqs = test.batches(.events).map(\.seq)
    let first = try #require(seqs.first)
    #expect(first > 1)
    #expect(seqs == Array(first...(seqs.last ?? 0)))
    #expect(test.events("gap").last?.contains(#""to-seq":\#(first - 1),"#) == true)
  }

  @Test("Cursors are durable before the room of what they cover is used again", arguments: 0..<20)
  func cursorsFirst(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 3))
    for _ in 0..<30 {
      try test.append(30, using: &generator)
      try test.store.commit()
      for batch in test.batches(.data) {
        test.journal.acknowledge(batch.identity, by: StoreUnderTest.province)
      }
    }
    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator))
    // What is still there and counts as unsent must follow on what the cursor covers.
    let left = next.batches(.data).map(\.seq)
    if let first = left.first { #expect(left == Array(first..<first + UInt64(left.count))) }
    #expect(next.events("gap").filter { $0.contains("evicted") }.isEmpty)
  }

  @Test("However many segments a store has, few files are open")
  func fewDescriptors() throws {
    var generator = SeededGenerator(seed: 6)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 60))
    try first.append(3000, using: &generator)
    #expect(first.journal.index(of: .data).withLock { $0.segments.count } > 6)
    #expect(first.batches(.data).count == 3000)
    // Two streams, the record of epochs and the cursors of one destination.
    #expect(disk.openFiles <= 6)
    let restarted = disk.afterKill()
    let second = try StoreUnderTest(restarted, StoreUnderTest.settings(segments: 60))
    #expect(second.batches(.data).count == 3000)
    #expect(restarted.openFiles <= 6)
  }

  @Test("A reader whose segment is recycled goes on with the oldest that is left")
  func readerIsOvertaken() throws {
    var generator = SeededGenerator(seed: 5)
    let test = try StoreUnderTest(SimulatedDisk(), StoreUnderTest.settings(segments: 3))
    try test.append(10, using: &generator)
    let reader = test.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    #expect(reader.next(before: nil)?.batch.seq == 1)
    try test.append(2000, using: &generator)
    var seqs: [UInt64] = []
    while let next = reader.next(before: nil) { seqs.append(next.batch.seq) }
    let first = try #require(seqs.first)
    #expect(first > 10)
    #expect(seqs == Array(first...2010))
  }

  @Test("A prepared file that somebody deletes costs nobody a segment")
  func deletedBlank() throws {
    let disk = SimulatedDisk()
    let settings = StoreUnderTest.settings(segments: 8, segmentBytes: 8192)
    let first = try StoreUnderTest(disk, settings)
    try first.fill(segments: 2)
    try first.end()
    let storage: any Storage = disk
    let file = try storage.open("store/data/00000009.seg", creating: true)
    try file.write([UInt8](repeating: 0, count: 8192), at: 0)
    let test = try StoreUnderTest(disk, settings, clock: first.clock)
    try storage.remove("store/data/00000009.seg")
    for _ in 0..<5000 where test.segmentCount < 8 { try test.append(test.sample()) }
    #expect(test.segmentCount == 8)
    #expect(test.gaps.isEmpty)
  }
}
