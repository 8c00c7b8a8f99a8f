import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

/// A wall clock that is set forward and back, learns the time and forgets it, at random, under a
/// writer at work.
@Suite("A clock that steps")
struct SteppingClockTests {
  private struct Run {
    let store: StoreUnderTest
    let ring = SampleRing()
    var loop: WriterLoop
    var generator: SeededGenerator
    /// Changes that an event has to tell of, and what they came to.
    var changes = 1
    private var reported: Timestamp

    init(_ disk: SimulatedDisk, clock: ManualClock, seed: UInt64) throws {
      store = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 64), clock: clock)
      generator = SeededGenerator(seed: seed)
      loop = WriterLoop(
        store: store.store,
        access: StoreAccess(storage: MemoryStorage(), directory: "store", isLocking: false),
        fault: nil, ring: ring, clock: clock, observer: StoreFaults(), cursorSeconds: 3600)
      reported = clock.now()
      ring.nudge()
      _ = loop.takeTurn(atMost: 0)
    }

    mutating func turn() {
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let device = RandomSamples.devices.randomElement(using: &generator)
        guard let device else { return }
        store.clock.advance(by: .random(in: 0...400, using: &generator))
        if Bool.random(using: &generator) { step() }
        let outcomes = device.points.indices.map {
          PointOutcome(point: $0, outcome: .good(.int(1)))
        }
        let sample = Sample(device: device, time: store.clock.now(), outcomes: outcomes)
        ring.accept(DefinedSample(sample, definitions: store.definitions))
      }
      let now = store.clock.now()
      if now.clock != reported.clock || (now.offset - reported.offset).magnitude > 10 {
        changes += 1
        reported = now
      }
      _ = loop.takeTurn(atMost: 0)
    }

    private mutating func step() {
      let state: ClockState? =
        [ClockState.synced, .unsynced, nil, nil].randomElement(using: &generator) ?? nil
      let far = Bool.random(using: &generator) ? 2_000_000_000_000 : Int64(20)
      store.clock.step(by: .random(in: -far...far, using: &generator), to: state)
    }
  }

  @Test(
    "Neither seq nor order is ever wrong, and each step is told of once",
    arguments: Seeds.given(orFirst: 20))
  func anyStep(seed: UInt64) throws {
    let disk = SimulatedDisk()
    var generator = SeededGenerator(seed: seed)
    let clock = ManualClock(
      Timestamp(monotonic: 5_000, offset: .random(in: 0...1, using: &generator), clock: .unsynced))
    var run = try Run(disk, clock: clock, seed: seed)
    for _ in 0..<60 { run.turn() }
    check(run)

    // The next start, on the same board, in the same boot, whatever its clock shows then.
    try run.store.store.commit()
    var next = try Run(disk.afterKill(), clock: clock, seed: seed &+ 1)
    for _ in 0..<20 { next.turn() }
    check(next)
    for gap in next.store.gaps {
      guard let times = gap.times else { continue }
      #expect(times.lowerBound <= times.upperBound)
    }
  }

  private func check(_ run: Run) {
    let batches = run.store.batches(.data).filter { $0.identity.epoch == run.store.journal.epoch }
    #expect(batches.map(\.seq) == batches.indices.map { UInt64($0 + 1) })
    var newest: [String: Int64] = [:]
    for batch in batches {
      guard case .samples(let samples) = batch.body else { continue }
      for sample in samples {
        #expect(sample.monotonic >= newest[sample.device.name] ?? .min)
        newest[sample.device.name] = sample.monotonic
      }
    }
    // Dated anew, times are in order as long as the offset they were given is the same.
    for (left, right) in zip(batches, batches.dropFirst()).map({
      (run.store.journal.dated($0), run.store.journal.dated($1))
    }) where left.isCorrected && right.isCorrected {
      #expect(left.newestTime <= right.newestTime)
    }
    let epoch = run.store.journal.epoch
    let clocks = run.store.batches(.events).filter { $0.identity.epoch == epoch }
      .flatMap { batch -> [StoredEvent] in
        if case .events(let events) = batch.body { events } else { [] }
      }.filter { $0.type == "clock" }
    #expect(clocks.count == run.changes)
  }

  @Test("A ring that overflows while the clock is set back names a time that is one")
  func overrun() throws {
    let clock = ManualClock()
    let ring = SampleRing(limits: SampleRing.Limits(points: 2, events: 2))
    let start = clock.now()
    for _ in 0..<10 {
      clock.advance(by: 1000)
      clock.step(by: -60_000)
      ring.accept(
        DefinedSample(
          Sample(
            device: DeviceSchema(name: "gas", points: ["ch4"]), time: clock.now(),
            outcomes: [PointOutcome(point: 0, outcome: .good(.int(1)))]), definitions: 0))
    }
    let overrun = try #require(ring.take(atMost: 0).overruns[.data])
    #expect(overrun.count == 8)
    let offset = start.offset - 8 * 60_000
    #expect(
      GapSpan.time(from: overrun.first, to: overrun.last)
        == .time(from: start.monotonic + 1000 + offset, to: start.monotonic + 8000 + offset))
  }

  @Test("After a kill the gap of the stop is told by the clock that was set meanwhile")
  func uncleanStopBeforeTheTime() throws {
    let disk = SimulatedDisk()
    let clock = ManualClock(Timestamp(monotonic: 20_000, offset: 0, clock: .unsynced))
    var run = try Run(disk, clock: clock, seed: 1)
    let sample = run.store.sample()
    run.ring.accept(sample)
    _ = run.loop.takeTurn(atMost: 0)
    clock.advance(by: 5000)
    clock.step(by: 1_795_219_200_000, to: .synced)
    let next = try StoreUnderTest(disk.afterKill(), clock: clock)
    try next.append(next.sample())
    let last = sample.sample.time.monotonic + 1_795_219_200_000
    #expect(next.gaps(.uncleanStop).map(\.times) == [last...last + 6000])
  }

  @Test("After a power cut a board in 1970 names a time that ends after it began")
  func uncleanStop() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk)
    try store.append(store.sample())
    let last = store.clock.now().wall
    try store.store.commit()
    var settings = StoreUnderTest.settings()
    settings.boot = BootID(rawValue: 7)
    let clock = ManualClock(Timestamp(monotonic: 20_000, offset: 0, clock: .unsynced))
    let next = try StoreUnderTest(disk.afterKill(), settings, clock: clock)
    try next.append(next.sample())
    #expect(next.gaps(.uncleanStop).map(\.times) == [last...last + 21_000])
  }
}
