import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Destinations that come and go")
struct DestinationLifeTests {
  static let province = StoreUnderTest.province
  static let group = DestinationName("group")
  static let both = [province, group]
  static let day: Int64 = 86_400_000

  func settings(
    _ destinations: [DestinationName], from beginning: DestinationBeginning = .live
  ) -> JournalSettings {
    var settings = StoreUnderTest.settings(destinations: destinations)
    settings.beginnings = [Self.group: beginning]
    return settings
  }

  func change(
    _ destinations: [DestinationName], from beginning: DestinationBeginning = .live
  ) -> JournalChange {
    var change = JournalChange(
      destinations: destinations, definitions: StoreUnderTest.definitions)
    change.beginnings = [Self.group: beginning]
    return change
  }

  /// A store in which 30 samples were kept for the province alone, one a second.
  func filled(_ disk: SimulatedDisk) throws -> StoreUnderTest {
    let store = try StoreUnderTest(disk, settings([Self.province]))
    for value in 0..<30 { try store.append(store.sample(value)) }
    try store.store.commit()
    return store
  }

  func seqs(_ store: StoreUnderTest, _ destination: DestinationName) -> [UInt64] {
    store.batches(.data, for: destination).filter { $0.identity.epoch == store.journal.epoch }
      .map(\.seq)
  }

  func told(_ store: StoreUnderTest, _ reason: GapReason) -> [String] {
    store.events("gap").filter { $0.contains("\"\(reason.rawValue)\"") }
  }

  // MARK: New ones

  @Test("A new destination begins live, and an event that names it tells what it does not get")
  func live() throws {
    let store = try filled(SimulatedDisk())
    try store.store.apply(change(Self.both))
    #expect(seqs(store, Self.group) == [])
    #expect(seqs(store, Self.province) == Array(1...30))

    try store.append(store.sample())
    #expect(seqs(store, Self.group) == [31])
    let gaps = told(store, .beforeDestination)
    #expect(gaps.count == 2)
    #expect(gaps.allSatisfy { $0.contains("[\"group\"]") })
    let data = store.gaps(.beforeDestination).filter { $0.stream == "data" }
    #expect(data.map(\.seqs) == [1...30])
  }

  @Test("The first start of a store passes nothing over and says nothing")
  func nothingPassedOver() throws {
    let store = try StoreUnderTest(SimulatedDisk(), settings(Self.both))
    #expect(store.gaps == [])
    #expect(store.batches(.events, for: Self.group).count == 1)
  }

  @Test("A destination that is new at a start begins with that start, whatever was kept before")
  func newAtStart() throws {
    let disk = SimulatedDisk()
    try filled(disk).end()
    let next = try StoreUnderTest(disk, settings(Self.both))
    #expect(next.batches(.data, for: Self.group) == [])
    #expect(next.batches(.data, for: Self.province).count == 30)
    // The start tells of the epoch before, so its receiver asks for it: it has an answer.
    let gaps = next.gaps(.beforeDestination)
    #expect(gaps.first { $0.stream == "data" }?.seqs == 1...30)
    #expect(gaps.contains { $0.stream == "events" })
    #expect(next.batches(.events, for: Self.group).allSatisfy { $0.identity.epoch == 2 })
  }

  @Test("What was recycled before a destination came is named as well")
  func recycledBefore() throws {
    let store = try StoreUnderTest(SimulatedDisk(), settings([Self.province]))
    try store.fill(segments: 8)
    while store.seqs.first == 1 {
      for seq in 1...store.newestSeq { store.acknowledge(seq) }
      try store.append(store.sample())
    }
    let newest = store.newestSeq
    try store.store.apply(change(Self.both))
    let data = store.gaps(.beforeDestination).filter { $0.stream == "data" }
    #expect(data.map(\.seqs) == [1...newest])
  }

  @Test("A new destination that wants all is told what was recycled before it came")
  func allThatIsLeft() throws {
    let store = try StoreUnderTest(SimulatedDisk(), settings([Self.province]))
    try store.fill(segments: 8)
    let data = store.journal.index(of: .data)
    while data.withLock({ $0.segments.first?.runs.first?.seqs.lowerBound == 1 }) {
      store.acknowledge(store.newestSeq)
      for seq in data.withLock({ $0.segments.first?.runs.first?.seqs ?? 1...1 }) {
        store.acknowledge(seq)
      }
      for _ in 0..<100 { try store.append(store.sample()) }
    }
    try store.store.apply(change(Self.both, from: .everything))
    let held = seqs(store, Self.group)
    let first = try #require(held.first)
    try #require(first > 1)
    let gaps = store.gaps(.beforeDestination).filter { $0.stream == "data" }
    #expect(gaps.map(\.seqs) == [1...first - 1])
    #expect(held.last == store.newestSeq)
  }

