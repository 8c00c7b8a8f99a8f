import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("What recovery has to explain")
struct RecoveryTests {
  let clock = ManualClock()

  func open(_ disk: SimulatedDisk, segments: Int = 20) throws -> StoreUnderTest {
    try StoreUnderTest(
      disk, StoreUnderTest.settings(segments: segments, segmentBytes: 8192), clock: clock)
  }

  /// A store with this many data segments whose epoch has ended in order.
  func ended(segments: Int) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    let test = try open(disk)
    try test.fill(segments: segments)
    try test.end()
    return disk.afterKill()
  }

  @Test("A power cut right after a segment was begun leaves a gap from the last sample on")
  func powerCutAfterRoll() throws {
    var losses = 0
    for seed in UInt64(0)..<40 {
      var generator = SeededGenerator(seed: seed)
      let disk = SimulatedDisk()
      let test = try open(disk)
      try test.fill(segments: 2)
      let written = test.newestSeq
      let newest = clock.now().wall

      let next = try open(disk.afterPowerCut(using: &generator))
      let kept = next.seqs.last ?? 0
      try next.append(next.sample())
      if kept < written { losses += 1 }
      // Batches are a second apart, and no more than the last one can be lost.
      let from = newest - Int64(written - kept) * 1000
      #expect(next.gaps(.uncleanStop).map(\.times) == [from...clock.now().wall], "seed \(seed)")
    }
    #expect(losses > 0 && losses < 40)
  }

  @Test(
    "Every batch below a damaged segment header is explained, wherever it stands", arguments: 0..<4)
  func damagedHeader(position: Int) throws {
    let disk = try ended(segments: 4)
    let written = try open(disk.afterKill()).seqs
    disk.damage(disk.dataSegments[position]) { $0[9] ^= 1 }
    let next = try open(disk)
    let kept = next.seqs
    try next.store.explainHoles()
    #expect(written == Array(1...(written.last ?? 0)))
    #expect(kept.count < written.count)
    #expect(next.explained(by: .damaged).sorted() == written.filter { !kept.contains($0) })
    let unsent = next.journal.summary(of: .data, for: StoreUnderTest.province).unsent
    #expect(unsent == kept.count)
  }

  /// Opens `disk` with one read failing, so that the last data segment is not known.
  func openedBlind(_ disk: SimulatedDisk) throws -> StoreUnderTest {
    for reads in 0..<40 {
      let copy = disk.afterKill()
      copy.fail(.read, after: reads, code: 5)
      guard let next = try? open(copy, segments: 4), next.events("store").isEmpty,
        next.journal.index(of: .data).withLock({ $0.segments.contains { !$0.isKnown } })
      else { continue }
      return next
    }
    throw MalformedBytes(description: "no failing read left a segment unknown")
  }

  @Test(
    "A segment that could not be read at the start is read later, and its eviction is explained")
  func unknownSegmentIsEvicted() throws {
    let disk = SimulatedDisk()
    let first = try open(disk, segments: 4)
    try first.fill(segments: 2)
    for _ in 0..<10 { try first.append(first.sample()) }
    try first.store.commit()
    let written = first.newestSeq

    let next = try openedBlind(disk.afterKill())
    #expect(next.seqs == Array(1...written))
    while next.journal.index(of: .data).withLock({ $0.segments.contains { !$0.isKnown } }) {
      try next.append(next.sample())
    }
    #expect(next.batches(.data).allSatisfy { $0.identity.epoch == 2 })
    #expect(Set(next.explained(by: .evicted)).isSuperset(of: 1...written))
  }

  @Test("What a passing fault hid at the start of a store that ended in order is not given up")
  func unknownSegmentAfterOrderlyEnd() throws {
    let disk = SimulatedDisk()
    let first = try open(disk, segments: 4)
    try first.fill(segments: 2)
    for _ in 0..<10 { try first.append(first.sample()) }
    try first.end()
    let written = first.newestSeq

    let next = try openedBlind(disk.afterKill())
    try next.store.explainHoles()
    #expect(next.seqs == Array(1...written))
    #expect(next.gaps.isEmpty)
  }

  @Test("Damage is explained once, and is nobody's backlog from then on")
  func damageIsExplainedOnce() throws {
    let disk = SimulatedDisk()
    let first = try open(disk)
    try first.fill(segments: 3)
    try first.store.commit()
    let restarted = disk.afterKill()
    restarted.damage(restarted.dataSegments[0]) { $0[5000] ^= 0xFF }
    for start in 0..<3 {
      let next = try open(restarted)
      for batch in next.batches(.data) {
        next.journal.acknowledge(batch.identity, by: StoreUnderTest.province)
      }
      try next.store.explainHoles()
      try next.store.saveCursors()
      let unsent = next.journal.summary(of: .data, for: StoreUnderTest.province).unsent
      #expect(unsent == 0, "start \(start)")
      #expect(next.gaps(.damaged).count == 1, "start \(start)")
    }
  }

  @Test("An orderly run without a sample still explains the unclean stop before it")
  func orderlyRunWithoutSamples() throws {
    var generator = SeededGenerator(seed: 3)
    let disk = SimulatedDisk()
    let first = try open(disk)
    try first.append(10, using: &generator)
    try first.store.commit()
    let last = clock.now().wall
    let restarted = disk.afterPowerCut(using: &generator)
    clock.advance(by: 60_000)
    try open(restarted).end()
    let end = clock.now().wall
    let third = try open(restarted.afterKill())
    try third.append(2, using: &generator)
    #expect(third.gaps(.uncleanStop).map(\.times) == [last...end])
  }

  @Test("A kill before the first sample was written is explained from the first start on")
  func killBeforeTheFirstSample() throws {
    var generator = SeededGenerator(seed: 4)
    let disk = SimulatedDisk()
    let start = clock.now().wall
    _ = try open(disk)
    clock.advance(by: 5000)
    let next = try open(disk.afterKill())
    try next.append(1, using: &generator)
    #expect(next.gaps(.uncleanStop).map(\.times) == [start...clock.now().wall])
  }
}
