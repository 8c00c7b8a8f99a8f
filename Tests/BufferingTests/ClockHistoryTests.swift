import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Samples that were read before the clock was set")
struct ClockHistoryTests {
  private static let device = DeviceSchema(name: "gas", points: ["ch4"])
  /// What a board without a battery believes: 1970.
  private static let unset = Timestamp(monotonic: 20_000, offset: 0, clock: .unsynced)
  private static let today: Int64 = 1_795_219_200_000

  private func loop(_ store: StoreUnderTest) -> (WriterLoop, SampleRing) {
    let ring = SampleRing()
    let loop = WriterLoop(
      store: store.store,
      access: StoreAccess(storage: SimulatedDisk(), directory: "store", isLocking: false),
      fault: nil, ring: ring, clock: store.clock, observer: StoreFaults(), cursorSeconds: 3600)
    return (loop, ring)
  }

  private func read(_ store: StoreUnderTest) -> DefinedSample {
    store.clock.advance(by: 1000)
    return DefinedSample(
      Sample(
        device: Self.device, time: store.clock.now(),
        outcomes: [PointOutcome(point: 0, outcome: .good(.int(1)))]),
      definitions: store.definitions)
  }

  private func dated(_ store: StoreUnderTest) -> [Batch] {
    store.batches(.data).map { store.journal.dated($0) }
  }

  @Test("They get the time that the boot learnt, say so, and keep all that their identity fixes")
  func corrected() throws {
    let store = try StoreUnderTest(SimulatedDisk(), clock: ManualClock(Self.unset))
    var (loop, ring) = loop(store)
    for _ in 0..<3 {
      ring.accept(read(store))
      _ = loop.takeTurn(atMost: 0)
    }
    #expect(dated(store).allSatisfy { !$0.isCorrected && $0.offset == 0 })
    store.clock.step(by: Self.today, to: .synced)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)

