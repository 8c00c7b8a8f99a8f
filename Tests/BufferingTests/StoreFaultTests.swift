import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("A store that fails for a while")
struct StoreFaultTests {
  func alarm(_ number: Int, at time: Timestamp) -> Event {
    Event(
      time: time, severity: .alarm, source: "d\(number)",
      detail: .device(StateDetail(state: "lost")))
  }

  @Test("Events beyond what can wait are counted: what is kept and what gaps name make up all")
  func postponedEvents() throws {
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(
      disk, StoreUnderTest.settings(segments: 50, segmentBytes: 64 * 1024))
    disk.fail(.write, code: 5, lasting: true)
    let first = test.clock.now().wall
    for round in 0..<60 {
      let events = (0..<50).map { number in
        test.clock.advance(by: 1)
        return alarm(50 * round + number, at: test.clock.now())
      }
      #expect(throws: AppendError.self) { try test.store.append(events) }
    }
    disk.heal()
    try test.store.append([])

    let kept = test.events("device").count
    #expect(kept == PostponedEvents.most)
    let gap = try #require(test.gaps.first)
    #expect(test.gaps.count == 1)
    #expect(gap.reason == "overrun" && gap.stream == "events")
    #expect(gap.count == 3000 - kept)
    #expect(gap.times == first + 1...first + Int64(3000 - kept))
  }

  @Test(
    "Batches whose sync failed are written again elsewhere under their names, and outlive a cut",
    arguments: 0..<30)
  func failedSync(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk)
    try test.append(5, using: &generator)
    try test.store.commit()
    try test.append(30, using: &generator)
    disk.fail(.sync, code: 5)
    #expect(throws: AppendError.self) { try test.store.commit() }
    try test.append(5, using: &generator)
    try test.store.commit()
    #expect(test.seqs == Array(1...40))

    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator))
    // What stood in the pages that were not synced may have survived as well.
    #expect(Set(next.seqs) == Set(1...40))
    // Or in part; that says nothing of what was written again.
    try next.store.explainHoles()
    #expect(Set(next.seqs) == Set(1...40))
    #expect(next.gaps(.storeFailed).isEmpty && next.gaps(.damaged).isEmpty)
  }

  @Test(
    "Batches written again elsewhere count as kept where the segment was begun by an earlier run",
    arguments: 0..<30)
  func failedSyncInOlderSegment(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(5, using: &generator)
    try first.end()
    let test = try StoreUnderTest(disk, clock: first.clock)
    try test.append(30, using: &generator)
    disk.fail(.sync, code: 5)
    #expect(throws: AppendError.self) { try test.store.commit() }
    try test.store.commit()

    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator), clock: first.clock)
    try next.store.explainHoles()
    let epoch = test.journal.epoch
    let kept = next.batches(.data).map(\.identity).filter { $0.epoch == epoch }.map(\.seq)
    #expect(Set(kept) == Set(1...30))
    #expect(next.gaps(.damaged).isEmpty)
  }

  @Test("A failed write gives up the segment, and what in it was not synced is written again")
  func failedWrite() throws {
    var generator = SeededGenerator(seed: 1)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk)
    try test.append(10, using: &generator)
    try test.store.commit()
    try test.append(20, using: &generator)
    disk.fail(.write, code: 5)
    #expect(throws: AppendError.self) { try test.append(1, using: &generator) }
    try test.append(5, using: &generator)
    try test.store.commit()
    #expect(test.seqs == Array(1...35))
    #expect(test.gaps.isEmpty)
    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator))
    #expect(Set(next.seqs) == Set(1...35))
    #expect(next.gaps(.damaged).isEmpty)
  }

  @Test("A sync that fails where a segment ends is mended like any other")
  func failedSyncAtRoll() throws {
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk, StoreUnderTest.settings(segmentBytes: 8192))
    try test.append(test.sample())
    try test.store.commit()
    disk.fail(.sync, code: 5)
    #expect(throws: AppendError.self) { try test.fill(segments: 2) }
    try test.append(test.sample())
    #expect(test.newestSeq > 10)
    #expect(test.seqs == Array(1...test.newestSeq))
    #expect(test.gaps.isEmpty)
  }

  @Test("While not even another segment can be written, all waits, and then nothing is missing")
  func failsForAWhile() throws {
    var generator = SeededGenerator(seed: 2)
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk)
    try test.append(10, using: &generator)
    try test.store.commit()
    try test.append(10, using: &generator)
    disk.fail(.sync, code: 5, lasting: true)
    for _ in 0..<5 { #expect(throws: AppendError.self) { try test.store.commit() } }
    #expect(test.seqs == Array(1...10))
    disk.heal()
    try test.store.mend()
    #expect(test.seqs == Array(1...20))
    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator))
    #expect(Set(next.seqs) == Set(1...20))
    #expect(next.gaps(.damaged).isEmpty)
  }

  @Test("Events whose sync failed are written once more")
  func failedSyncOfEvents() throws {
    let disk = SimulatedDisk()
    let test = try StoreUnderTest(disk)
    disk.fail(.sync, code: 5)
    let event = alarm(1, at: test.clock.now())
    #expect(throws: AppendError.self) { try test.store.append([event]) }
    try test.store.append([])
    #expect(test.events("device").count == 1)
    #expect(test.gaps.isEmpty)
  }

  /// A store of three data segments.
  func threeSegments(_ disk: SimulatedDisk) throws -> StoreUnderTest {
    let test = try StoreUnderTest(
      disk, StoreUnderTest.settings(segments: 20, segmentBytes: 8192))
    try test.fill(segments: 3)
    return test
  }

  @Test("A read that fails once is tried again, and nothing is taken for damaged")
  func readFailsOnce() throws {
    let disk = SimulatedDisk()
    let test = try threeSegments(disk)
    disk.fail(.read, code: 5)
    #expect(test.seqs == Array(1...test.newestSeq))
    #expect(test.journal.takeReadFailure() == nil)
    try test.store.explainHoles()
    #expect(test.gaps.isEmpty)
  }

  @Test(
    "What can't be read for a while is reported, stays unsent, and is read when the disk is back")
  func readFailsForAWhile() throws {
    let disk = SimulatedDisk()
    let test = try threeSegments(disk)
    disk.fail(.read, code: 5, lasting: true)
    #expect(test.seqs.isEmpty)
    #expect(test.journal.takeReadFailure()?.code == 5)
    disk.heal()
    try test.store.explainHoles()
    #expect(test.gaps.isEmpty)
    #expect(test.seqs == Array(1...test.newestSeq))
  }
}
