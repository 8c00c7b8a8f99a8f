import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("The journal")
struct JournalTests {
  @Test("What is appended is read back as it was, in order, across segments")
  func roundTrip() throws {
    var generator = SeededGenerator(seed: 1)
    let test = try StoreUnderTest(SimulatedDisk(), StoreUnderTest.settings(segments: 100))
    var written: [Sample] = []
    for _ in 0..<500 {
      test.clock.advance(by: 10)
      let sample = RandomSamples.sample(at: test.clock.now(), using: &generator)
      written.append(sample)
      var appended = 0
      try test.store.append(
        [DefinedSample(sample, definitions: test.definitions)], appended: &appended)
      #expect(appended == 1)
    }
    let batches = test.batches(.data)
    #expect(batches.map(\.seq) == Array(1...500))
    let read = batches.flatMap { batch -> [StoredSample] in
      if case .samples(let samples) = batch.body { samples } else { [] }
    }
    #expect(
      read
        == written.map {
          StoredSample(device: $0.device, monotonic: $0.time.monotonic, outcomes: $0.outcomes)
        })
    #expect(test.journal.index(of: .data).withLock { $0.segments.count } > 1)
  }

  @Test("A reader that has reached the end goes on when more is appended")
  func tailing() throws {
    var generator = SeededGenerator(seed: 2)
    let test = try StoreUnderTest(SimulatedDisk())
    let end = test.journal.end(of: .data)
    let reader = test.journal.reader(of: .data, for: StoreUnderTest.province, from: end)
    #expect(reader.next(before: nil) == nil)
    for seq in 1...300 {
      try test.append(1, using: &generator)
      #expect(reader.next(before: nil)?.batch.seq == UInt64(seq))
      #expect(reader.next(before: nil) == nil)
    }
  }

  @Test("A reader stops at its limit, and one that starts there goes on exactly behind it")
  func limits() throws {
    var generator = SeededGenerator(seed: 3)
    let test = try StoreUnderTest(SimulatedDisk())
    try test.append(120, using: &generator)
    let middle = test.journal.end(of: .data)
    try test.append(120, using: &generator)
    let before = test.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    var seqs: [UInt64] = []
    while let next = before.next(before: middle) { seqs.append(next.batch.seq) }
    #expect(seqs == Array(1...120))
    let after = test.journal.reader(of: .data, for: StoreUnderTest.province, from: middle)
    #expect(after.next(before: nil)?.batch.seq == 121)
  }

  @Test("Acknowledged batches are not read again, also after a restart")
  func acknowledged() throws {
    var generator = SeededGenerator(seed: 4)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk)
    try test.append(100, using: &generator)
    for batch in test.batches(.data) where batch.seq % 3 != 0 {
      test.journal.acknowledge(batch.identity, by: StoreUnderTest.province)
    }
    let left = (1...100).filter { $0 % 3 == 0 }.map(UInt64.init)
    #expect(test.batches(.data).map(\.seq) == left)
    #expect(test.journal.summary(of: .data, for: StoreUnderTest.province).unsent == left.count)
    try test.store.close(reason: "test")
    try test.store.seal()

    let next = try StoreUnderTest(disk.afterKill())
    #expect(next.batches(.data).map(\.seq) == left)
    #expect(next.batches(.data).allSatisfy { $0.identity.epoch == 1 })
  }

  @Test("Each start is an epoch of its own; an orderly one says so and leaves no gap")
  func cleanRestart() throws {
    var generator = SeededGenerator(seed: 5)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(3, using: &generator)
    try first.store.close(reason: "SIGTERM")
    try first.store.seal()

    let second = try StoreUnderTest(disk.afterKill())
    try second.append(1, using: &generator)
    let store = hexadecimal(first.journal.store, digits: 16)
    #expect(second.journal.store == first.journal.store)
    #expect(second.journal.epoch == 2)
    #expect(
      second.events("start").last
        == #""agent":"test","previous":[{"store":"\#(store)","epoch":1,"#
        + #""last":{"events":2,"data":3},"clean":true}]"#)
    #expect(second.events("gap").isEmpty)
    #expect(second.batches(.data).map(\.identity.epoch) == [1, 1, 1, 2])
    #expect(second.batches(.data).map(\.seq) == [1, 2, 3, 1])
  }

  @Test("After a kill the start says unclean, and a gap event spans what may be missing")
  func uncleanRestart() throws {
    var generator = SeededGenerator(seed: 6)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(3, using: &generator)
    let last = first.clock.now().wall

    let clock = ManualClock()
    clock.advance(by: 100_000)
    let second = try StoreUnderTest(disk.afterKill(), clock: clock)
    try second.append(1, using: &generator)
    #expect(second.events("start").last?.contains(#""clean":false"#) == true)
    #expect(
      second.events("gap") == [
        #""stream":"data","from":\#(last),"to":\#(clock.now().wall),"reason":"unclean-stop""#
      ])
  }

  @Test("A start that died before its start event was durable is told by the next one")
  func untoldStart() throws {
    let disk = SimulatedDisk()
    _ = try StoreUnderTest(disk)
    // The second start fails when it appends its start event.
    let crashing = disk.afterKill()
    crashing.fail(.sync, after: 2, code: 5, lasting: true)
    #expect(throws: JournalError.self) { try StoreUnderTest(crashing) }
    let third = try StoreUnderTest(crashing.afterKill())
    #expect(third.journal.epoch == 3)
    let start = third.events("start").last ?? ""
    #expect(start.contains(#""epoch":1"#))
    #expect(start.contains(#""epoch":2"#))
  }

  @Test("Where the record of epochs is unreadable the store gets a new id and keeps its batches")
  func lostRecord() throws {
    var generator = SeededGenerator(seed: 7)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(5, using: &generator)
    let next = disk.afterKill()
    for copy in ["store/epoch.0", "store/epoch.1"] {
      next.damage(copy) { $0[9] ^= 0xFF }
    }
    let second = try StoreUnderTest(next)
    try second.append(1, using: &generator)
    #expect(second.journal.store != first.journal.store)
    #expect(second.journal.epoch == 1)
    let stores = second.batches(.data).map(\.identity.store)
    #expect(stores == Array(repeating: first.journal.store, count: 5) + [second.journal.store])
    #expect(
      second.events("start").last?.contains(hexadecimal(first.journal.store, digits: 16)) == true)
  }

  @Test(
    "Damage in the middle costs what it hit and what builds on that, and one gap names exactly it")
  func damageInTheMiddle() throws {
    var generator = SeededGenerator(seed: 8)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(120, using: &generator)
    let reader = first.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    var starts: [LogPosition] = []
    while let next = reader.next(before: nil) { starts.append(next.start) }
    let next = disk.afterKill()
    next.damage("store/data/00000001.seg") { $0[Int(starts[9].offset) + 12] ^= 0x10 }

    let second = try StoreUnderTest(next)
    let found = second.batches(.data).map(\.seq)
    let missing = Set(1...120).subtracting(found)
    let end = missing.max() ?? 0
    #expect(missing == Set(10...end))
    // Up to the next key: 4096 bytes of frames.
    #expect(end > 10 && end < 100)
    try second.store.explainHoles()
    let store = hexadecimal(first.journal.store, digits: 16)
    #expect(
      second.events("gap").contains(
        #""stream":"data","store":"\#(store)","epoch":1,"from-seq":10,"to-seq":\#(end),"#
          + #""count":\#(end - 9),"reason":"damaged""#))
    #expect(second.events("gap").filter { $0.contains("damaged") }.count == 1)
    // Appending goes on in a fresh segment: a frame that was lost must not come back.
    try second.append(1, using: &generator)
    #expect(second.batches(.data).last?.seq == 1)
  }

  @Test("Damage in a sealed segment is found on reading and explained once for two destinations")
  func damageInSealedSegment() throws {
    var generator = SeededGenerator(seed: 9)
    let disk = SimulatedDisk()
    let group = DestinationName("group")
    let settings = StoreUnderTest.settings(destinations: [StoreUnderTest.province, group])
    let first = try StoreUnderTest(disk, settings)
    try first.append(600, using: &generator)
    disk.damage("store/data/00000001.seg") { bytes in
      for index in 8000..<8600 { bytes[index] = 0xA5 }
    }
    let seen = first.batches(.data).map(\.seq)
    #expect(first.batches(.data, for: group).map(\.seq) == seen)
    #expect(seen.count < 600 && seen.count > 500)
    try first.store.explainHoles()
    let missing = Set(1...600).subtracting(seen)
    let from = missing.min() ?? 0
    let to = missing.max() ?? 0
    #expect(Set(from...to) == missing)
    let gaps = first.events("gap")
    #expect(gaps.count == 1)
    #expect(gaps.first?.contains(#""from-seq":\#(from),"to-seq":\#(to)"#) == true)
  }

  @Test("A file that is no segment is put aside, named in an event, and stops nothing")
  func unreadableFile() throws {
    var generator = SeededGenerator(seed: 10)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(600, using: &generator)
    let next = disk.afterKill()
    next.damage("store/data/00000001.seg") { bytes in bytes[3] ^= 0xFF }
    let second = try StoreUnderTest(next)
    #expect(next.paths.contains("store/data/00000001.seg.bad"))
    #expect(second.events("store").first?.contains("put-aside") == true)
    #expect(!second.batches(.data).isEmpty)
    try second.append(1, using: &generator)
  }

  @Test("Definitions are kept as long as batches refer to them")
  func definitions() throws {
    var generator = SeededGenerator(seed: 11)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(2, using: &generator)
    let old = StoreUnderTest.settings().definitionsDigest
    let changed = StoreUnderTest.settings(definitions: Array(#"{"v":1,"x":2}"#.utf8))
    let second = try StoreUnderTest(disk.afterKill(), changed)
    try second.append(2, using: &generator)
    #expect(
      second.batches(.data).map(\.definitions) == [
        old, old, changed.definitionsDigest, changed.definitionsDigest,
      ])
    #expect(second.journal.definitions()[old] == StoreUnderTest.definitions)
    #expect(second.journal.definitions()[changed.definitionsDigest] == changed.definitions)
  }
}
