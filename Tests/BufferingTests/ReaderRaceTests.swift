import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("A reader beside the writer")
struct ReaderRaceTests {
  @Test("A segment that is completed while a reader is in it is read to its end")
  func completedMeanwhile() throws {
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(
      disk, StoreUnderTest.settings(segments: 20, segmentBytes: 8192))
    for seq in UInt64(1)...10 {
      try test.append(test.sample())
      test.acknowledge(seq)
    }
    // The reader has looked up the segment's end and reads; meanwhile the writer goes on.
    nonisolated(unsafe) let writing = test
    disk.before(.read) { try? writing.fill(segments: 2) }
    let seqs = test.seqs
    #expect(test.segmentCount == 2)
    #expect(seqs == Array(11...test.newestSeq))
    #expect(test.journal.takeHoles().isEmpty)
  }

  @Test("A reader at the writer's heels misses nothing and takes nothing for damaged")
  func atTheHeels() throws {
    // Three or four batches a segment.
    let settings = StoreUnderTest.settings(segments: 100_000, segmentBytes: 4096 + 1600)
    let test = try StoreUnderTest(MemoryStorage(), settings)
    let device = DeviceSchema(name: "d", points: (0..<60).map { "p\($0)" })
    let isDone = Monitor(false)
    nonisolated(unsafe) let writing = test
    try Thread.start(named: "writer") {
      let deadline = ContinuousClock.now + .seconds(2)
      // On a busy machine 2 s may be a few turns.
      var count = 0
      while count < 200 || .now < deadline {
        try? writing.append(writing.sample(of: device))
        count += 1
      }
      isDone.update { $0 = true }
    }
    let reader = test.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    var last: UInt64 = 0
    var missed: [UInt64] = []
    var isLastRound = false
    while !isLastRound {
      isLastRound = isDone.withLock { $0 }
      while let seq = reader.next(before: nil)?.batch.seq {
        if seq != last + 1 { missed += (last + 1)..<seq }
        last = seq
      }
    }
    #expect(missed.isEmpty)
    #expect(last > 100 && last == test.newestSeq)
    #expect(test.journal.takeHoles().isEmpty)
  }

  @Test("What builds on a batch that can't be had for a moment is not taken for damaged")
  func passingReadFailure() throws {
    var generator = SeededGenerator(seed: 12)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk)
    let reader = test.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    try test.append(10, using: &generator)
    while reader.next(before: nil) != nil {}
    try test.append(5, using: &generator)
    disk.fail(.read, code: 5, lasting: true)
    #expect(reader.next(before: nil) == nil)
    disk.heal()
    #expect(test.journal.takeReadFailure() != nil)
    try test.append(100, using: &generator)
    while reader.next(before: nil) != nil {}
    #expect(test.journal.takeHoles().isEmpty)
    #expect(test.seqs == Array(1...115))
  }
}
