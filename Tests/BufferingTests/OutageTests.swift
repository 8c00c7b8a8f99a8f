import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

// One at a time: each waits for retries, and reads the store again and again meanwhile.
@Suite("A disk that fails for a while", .ownThread, .serialized)
struct OutageTests {
  let disk = SimulatedDisk()
  let clock = ManualClock()
  let faults = StoreFaults()
  let province = StoreUnderTest.province

  func begin(_ settings: JournalSettings = StoreUnderTest.settings()) throws -> JournalWriter {
    let writer = try JournalWriter(
      settings, storage: disk, ring: SampleRing(), clock: clock, observer: faults)
    try writer.start()
    return writer
  }

  func accept(_ numbers: ClosedRange<Int>, by writer: JournalWriter, pause: Bool = true) throws {
    let digest = StoreUnderTest.settings().definitionsDigest
    for number in numbers {
      clock.advance(by: 1000)
      let outcome = PointOutcome(point: 0, outcome: .good(.int(Int64(number))))
      let sample = Sample(
        device: RandomSamples.devices[0], time: clock.now(), outcomes: [outcome])
      writer.ring.accept(DefinedSample(sample, definitions: digest))
    }
    guard pause else { return }
    try waitUntil("\(numbers.upperBound) is appended") {
      values(writer.journal).contains(numbers.upperBound)
    }
  }

  /// Every value that can be read, as often as it can be.
  func values(_ journal: Journal, durable: Bool? = nil) -> [Int] {
    var values: [Int] = []
    let reader = journal.reader(of: .data, for: province, from: .start)
    while let batch = reader.next(before: nil)?.batch {
      guard durable == nil || batch.isDurable == durable, case .samples(let samples) = batch.body
      else { continue }
      for outcome in samples.flatMap(\.outcomes) {
        if case .good(.int(let value)) = outcome.outcome { values.append(Int(value)) }
      }
    }
    return values
  }

  func acknowledgeAll(_ journal: Journal) {
    for stream in StreamName.allCases {
      let reader = journal.reader(of: stream, for: province, from: .start)
      while let batch = reader.next(before: nil)?.batch {
        journal.acknowledge(batch.identity, by: province)
      }
    }
  }

  func events(_ type: String, _ journal: Journal) -> [String] {
    var events: [StoredEvent] = []
    let reader = journal.reader(of: .events, for: province, from: .start)
    while let batch = reader.next(before: nil)?.batch {
      if case .events(let more) = batch.body { events += more }
    }
    return events.filter { $0.type == type }.map { String(decoding: $0.details, as: UTF8.self) }
  }

  func gaps(_ journal: Journal) -> [StoredGap] {
    events("gap", journal).map(StoredGap.init(details:))
  }

  func waitForFault() throws {
    try waitUntil("the fault is told") { faults.faults.withLock { $0.last ?? nil } != nil }
  }

  func waitForReturn(_ writer: JournalWriter, to edition: UInt32 = 2) throws {
    try waitUntil("the store is back") {
      writer.journal.edition >= edition && writer.journal.isDurable
        && faults.faults.withLock { $0.last ?? "never" } == nil
    }
  }

  func end(_ writer: JournalWriter) {
    #expect(writer.flush(within: patienceSeconds, reason: "test"))
    #expect(writer.seal(within: patienceSeconds))
  }

  @Test(
    "What can't be written is delivered from RAM, written when the disk is back, and never twice",
    arguments: [(SimulatedDisk.Call.write, Int32(5)), (.write, 30), (.sync, 5)])
  func outage(call: SimulatedDisk.Call, code: Int32) throws {
    let writer = try begin()
    try accept(1...10, by: writer)
    let (store, epoch) = (writer.journal.store, writer.journal.epoch)
    disk.fail(call, code: code, lasting: true)
    try accept(11...30, by: writer)
    try waitForFault()
    #expect(!writer.journal.isDurable)
    #expect(Set(values(writer.journal, durable: false)).isSuperset(of: 11...30))
    #expect(values(writer.journal).sorted() == Array(1...30))
    #expect(writer.journal.epoch == epoch)

    disk.heal()
    try waitForReturn(writer)
    #expect(writer.journal.store == store)
    #expect(writer.journal.epoch > epoch)
    try accept(31...40, by: writer)
    // What a sync never confirmed may stand in its old place as well: a repeat under one name.
    #expect(Set(values(writer.journal, durable: true)) == Set(1...40))
    #expect(gaps(writer.journal).isEmpty)
    #expect(events("start", writer.journal).last?.contains(#""clean":true"#) == true)
    acknowledgeAll(writer.journal)
    #expect(values(writer.journal).isEmpty)
    end(writer)

    let next = try StoreUnderTest(disk.afterKill(), clock: clock)
    #expect(next.events("start").last?.contains(#""clean":true"#) == true)
    #expect(next.seqs.isEmpty)
  }

