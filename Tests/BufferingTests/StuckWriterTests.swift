import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("The writer's heartbeat", .ownThread)
struct StuckWriterTests {
  let disk = SimulatedDisk()
  let clock = ManualClock()

  @Test("While a sync hangs the heart does not beat; it does again when the sync ends")
  func syncHangs() throws {
    let settings = StoreUnderTest.settings()
    let writer = try JournalWriter(
      settings, storage: disk, ring: SampleRing(), clock: clock, observer: StoreFaults())
    #expect(!writer.heartbeat.hasBegun)
    try writer.start()
    try waitUntil("the loop turns") { writer.heartbeat.hasBegun }

    let (isHanging, isReleased) = (Monitor(false), Monitor(false))
    disk.before(.sync) {
      isHanging.update { $0 = true }
      _ = isReleased.wait(atMost: nil) { $0 ? true : nil }
    }
    accept(by: writer)
    #expect(isHanging.wait(atMost: patienceSeconds) { $0 ? true : nil } == true)
    // Every turn so far promised the next one by then, and the loop is in the sync.
    let due = Heartbeat.now() + 70_000
    accept(by: writer)
    #expect(writer.heartbeat.lateness(at: due + 1) != nil)

    isReleased.update { $0 = true }
    try waitUntil("it turns again") {
      accept(by: writer)
      return writer.heartbeat.lateness(at: due + 1) == nil
    }
    #expect(writer.flush(within: patienceSeconds, reason: "SIGTERM"))
    #expect(writer.seal(within: patienceSeconds))
    try waitUntil("its end is no fault") { writer.heartbeat.lateness(at: 1 << 60) == nil }
  }

  @Test("A change that was given up is not taken for the next one when it is done at last")
  func lateChange() throws {
    let settings = StoreUnderTest.settings()
    let writer = try JournalWriter(
      settings, storage: disk, ring: SampleRing(), clock: clock, observer: StoreFaults())
    try writer.start()
    func change(_ definitions: String) -> JournalChange {
      JournalChange(destinations: settings.destinations, definitions: Array(definitions.utf8))
    }
    #expect(writer.apply(change("a"), within: patienceSeconds))
    let syncsBefore = disk.count(of: .sync)
    #expect(writer.apply(change("b"), within: patienceSeconds))
    let syncs = disk.count(of: .sync) - syncsBefore
    try #require(syncs > 0)

    // The next change hangs at its first sync, and so does the one after it.
    let gates = [1: Monitor(false), syncs + 1: Monitor(false)]
    holdSync(1, gates)
    // Long enough for the writer to have taken it.
    #expect(!writer.apply(change("c"), within: 2))
    let isDone = writer.apply(change("d"), within: 1) {
      gates[1]?.update { $0 = true }
      return false
    }
    #expect(!isDone, "it hangs")
    gates[syncs + 1]?.update { $0 = true }
    #expect(writer.apply(change("e"), within: patienceSeconds))
    #expect(writer.flush(within: patienceSeconds, reason: "SIGTERM"))
    #expect(writer.seal(within: patienceSeconds))
  }

  /// From the sync that comes as the `number`-th on, those that have a gate wait for it.
  private func holdSync(_ number: Int, _ gates: [Int: Monitor<Bool>]) {
    disk.before(.sync) { [self] in
      _ = gates[number]?.wait(atMost: patienceSeconds) { $0 ? true : nil }
      holdSync(number + 1, gates)
    }
  }

  private func accept(by writer: JournalWriter) {
    clock.advance(by: 1000)
    writer.ring.accept(
      Event(
        time: clock.now(), severity: .info, source: "gas",
        detail: .device(StateDetail(state: "lost"))))
  }
}