  @Test("A new destination can begin with all there is, and then nothing is passed over")
  func all() throws {
    let store = try filled(SimulatedDisk())
    try store.store.apply(change(Self.both, from: .everything))
    #expect(seqs(store, Self.group) == Array(1...30))
    #expect(store.gaps == [])
  }

  @Test("A new destination can begin at an age", arguments: [0, 1, 9, 29, 60])
  func age(seconds: Int64) throws {
    let store = try filled(SimulatedDisk())
    // A clock that was set meanwhile has no say: these were all read in this boot.
    store.clock.step(by: 30 * Self.day)
    try store.store.apply(change(Self.both, from: .age(milliseconds: seconds * 1000)))
    let first = UInt64(max(1, 30 - seconds))
    #expect(seqs(store, Self.group) == Array(first...30))
    let data = store.gaps(.beforeDestination).filter { $0.stream == "data" }
    #expect(data.compactMap(\.seqs) == (first > 1 ? [1...first - 1] : []))
  }

  @Test("An age reaches back over segments and starts")
  func ageOverSegments() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings([Self.province]))
    try store.fill(segments: 4)
    let kept = store.batches(.data)
    try store.end()
    let middle = kept[kept.count / 2]
    let clock = store.clock
    let age = clock.monotonic - (middle.newestTime - middle.offset)
    let next = try StoreUnderTest(
      disk, settings(Self.both, from: .age(milliseconds: age)), clock: clock)
    #expect(
      next.batches(.data, for: Self.group).map(\.seq) == Array(middle.seq...UInt64(kept.count)))
    #expect(
      next.gaps(.beforeDestination).first { $0.stream == "data" }?.seqs == 1...middle.seq - 1)
  }

  @Test("A kill in the first second does not make a destination new again")
  func killedAtOnce() throws {
    let disk = SimulatedDisk()
    let store = try filled(disk)
    try store.store.apply(change(Self.both))
    for value in 0..<5 { try store.append(store.sample(value)) }
    let next = try StoreUnderTest(disk.afterKill(), settings(Self.both))
    let kept = next.batches(.data, for: Self.group).map(\.seq)
    #expect(kept == Array(31...35))
    #expect(told(next, .beforeDestination).contains { $0.contains("\"data\"") })
  }

  @Test("A power cut at any sync leaves a new destination new or told", arguments: 0..<12)
  func cut(afterSyncs count: Int) throws {
    let disk = SimulatedDisk()
    let store = try filled(disk)
    let before = store.newestSeq
    disk.fail(.sync, after: count, code: 5, lasting: true)
    try? store.store.apply(change(Self.both))
    try? store.append(store.sample())
    try? store.store.commit()
    var generator = SeededGenerator(seed: UInt64(count))
    let next = try StoreUnderTest(disk.afterPowerCut(using: &generator), settings(Self.both))
    let kept = Set(next.batches(.data, for: Self.group).map(\.seq))
    let explained = next.gaps(.beforeDestination).filter { $0.stream == "data" }
      .compactMap(\.seqs).flatMap(Array.init)
    let all = Set(next.batches(.data, for: Self.province).map(\.seq))
    #expect(all.isSuperset(of: 1...before))
    #expect(all.subtracting(kept).isSubset(of: Set(explained)))
    #expect(kept.isDisjoint(with: explained))
  }

  @Test("A cursor that is there and can't be read counts as nothing acknowledged")
  func unreadable() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings(Self.both))
    try store.append(store.sample())
    try store.end()
    for suffix in ["0", "1"] { disk.damage("store/cursors/group.\(suffix)") { $0[20] ^= 1 } }
    let next = try StoreUnderTest(disk, settings(Self.both))
    #expect(next.batches(.data, for: Self.group).map(\.seq) == [1])
    #expect(next.gaps == [])
  }

  @Test("A cursor that can't be opened is not taken for none")
  func unopened() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings(Self.both))
    try store.append(store.sample())
    try store.end()
    disk.fail(.open, code: 5, lasting: true, in: "cursors")
    let next = try StoreUnderTest(disk, settings(Self.both))
    #expect(next.batches(.data, for: Self.group).map(\.seq) == [1])
  }

  // MARK: Removed ones

  @Test("A removed destination holds what it needs, and goes on where it was when it is back")
  func comesBack() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings(Self.both))
    for value in 0..<10 { try store.append(store.sample(value)) }
    for seq in 1...4 { acknowledge(UInt64(seq), by: Self.group, in: store) }
    try store.store.apply(change([Self.province]))
    #expect(store.journal.removedDestinations.map(\.name) == [Self.group])
    #expect(store.journal.counts(of: .data, for: Self.group).unsent == 6)

    store.clock.advance(by: 6 * Self.day)
    try store.store.tendRemovedDestinations()
    try store.end()
    let next = try StoreUnderTest(disk, settings([Self.province]), clock: store.clock)
    #expect(next.journal.removedDestinations.map(\.remainingMilliseconds) == [Self.day])
    try next.store.apply(change(Self.both))
    #expect(next.batches(.data, for: Self.group).map(\.seq) == Array(5...10))
    #expect(next.journal.removedDestinations == [])
    #expect(next.gaps == [])
    // Its time begins anew when it is removed again.
    try next.end()
    let last = try StoreUnderTest(disk, settings([Self.province]), clock: store.clock)
    #expect(last.journal.removedDestinations.map(\.remainingMilliseconds) == [7 * Self.day])
  }

  @Test(
    "When its time is over a removed destination holds nothing, and an event tells what it lacks")
  func expires() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings(Self.both))
    for value in 0..<10 { try store.append(store.sample(value)) }
    for seq in 1...4 { acknowledge(UInt64(seq), by: Self.group, in: store) }
    try store.store.apply(change([Self.province]))
    // Neither the clock that is set nor a start makes it later or sooner.
    store.clock.step(by: 400 * Self.day)
    try store.store.tendRemovedDestinations()
    #expect(store.journal.removedDestinations.count == 1)
    store.clock.advance(by: 7 * Self.day)
    try store.store.tendRemovedDestinations()

    #expect(store.journal.removedDestinations == [])
    #expect(told(store, .destinationExpired).allSatisfy { $0.contains("[\"group\"]") })
    let data = store.gaps(.destinationExpired).filter { $0.stream == "data" }
    #expect(data.map(\.seqs) == [5...10])
    #expect(!disk.paths.contains { $0.contains("cursors/group") })
    #expect(store.journal.index(of: .data).withLock { $0.acknowledged[Self.group] } == nil)
    // Who comes back now is new.
    try store.store.apply(change(Self.both))
    #expect(seqs(store, Self.group) == [])
    #expect(told(store, .beforeDestination).count == 2)
  }

  @Test("The time of a removed destination goes on over kills and boots")
  func countsOverBoots() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings(Self.both))
    try store.append(store.sample())
    try store.store.apply(change([Self.province]))
    store.clock.advance(by: 2 * Self.day)
    try store.store.tendRemovedDestinations()
    var settings = settings([Self.province])
    settings.boot = BootID(rawValue: 1)
    // Up for three days already when the agent starts, in 1970.
    let clock = ManualClock(Timestamp(monotonic: 3 * Self.day, offset: 0, clock: .unsynced))
    let next = try StoreUnderTest(disk.afterKill(), settings, clock: clock)
    #expect(next.journal.removedDestinations.map(\.remainingMilliseconds) == [2 * Self.day])
  }

  @Test("A removed destination's data is evicted as everybody's, and the event names it")
  func evicted() throws {
    let store = try StoreUnderTest(SimulatedDisk(), settings(Self.both))
    try store.append(store.sample())
    try store.store.apply(change([Self.province]))
    acknowledge(store.newestSeq, by: Self.province, in: store)
    // Looking for the gap reads the whole store: only now and then.
    while store.gaps(.evicted).isEmpty {
      let next = store.newestSeq + 1
      for seq in next..<next + 500 {
        try store.append(store.sample())
        acknowledge(seq, by: Self.province, in: store)
      }
    }
    #expect(told(store, .evicted).first?.contains("[\"group\"]") == true)
  }

  @Test("Names that come and go hold no more than a bounded number of cursors")
  func bounded() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings([Self.province]))
    for number in 0..<20 {
      store.clock.advance(by: 1000)
      try store.store.apply(change([Self.province, DestinationName("d\(number)")]))
      try store.append(store.sample())
      try store.store.apply(change([Self.province]))
      try store.store.tendRemovedDestinations()
    }
    let names = store.journal.removedDestinations.map(\.name.description)
    #expect(names == (4..<20).map { "d\($0)" }.sorted())
  }

  @Test("A tending that fails is told of once when it succeeds")
  func failsFirst() throws {
    let disk = SimulatedDisk()
    let store = try StoreUnderTest(disk, settings(Self.both))
    try store.append(store.sample())
    try store.store.apply(change([Self.province]))
    store.clock.advance(by: 8 * Self.day)
    disk.fail(.sync, code: 5, in: "events")
    #expect(throws: AppendError.self) { try store.store.tendRemovedDestinations() }
    #expect(store.journal.removedDestinations.count == 1)
    try store.store.tendRemovedDestinations()
    #expect(store.journal.removedDestinations == [])
    let data = store.gaps(.destinationExpired).filter { $0.stream == "data" }
    #expect(Set(data.map(\.seqs)) == [1...1])
  }

  func acknowledge(
    _ seq: UInt64, by destination: DestinationName, in store: StoreUnderTest
  ) {
    store.journal.acknowledge(
      BatchIdentity(
        store: store.journal.store, stream: .data, epoch: store.journal.epoch, seq: seq),
      by: destination)
  }
}
