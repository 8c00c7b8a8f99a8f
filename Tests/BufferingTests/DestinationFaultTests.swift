import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

/// Destinations that come where something fails.
extension DestinationLifeTests {
  @Test("A new destination whose cursor could not be saved at once is not new at the next start")
  func savedLater() throws {
    let disk = SimulatedDisk()
    try filled(disk).end()
    // Those that read what is there succeed.
    disk.fail(.open, after: 5, code: 28, in: "cursors")
    let writer = try JournalWriter(
      settings(Self.both), storage: disk, ring: SampleRing(), clock: ManualClock(),
      observer: StoreFaults(), cursorSeconds: 0.05)
    try #require(!disk.paths.contains { $0.contains("cursors/group") })
    try writer.start()
    try waitUntil("the cursor is saved") { disk.paths.contains("store/cursors/group.1") }
    #expect(writer.flush(within: patienceSeconds, reason: "test"))
    let newest = try #require(writer.journal.newest(of: .events))
    // Killed before it is sealed.
    let next = try StoreUnderTest(disk.afterKill(), settings(Self.both))
    #expect(next.batches(.events, for: Self.group).contains { $0.identity == newest })
    #expect(writer.seal(within: patienceSeconds))
  }

  @Test("What no destination has had is passed over for none by an upgrade", arguments: 0..<16)
  func upgradeIsCut(afterSyncs count: Int) throws {
    let disk = SimulatedDisk()
    try filled(disk).end()
    // As agents left it that knew no clocks, and saved a cursor with the first acknowledgement.
    let storage: any Storage = disk
    for path in disk.paths where path.contains("/cursors/") || path.contains("/clocks") {
      try storage.remove(path)
    }
    try disk.syncDirectory("store")
    try disk.syncDirectory("store/cursors")
    disk.fail(.sync, after: count, code: 5, lasting: true)
    _ = try? StoreUnderTest(disk, settings([Self.province]))
    var generator = SeededGenerator(seed: UInt64(count))
    let next = try StoreUnderTest(
      disk.afterPowerCut(using: &generator), settings([Self.province]))
    #expect(next.batches(.data).filter { $0.identity.epoch == 1 }.count == 30)
    #expect(next.gaps(.beforeDestination) == [])
  }

  @Test("Of several new destinations that a reload could not begin none begins elsewhere later")
  func reloadFails() throws {
    let disk = SimulatedDisk()
    let store = try filled(disk)
    let third = DestinationName("third")
    disk.fail(.write, after: 2, code: 28, in: "cursors")
    #expect(throws: AppendError.self) {
      try store.store.apply(change([Self.province, Self.group, third]))
    }
    let holders = store.journal.index(of: .data).withLock { Array($0.acknowledged.keys) }
    #expect(holders == [Self.province])
    try store.store.apply(change([Self.province, Self.group, third]))
    #expect(seqs(store, Self.group) == [])
    #expect(told(store, .beforeDestination).contains { $0.contains("[\"group\"]") })
  }

  @Test("Damage that nobody missed at the start is explained to one who comes later")
  func damageForNewcomer() throws {
    let disk = SimulatedDisk()
    let store = try filled(disk)
    for seq in 1...30 { acknowledge(UInt64(seq), by: Self.province, in: store) }
    try store.end()
    disk.damage("store/data/00000001.seg") { $0[SegmentHeader.bytes + 200] ^= 1 }
    let next = try StoreUnderTest(disk, settings([Self.province]))
    #expect(next.gaps(.damaged) == [])
    try next.store.apply(change(Self.both, from: .everything))
    let read = Set(next.batches(.data, for: Self.group).map(\.seq))
    try next.store.explainHoles()
    let missing = Set(1...30).subtracting(read.map(Int.init))
    #expect(!missing.isEmpty)
    #expect(Set(next.explained(by: .beforeDestination).map(Int.init)) == missing)
  }

  @Test("Holes of both streams with the same seqs are two")
  func holesOfBothStreams() throws {
    let journal = try StoreUnderTest(SimulatedDisk()).journal
    let run = Segment.Run(
      epoch: AckSet.EpochID(store: journal.store, epoch: 1), seqs: 3...4)
    for stream in StreamName.allCases + StreamName.allCases {
      journal.noteDamage(run, in: stream, edition: journal.edition)
    }
    #expect(Set(journal.takeHoles().map(\.stream)) == Set(StreamName.allCases))
    #expect(journal.takeHoles().isEmpty)
  }
}