    let (raw, sent) = (store.batches(.data), dated(store))
    #expect(sent.map(\.isCorrected) == [true, true, true, false])
    #expect(sent.allSatisfy { $0.offset == Self.today })
    #expect(sent.map(\.newestTime) == (1...4).map { Self.today + 20_000 + $0 * 1000 })
    #expect(sent.map(\.identity) == raw.map(\.identity))
    #expect(sent.map(\.body) == raw.map(\.body))
    #expect(sent.map(\.boot) == raw.map(\.boot))
    #expect(
      store.journal.summary(of: .data, for: StoreUnderTest.province).oldestUnsent
        == Self.today + 21_000)
  }

  @Test("The first time that a boot learnt holds, also when it forgets it and learns another")
  func firstHolds() throws {
    let store = try StoreUnderTest(SimulatedDisk(), clock: ManualClock(Self.unset))
    var (loop, ring) = loop(store)
    func turn(step: Int64 = 0, to state: ClockState? = nil) {
      store.clock.step(by: step, to: state)
      ring.accept(read(store))
      _ = loop.takeTurn(atMost: 0)
    }
    turn()
    turn(step: Self.today, to: .synced)
    turn(to: .unsynced)
    turn(step: 500, to: .synced)
    turn(step: -700)
    let sent = dated(store)
    #expect(sent.map(\.isCorrected) == [true, false, false, false, false])
    #expect(sent.map(\.offset) == [0, 0, 0, 500, -200].map { Self.today + $0 })
    // What was read after the first is as it was believed.
    #expect(sent.map(\.clock) == [.unsynced, .synced, .unsynced, .synced, .synced])
  }

  @Test("Events are not dated anew: the times in them would not follow")
  func events() throws {
    let store = try StoreUnderTest(SimulatedDisk(), clock: ManualClock(Self.unset))
    var (loop, ring) = loop(store)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)
    store.clock.step(by: Self.today, to: .synced)
    ring.nudge()
    _ = loop.takeTurn(atMost: 0)
    for batch in store.batches(.events) { #expect(store.journal.dated(batch) == batch) }
  }

  @Test(
    "What an earlier boot learnt outlives a kill, a power cut and the next boot", arguments: 0..<20)
  func earlierBoot(seed: UInt64) throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, clock: ManualClock(Self.unset))
    var (loop, ring) = loop(store)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)
    store.clock.step(by: Self.today, to: .synced)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)
    try store.store.commit()

    var generator = SeededGenerator(seed: seed)
    let after = seed % 2 == 0 ? disk.afterKill() : disk.afterPowerCut(using: &generator)
    var settings = StoreUnderTest.settings()
    settings.boot = BootID(rawValue: 7)
    let next = try StoreUnderTest(after, settings, clock: ManualClock(Self.unset))
    let sent = next.batches(.data).map { next.journal.dated($0) }
    #expect(sent.map(\.isCorrected) == [true, false])
    #expect(sent.map(\.offset) == [Self.today, Self.today])
  }

  @Test("An earlier boot that never learnt the time uses what it believed last, and says unsynced")
  func neverLearnt() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, clock: ManualClock(Self.unset))
    var (loop, ring) = loop(store)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)
    // Somebody set the date by hand.
    store.clock.step(by: Self.today)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)
    // In the boot itself the time may be learnt yet.
    #expect(dated(store).map(\.offset) == [0, Self.today])
    try store.end()

    var settings = StoreUnderTest.settings()
    settings.boot = BootID(rawValue: 7)
    let next = try StoreUnderTest(disk, settings, clock: ManualClock(Self.unset))
    let sent = next.batches(.data).map { next.journal.dated($0) }
    #expect(sent.map(\.offset) == [Self.today, Self.today])
    #expect(sent.allSatisfy { $0.clock == .unsynced && !$0.isCorrected })
  }

  @Test("A later start in the same boot that learns the time dates what the earlier one read")
  func laterStart() throws {
    let disk = SimulatedDisk()
    let clock = ManualClock(Self.unset)
    let store = try StoreUnderTest(disk, clock: clock)
    var (loop, ring) = loop(store)
    ring.accept(read(store))
    _ = loop.takeTurn(atMost: 0)
    clock.step(by: Self.today, to: .synced)
    clock.advance(by: 1)
    let next = try StoreUnderTest(disk.afterKill(), clock: clock)
    var (later, laterRing) = self.loop(next)
    laterRing.nudge()
    _ = later.takeTurn(atMost: 0)
    #expect(dated(next).map(\.isCorrected) == [true])
    #expect(dated(next).map(\.offset) == [Self.today])
  }

  @Test("The record keeps the boots that the store refers to, and few others")
  func bounded() throws {
    var history = ClockHistory()
    for number in 1...UInt32(200) {
      let epoch = AckSet.EpochID(store: 1, epoch: number)
      let boot = BootID(rawValue: number)
      func note(_ from: ClockState?, _ to: ClockState, _ offset: Int64, at time: Int64) {
        history.note(
          ClockDetail(from: from, to: to, boot: boot, offset: offset, step: 0), at: time, in: epoch)
      }
      note(nil, .unsynced, 0, at: 10)
      note(.unsynced, .synced, Self.today, at: 20)
      history.prune(held: [AckSet.EpochID(store: 1, epoch: 3), epoch])
    }
    #expect(history.boots.count == ClockHistory.mostBoots)
    #expect(history.boots.contains { $0.boot == BootID(rawValue: 3) })
    #expect(history.boots.last?.boot == BootID(rawValue: 200))
    var again = try ClockHistory(history.encoded())
    #expect(again.boots == history.boots)
    #expect(history.encoded().count < 4000)
    // Boots that knew the time from the start are of no interest later.
    for number in 300...UInt32(400) {
      again.note(
        ClockDetail(
          from: nil, to: .synced, boot: BootID(rawValue: number), offset: 5, step: 0), at: 1,
        in: AckSet.EpochID(store: 1, epoch: number))
      again.prune(held: [])
    }
    #expect(again.boots.filter { $0.boot.rawValue >= 300 }.count == 1)
  }

  @Test("A damaged record is no record, and never more")
  func damaged() throws {
    var history = ClockHistory()
    history.note(
      ClockDetail(from: nil, to: .synced, boot: BootID(rawValue: 1), offset: 5, step: 0), at: 1,
      in: AckSet.EpochID(store: 1, epoch: 1))
    let bytes = history.encoded()
    for count in 0..<bytes.count { _ = try? ClockHistory(Array(bytes[..<count])) }
    #expect(throws: (any Error).self) { try ClockHistory(Array(bytes.dropLast())) }
  }

  @Test("A store that an older agent kept passes nothing over for destinations without a cursor")
  func upgrade() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk)
    for value in 0..<5 { try store.append(store.sample(value)) }
    try store.store.commit()
    for suffix in DurableRecord.suffixes {
      try disk.remove("store/clocks\(suffix)")
      try disk.remove("store/cursors/province\(suffix)")
    }
    let next = try StoreUnderTest(disk)
    #expect(next.seqs == [1, 2, 3, 4, 5])
    #expect(next.gaps(.beforeDestination) == [])
  }
}
