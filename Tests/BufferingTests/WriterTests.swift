import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

/// Remembers what it was told.
final class StoreFaults: StoreObserver {
  let faults = Monitor<[String?]>([])
  func store(changedTo fault: String?) { faults.withLock { $0.append(fault) } }
}

@Suite("The journal's writer", .ownThread)
struct WriterTests {
  let clock = ManualClock()
  let faults = StoreFaults()

  func writer(_ disk: any Storage, ring: SampleRing = SampleRing()) throws -> JournalWriter {
    try JournalWriter(
      StoreUnderTest.settings(), storage: disk, ring: ring, clock: clock,
      observer: faults)
  }

  func sample(_ index: Int) -> Sample {
    clock.advance(by: 1000)
    return Sample(
      device: RandomSamples.devices[0], time: clock.now(),
      outcomes: [PointOutcome(point: 0, outcome: .good(.int(Int64(index))))])
  }

  func defined(_ index: Int) -> DefinedSample {
    DefinedSample(sample(index), definitions: StoreUnderTest.settings().definitionsDigest)
  }

  /// Waits until `count` samples can be read.
  func samples(_ count: Int, of journal: Journal) throws -> [StoredSample] {
    var samples: [StoredSample] = []
    let reader = journal.reader(of: .data, for: StoreUnderTest.province, from: .start)
    try waitUntil("\(count) samples in the journal") {
      while let next = reader.next(before: nil) {
        if case .samples(let more) = next.batch.body { samples += more }
      }
      return samples.count >= count
    }
    return samples
  }

  @Test(
    "What goes into the ring is appended, readers are woken, and a stop ends the epoch in order")
  func wholeWay() throws {
    let disk = SimulatedDisk()
    let writer = try writer(disk)
    let wake = try EventFD()
    writer.journal.wake(wake)
    try writer.start()
    for index in 0..<100 { writer.ring.accept(defined(index)) }
    let read = try samples(100, of: writer.journal)
    #expect(read.map { $0.outcomes[0].outcome } == (0..<100).map { .good(.int(Int64($0))) })
    let start = ContinuousClock.now
    wake.wait(forMilliseconds: 20_000)
    #expect(ContinuousClock.now - start < .seconds(10), "readers were not woken")
    #expect(writer.flush(within: 10, reason: "SIGTERM"))
    #expect(writer.seal(within: 10))
    let next = try StoreUnderTest(disk.afterKill())
    #expect(next.events("stop") == [#""reason":"SIGTERM""#])
    #expect(next.events("start").last?.contains(#""clean":true"#) == true)
    #expect(next.events("clock").count == 1)
  }

  @Test("A destination that is gone keeps no descriptor open")
  func waker() throws {
    let writer = try writer(SimulatedDisk())
    weak var gone: EventFD?
    do {
      let descriptor = try EventFD()
      gone = descriptor
      writer.journal.wake(descriptor)
    }
    #expect(gone == nil)
    let wake = try EventFD()
    writer.journal.wake(wake)
    writer.journal.wakeReaders()
    var entry = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&entry, 1, 0) == 1)
  }

  @Test("A disk that takes nothing for a while costs nothing that the ring can hold")
  func failingWrites() throws {
    let disk = SimulatedDisk()
    let writer = try writer(disk)
    try writer.start()
    writer.ring.accept(defined(0))
    _ = try samples(1, of: writer.journal)
    disk.fail(.write, code: 28, lasting: true)
    for index in 1..<20 { writer.ring.accept(defined(index)) }
    try waitUntil("the fault") { faults.faults.withLock { $0.last ?? nil } != nil }
    disk.heal()
    let read = try samples(20, of: writer.journal)
    #expect(read.map { $0.outcomes[0].outcome } == (0..<20).map { .good(.int(Int64($0))) })
    #expect(writer.flush(within: 10, reason: "test"))
    #expect(writer.seal(within: 10))
    let told = faults.faults.withLock { $0 }
    #expect(told.first??.contains("No space left") == true)
    #expect(told.last == .some(nil))
  }

  @Test("A full ring keeps the newest and accounts for what it dropped")
  func overrun() throws {
    let ring = SampleRing(limits: SampleRing.Limits(points: 10, events: 5))
    for index in 0..<25 { ring.accept(defined(index)) }
    let last = clock.now()
    let content = ring.take(atMost: 0)
    #expect(content.samples.count == 10)
    #expect(content.samples.last?.sample.time == last)
    #expect(
      content.overruns[.data]
        == SampleRing.Overrun(
          stream: .data, count: 15, first: last.advanced(by: -24_000),
          last: last.advanced(by: -10_000)))
    #expect(ring.take(atMost: 0).isIdle)
  }

  @Test("A stepped clock closes the batch, so that one offset dates all of it")
  func clockSteps() {
    var samples = [defined(0), defined(1)]
    clock.step(by: 5)
    samples.append(defined(2))
    clock.step(by: 3_600_000)
    samples.append(defined(3))
    clock.step(by: 0, to: .unsynced)
    samples.append(defined(4))
    let pieces = BatchSplitter.pieces(of: samples, boot: StoreUnderTest.boot)
    #expect(pieces.map(\.range) == [0..<3, 3..<4, 4..<5])
  }

  @Test("The clock's first reading, its steps and its synchronisation are events; slewing is none")
  func clockEvents() throws {
    var watch = ClockWatch(boot: StoreUnderTest.boot)
    let first = watch.observe(clock.now())
    #expect(first != nil)
    clock.step(by: 9)
    let slewed = watch.observe(clock.now())
    #expect(slewed == nil)
    clock.step(by: 2)
    let stepped = watch.observe(clock.now())
    let step = try #require(stepped)
    guard case .clock(let detail) = step.detail else {
      Issue.record("not a clock event")
      return
    }
    #expect(detail.step == 11)
    clock.step(by: 0, to: .unsynced)
    let lost = watch.observe(clock.now())
    #expect(lost?.severity == .warning)
  }

  @Test("A second agent is refused the store while the first lives, and told its process id")
  func lock() throws {
    let directory = try TemporaryDirectory()
    let settings = JournalSettings(
      directory: directory.path + "/store", dataBytes: 4 << 20, eventsBytes: 2 << 20,
      commitMilliseconds: 1000, destinations: [], definitions: [], agentVersion: "test",
      boot: StoreUnderTest.boot)
    func open() throws -> JournalWriter {
      try JournalWriter.open(settings, ring: SampleRing(), clock: clock, observer: faults)
    }
    var first: JournalWriter? = try open()
    do {
      _ = try open()
      Issue.record("two agents share a store")
    } catch let error as JournalError {
      #expect(error.description.hasSuffix("held by another agent, process \(processID())"))
    }
    #expect(first != nil)
    first = nil
    // Another test's child holds a copy of the descriptor between its fork and its exec.
    try waitUntil("the lock is free") { (try? open()) != nil }
  }
}
