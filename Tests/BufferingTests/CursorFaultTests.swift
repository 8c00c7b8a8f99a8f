import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Cursors that can't be saved", .ownThread)
struct CursorFaultTests {
  let disk = SimulatedDisk()
  let clock = ManualClock()
  let faults = StoreFaults()

  /// Appends a sample, and acknowledges its batch once it can be read.
  private func deliver(_ reader: any BatchReader, of writer: JournalWriter) throws {
    clock.advance(by: 1000)
    let sample = Sample(
      device: RandomSamples.devices[0], time: clock.now(),
      outcomes: [PointOutcome(point: 0, outcome: .good(.int(1)))])
    writer.ring.accept(
      DefinedSample(sample, definitions: StoreUnderTest.settings().definitionsDigest))
    try waitUntil("it can be read") {
      guard let batch = reader.next(before: nil)?.batch else { return false }
      writer.journal.acknowledge(batch.identity, by: StoreUnderTest.province)
      return true
    }
  }

  @Test("A run that ends after a few seconds is not sent again as a whole")
  func shortRun() throws {
    let writer = try JournalWriter(
      StoreUnderTest.settings(), storage: disk, ring: SampleRing(), clock: clock,
      observer: faults, cursorSeconds: 3600)
    try writer.start()
    let reader = writer.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    for _ in 0..<3 { try deliver(reader, of: writer) }
    try waitUntil("a kill leaves nothing to be sent again") {
      let next = try StoreUnderTest(disk.afterKill())
      return next.journal.summary(of: .data, for: StoreUnderTest.province).unsent == 0
    }
    #expect(writer.flush(within: patienceSeconds, reason: "test"))
    #expect(writer.seal(within: patienceSeconds))
  }

  @Test("A record whose directory was deleted is not written into the void")
  func deleted() throws {
    let directory = try TemporaryDirectory()
    let store = directory.file("cursors")
    let storage = DiskStorage()
    try storage.createDirectory(store)
    var record = DurableRecord(storage: storage, path: store + "/province")
    // Both files are open from then on.
    for byte in 1...4 { try record.save([UInt8(byte)]) }
    for name in try storage.list(store) { try storage.remove(store + "/" + name) }
    try #require(rmdir(store) == 0)
    for _ in 1...2 { #expect(throws: SystemError.self) { try record.save([5]) } }
    try storage.createDirectory(store)
    for byte in 6...7 { try record.save([UInt8(byte)]) }
    var again = DurableRecord(storage: storage, path: store + "/province")
    #expect(again.load() == .payload([7]))
  }

  @Test("The fault stands although batches are taken, until the cursors are saved")
  func stands() throws {
    let writer = try JournalWriter(
      StoreUnderTest.settings(), storage: disk, ring: SampleRing(), clock: clock,
      observer: faults,
      cursorSeconds: 0.02)
    try writer.start()
    let reader = writer.journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    try deliver(reader, of: writer)
    disk.fail(.write, code: 28, lasting: true, in: "cursors")
    try deliver(reader, of: writer)
    try waitUntil("the fault is told") { faults.faults.withLock { $0.last ?? nil } != nil }
    for _ in 0..<10 { try deliver(reader, of: writer) }
    #expect(faults.faults.withLock { $0.count } == 1, "told once, and never ok")
    disk.heal()
    try waitUntil("it heals, though nothing more is acknowledged") {
      faults.faults.withLock { $0.last ?? "never" } == nil
    }
    #expect(writer.flush(within: patienceSeconds, reason: "SIGTERM"))
    #expect(writer.seal(within: patienceSeconds))
    #expect(faults.faults.withLock { $0.count } == 2)
  }
}