  @Test("A power cut after the return takes nothing of what was delivered from RAM")
  func cutAfterReturn() throws {
    let writer = try begin()
    try accept(1...10, by: writer)
    disk.fail(.write, code: 5, lasting: true)
    try accept(11...300, by: writer)
    disk.heal()
    try waitForReturn(writer)
    var generator = SeededGenerator(seed: 3)
    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator), clock: clock)
    #expect(Set(values(next.journal)) == Set(1...300))
    #expect(next.gaps(.damaged).isEmpty)
    end(writer)
  }

  @Test("The start that a return begins with is delivered, also when the agent ends before")
  func startAfterReturn() throws {
    let writer = try begin()
    try accept(1...10, by: writer)
    acknowledgeAll(writer.journal)
    disk.fail(.write, code: 5, lasting: true)
    try accept(11...20, by: writer)
    try waitForFault()
    disk.heal()
    try waitForReturn(writer)
    #expect(events("start", writer.journal).count == 1)
    end(writer)
    let next = try StoreUnderTest(disk.afterKill(), clock: clock)
    #expect(next.events("start").count == 2)
    #expect(next.gaps(.damaged).isEmpty)
  }

  @Test("A destination that comes later is told what was delivered from RAM and never written")
  func newcomer() throws {
    let writer = try begin()
    try accept(1...10, by: writer)
    acknowledgeAll(writer.journal)
    let epoch = writer.journal.epoch
    disk.fail(.write, code: 5, lasting: true)
    try accept(11...20, by: writer)
    try waitForFault()
    let last = try #require(writer.journal.newest(of: .data)?.seq)
    acknowledgeAll(writer.journal)
    disk.heal()
    try waitForReturn(writer)
    end(writer)

    let group = DestinationName("group")
    var settings = StoreUnderTest.settings(destinations: [province, group])
    settings.beginnings[group] = .everything
    let next = try StoreUnderTest(disk.afterKill(), settings, clock: clock)
    let got = next.batches(.data, for: group).filter { $0.identity.epoch == epoch }.map(\.seq)
    let told = next.gaps(.beforeDestination).filter { $0.stream == "data" }.compactMap(\.seqs)
    #expect(got.isEmpty || !told.isEmpty)
    #expect(Set(got).union(told.flatMap { Array($0) }).isSuperset(of: 1...last))
  }

  @Test("A store that can't be opened at the start is opened later, and takes over what was read")
  func absentAtStart() throws {
    let first = try StoreUnderTest(disk, clock: clock)
    var generator = SeededGenerator(seed: 1)
    try first.append(5, using: &generator)
    try first.end()
    disk.fail(.open, code: 5, lasting: true)
    let writer = try begin()
    try waitForFault()
    try accept(1...20, by: writer)
    #expect(values(writer.journal, durable: false) == Array(1...20))
    let memory = writer.journal.store
    #expect(memory != first.journal.store)
    disk.heal()
    try waitForReturn(writer)
    #expect(writer.journal.store == first.journal.store)
    #expect(writer.journal.epoch > first.journal.epoch)
    #expect(Set(values(writer.journal, durable: true)).isSuperset(of: 1...20))
    let start = try #require(events("start", writer.journal).last { $0.contains("previous") })
    #expect(gaps(writer.journal).isEmpty, "\(start)")
    let summary = writer.journal.summary(of: .data, for: province)
    #expect(summary.unsent > 5)
    end(writer)
  }

  @Test("A store that somebody deleted is made anew, and a gap names what was lost with it")
  func deleted() throws {
    let writer = try begin()
    try accept(1...10, by: writer)
    acknowledgeAll(writer.journal)
    try accept(11...20, by: writer)
    let (store, seq) = (writer.journal.store, writer.journal.newest(of: .data)?.seq ?? 0)
    disk.delete("store")
    try accept(21...30, by: writer)
    try waitForFault()
    try waitForReturn(writer)
    #expect(writer.journal.store != store)
    try accept(31...40, by: writer)
    #expect(Set(values(writer.journal)).isSuperset(of: 31...40))
    let lost = gaps(writer.journal).filter { $0.stream == "data" }
    #expect(lost.allSatisfy { $0.reason == "store-failed" })
    // Each batch is either there or named.
    let kept = Set(values(writer.journal))
    #expect(kept.isDisjoint(with: 1...10))
    if !kept.isSuperset(of: 11...20) { #expect(lost.contains { ($0.seqs ?? 0...0).contains(seq) }) }
    end(writer)
    let next = try StoreUnderTest(disk.afterKill(), clock: clock)
    #expect(Set(values(next.journal)).isSuperset(of: 31...40))
  }

  @Test("What RAM can't hold is named in gaps; what it holds and they name is all there was")
  func memoryIsBounded() throws {
    var settings = StoreUnderTest.settings(segments: 8, segmentBytes: 8192)
    settings.memoryBytes = 8 * 8192
    let writer = try begin(settings)
    try accept(1...3, by: writer)
    disk.fail(.write, code: 5, lasting: true)
    for first in stride(from: 4, to: 4000, by: 4) {
      try accept(first...first + 3, by: writer, pause: first % 400 == 0)
    }
    try accept(4000...4000, by: writer)
    disk.heal()
    try waitForReturn(writer)
    #expect(writer.journal.usedBytes(of: .data) <= settings.dataBytes)
    let lost = gaps(writer.journal).filter { $0.stream == "data" }
    #expect(!lost.isEmpty)
    #expect(lost.allSatisfy { $0.reason == "store-failed" })
    let reader = writer.journal.reader(of: .data, for: province, from: .start)
    var seqs: Set<UInt64> = []
    while let batch = reader.next(before: nil)?.batch { seqs.insert(batch.seq) }
    let named = Set(lost.compactMap(\.seqs).flatMap(Array.init))
    #expect(seqs.isDisjoint(with: named))
    #expect(seqs.union(named) == Set(1...(seqs.max() ?? 0)))
    end(writer)
    let next = try StoreUnderTest(disk.afterKill(), settings, clock: clock)
    #expect(next.gaps(.damaged).isEmpty)
  }

  @Test("A full disk leaves the live values flowing, and takes them when there is room again")
  func full() throws {
    let settings = StoreUnderTest.settings(segments: 50, segmentBytes: 8192)
    let writer = try begin(settings)
    disk.fail(.rename, code: 28, lasting: true)
    try accept(1...400, by: writer)
    try waitForFault()
    #expect(faults.faults.withLock { ($0.last ?? nil)?.contains("No space left") } == true)
    disk.heal()
    try waitForReturn(writer)
    #expect(Set(values(writer.journal)) == Set(1...400))
    #expect(gaps(writer.journal).isEmpty)
    end(writer)
  }

  @Test("Attempts to come back wait longer and longer, and a store that held is tried at once")
  func backoff() {
    var outage = StoreOutage()
    var now = ContinuousClock.now
    var waits: [Double] = []
    for _ in 0..<9 {
      outage.failed(at: now)
      waits.append(((outage.retryAt ?? now) - now) / .seconds(1))
      now = outage.retryAt ?? now
    }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    outage.ended(at: now)
    #expect(!outage.isOn)
    outage.failed(at: now + .seconds(10))
    #expect(outage.retryAt == now + .seconds(70))
    outage.ended(at: now)
    outage.failed(at: now + .seconds(61))
    #expect(outage.retryAt == now + .seconds(62))
  }
}
