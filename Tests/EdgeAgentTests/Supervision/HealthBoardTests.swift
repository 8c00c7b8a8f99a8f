import LinuxSystem
import Telemetry
import TestSupport
import Testing
import Uplink

@testable import Buffering
@testable import EdgeAgent

@Suite("The health board")
struct HealthBoardTests {
  private let clock = ManualClock()
  private let ring = SampleRing()
  private let board: HealthBoard
  private let changes = Monitor(0)

  init() throws {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses:
          station: { tcp: { host: 10.20.0.5 } }
        devices:
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
          gas: { bus: station, unit: 4, points: { ch4: { input: 2, type: uint16, unit: m/s } } }
        uplinks:
          province: { url: mqtt://broker.example }
          group: { url: mqtt://other.example }
        """)
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
    let changes = changes
    board.onChange { changes.withLock { $0 += 1 } }
  }

  private func part(_ name: String) throws -> HealthReport.Part {
    try #require(board.report().parts.first { $0.name == name })
  }

  private func accept(_ sample: Sample) {
    board.accept(sample, news: sample, definitions: 0xb194_6ac9)
  }

  private func count() -> Int { changes.withLock { $0 } }

  private func sample(_ device: String, _ outcomes: Outcome...) -> Sample {
    clock.advance(by: 1000)
    let names = outcomes.indices.map { "p\($0)" }
    return Sample(
      device: DeviceSchema(name: device, points: names), time: clock.now(),
      outcomes: outcomes.enumerated().map { PointOutcome(point: $0, outcome: $1) })
  }

  private func event(_ source: String, _ detail: EventDetail) -> Event {
    clock.advance(by: 1000)
    return Event(time: clock.now(), severity: .info, source: source, detail: detail)
  }

  @Test("What has lasted a minute has lasted a minute also when the clock is set by years")
  func clockIsSet() throws {
    board.accept(event("station", .bus(StateDetail(state: "closed", reason: "refused"))))
    clock.advance(by: 60_000)
    clock.step(by: 56 * 365 * 86_400_000, to: .synced)
    #expect(try clock.now().wall - part("station").since == 60_000)
    #expect(clock.now().wall - board.snapshot().storeSince == 61_000)
    clock.step(by: -3_600_000)
    board.store(isStuck: true)
    clock.step(by: -3_600_000)
    #expect(try clock.now().wall - part("station").since == 60_000)
    #expect(clock.now().wall - board.snapshot().storeSince == 0)
  }

  @Test("Nothing is healthy before it has shown that it works")
  func starting() {
    let report = board.report()
    #expect(report.parts.map(\.name) == ["station", "fan", "gas", "province", "group"])
    #expect(report.parts.map(\.kind) == [.bus, .device, .device, .destination, .destination])
    #expect(
      report.parts.map(\.fault) == ["starting", "starting", "starting", "connecting", "connecting"])
    #expect(report.parts.allSatisfy { $0.since == clock.now().wall && $0.newestValue == nil })
    #expect(report.storeFault == nil)
    #expect(!report.isHealthy)
    #expect(count() == 0)
  }

  @Test("A device goes from starting to well, lost and well again, with the time of each change")
  func device() throws {
    accept(sample("fan", .bad(.timeout)))
    #expect(try part("fan").fault == "starting")
    #expect(count() == 0)

    accept(sample("fan", .bad(.timeout), .good(.int(1))))
    let first = clock.now().wall
    #expect(try part("fan").fault == nil)
    #expect(try part("fan").since == first)
    #expect(try part("fan").newestValue?.wall == first)
    #expect(count() == 1)
    #expect(try part("gas").fault == "starting")

    board.accept(event("fan", .device(StateDetail(state: "lost", reason: "timeout"))))
    let lost = clock.now().wall
    #expect(try part("fan").fault == "timeout")
    #expect(try part("fan").since == lost)
    #expect(count() == 2)
    // A value that was under way does not end what the driver calls lost.
    accept(sample("fan", .good(.int(2))))
    #expect(try part("fan").fault == "timeout")
    #expect(try part("fan").newestValue?.wall == clock.now().wall)

    board.accept(event("fan", .device(StateDetail(state: "recovered"))))
    #expect(try part("fan").fault == nil)
    #expect(try part("fan").since == clock.now().wall)
    #expect(count() == 3)
  }

  @Test("A bus that can't be opened is a fault by its reason until it is open")
  func bus() throws {
    board.accept(event("station", .bus(StateDetail(state: "closed", reason: "refused"))))
    #expect(try part("station").fault == "refused")
    let since = try part("station").since
    #expect(since == clock.now().wall)
    board.accept(event("station", .bus(StateDetail(state: "closed"))))
    #expect(try part("station").fault == "closed")
    // For another reason, but since the same moment.
    #expect(try part("station").since == since)
    board.accept(event("station", .bus(StateDetail(state: "open"))))
    #expect(try part("station").fault == nil)
    #expect(count() == 3)
  }

  @Test("The listener is told once a change, and not of what is no news")
  func listener() throws {
    for _ in 0..<3 {
      board.accept(event("fan", .device(StateDetail(state: "lost", reason: "timeout"))))
      board.store(changedTo: "disk full")
      board.destination(DestinationName("group"), changedTo: "refused")
    }
    #expect(count() == 3)
    accept(sample("fan", .good(.int(1))))
    #expect(count() == 3)
    // A new one takes the place of the old.
    let second = Monitor(0)
    board.onChange { second.withLock { $0 += 1 } }
    board.store(changedTo: nil)
    #expect(count() == 3)
    #expect(second.withLock { $0 } == 1)
  }

  @Test("A new configuration keeps what is known of the parts that stay, and begins the others")
  func reload() throws {
    board.accept(event("station", .bus(StateDetail(state: "open"))))
    accept(sample("fan", .good(.int(1))))
    board.destination(DestinationName("province"), changedTo: nil)
    let known = try part("fan")
    clock.advance(by: 5000)
    let changed = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses:
          other: { tcp: { host: 10.20.0.6 } }
          station: { tcp: { host: 10.20.0.5 } }
        devices:
          pump: { bus: other, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
        uplinks:
          province: { url: mqtt://broker.example }
        """)
    board.configure(changed, renewing: ConfigurationDifference())
    #expect(board.report().parts.map(\.name) == ["other", "station", "pump", "fan", "province"])
    #expect(
      board.report().parts.map(\.fault) == ["starting", nil, "starting", nil, nil])
    #expect(try part("fan") == known)
    #expect(try part("pump").since == clock.now().wall)
    // What is gone changes nothing any more.
    let before = count()
    board.accept(event("gas", .device(StateDetail(state: "lost", reason: "timeout"))))
    #expect(count() == before)
  }

  @Test("A device that was lost, removed and configured again begins without its old fault")
  func removedAndBack() throws {
    func load(_ device: String) throws -> AgentConfiguration {
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: "0520", region: "520201" }
          buses: { station: { tcp: { host: 10.20.0.5 } } }
          devices:
            \(device):
              { bus: station, unit: 3, points: { v: { input: 2, type: uint16, unit: m/s } } }
          uplinks: { province: { url: mqtt://broker.example } }
          """)
    }
    board.accept(event("gas", .device(StateDetail(state: "lost", reason: "timeout"))))
    board.configure(try load("pump"), renewing: ConfigurationDifference())
    // What its bus had on the way still comes.
    accept(sample("gas", .bad(.timeout)))
    board.accept(event("gas", .device(StateDetail(state: "lost", reason: "timeout"))))
    board.configure(try load("gas"), renewing: ConfigurationDifference())
    #expect(try part("gas").fault == "starting")
    accept(sample("gas", .good(.int(1))))
    #expect(try part("gas").fault == nil)
  }

  @Test("A store that fails makes the whole unhealthy, and heals")
  func store() {
    board.store(changedTo: nil)
    #expect(count() == 0)
    board.store(changedTo: "write /x: No space left on device")
    #expect(board.report().storeFault == "write /x: No space left on device")
    board.store(changedTo: "write /x: Input/output error")
    #expect(count() == 2)
    board.store(changedTo: nil)
    #expect(board.report().storeFault == nil)
    #expect(count() == 3)
  }

  @Test("With every part well it is healthy")
  func healthy() {
    board.accept(event("station", .bus(StateDetail(state: "open"))))
    accept(sample("fan", .good(.int(1))))
    accept(sample("gas", .good(.int(1))))
    board.destination(DestinationName("province"), changedTo: nil)
    #expect(!board.report().isHealthy)
    board.destination(DestinationName("group"), changedTo: nil)
    #expect(board.report().isHealthy)
    #expect(board.report().time == clock.now())
  }

  @Test("Everything goes on into the ring, and a destination's change becomes an event")
  func ringGetsAll() {
    accept(sample("fan", .good(.int(1))))
    accept(sample("unknown", .bad(.timeout)))
    board.accept(event("fan", .device(StateDetail(state: "lost", reason: "timeout"))))
    board.destination(DestinationName("province"), changedTo: "refused")
    board.destination(DestinationName("province"), changedTo: "refused")
    board.destination(DestinationName("province"), changedTo: nil)
    let content = ring.take(atMost: 0)
    #expect(content.samples.map(\.sample.device.name) == ["fan", "unknown"])
    #expect(content.samples.allSatisfy { $0.definitions == 0xb194_6ac9 })
    #expect(content.events.map(\.source) == ["fan", "province", "province"])
    #expect(
      content.events.dropFirst().map(\.detail) == [
        .destination(StateDetail(state: "failed", reason: "refused")),
        .destination(StateDetail(state: "ok")),
      ])
    #expect(content.events.dropFirst().map(\.severity) == [.warning, .info])
  }

  @Test("What an uplink tells after another one stands in for it counts no more")
  func replacedUplink() throws {
    let province = DestinationName("province")
    let (old, new) = (DestinationReports(board: board), DestinationReports(board: board))
    old.destination(province, changedTo: "name-unknown")
    #expect(try part("province").fault == "name-unknown")
    old.end()
    new.destination(province, changedTo: nil)
    // It hung in the resolver until now.
    old.destination(province, changedTo: "timeout")
    #expect(try part("province").fault == nil)
    #expect(count() == 2)
    #expect(ring.take(atMost: 0).events.count == 2)
  }

  @Test("A fault of the agent's own is listed while it lasts, behind everything else")
  func own() throws {
    board.own("control", changedTo: nil)
    #expect(count() == 0)
    board.own("control", changedTo: "in the way")
    board.own("control", changedTo: "in the way")
    #expect(count() == 1)
    #expect(board.report().parts.last?.kind == .agent)
    #expect(try part("control").fault == "in the way")
    accept(sample("fan", .good(.int(1))))
    #expect(try part("fan").fault == nil)
    board.own("control", changedTo: nil)
    #expect(count() == 3)
    #expect(!board.report().parts.contains { $0.kind == .agent })
  }

  @Test("A snapshot has the newest outcome of each configured point, and of no other")
  func snapshot() {
    accept(sample("fan", .good(.int(1)), .bad(.timeout)))
    accept(sample("stranger", .good(.int(1))))
    let readings = board.snapshot().readings
    #expect(readings.readings(of: "fan")["p0"]?.outcome == .good(.int(1)))
    #expect(readings.readings(of: "fan")["p1"]?.outcome == .bad(.timeout))
    #expect(readings.readings(of: "gas")["p0"] == nil)
    #expect(readings.readings(of: "stranger")["p0"] == nil)
  }

  @Test("The store's fault has the time since when it has held")
  func storeSince() {
    let start = clock.now().wall
    #expect(board.snapshot().storeSince == start)
    clock.advance(by: 1000)
    board.store(changedTo: "full")
    clock.advance(by: 1000)
    board.store(changedTo: "full")
    #expect(board.snapshot().storeSince == start + 1000)
    board.store(changedTo: nil)
    #expect(board.snapshot().storeSince == start + 2000)
  }

  @Test("Changes from many threads at once are all counted", .ownThread)
  func threads() throws {
    let ended = Monitor(0)
    for (index, device) in ["fan", "gas", "station", "province"].enumerated() {
      let board = board
      let clock = clock
      try Thread.start(named: "changes-\(index)") {
        for round in 0..<250 {
          let detail = StateDetail(state: round % 2 == 0 ? "lost" : "recovered", reason: "timeout")
          board.accept(
            Event(
              time: clock.now(), severity: .info, source: index < 2 ? device : "gas",
              detail: .device(detail)))
        }
        ended.update { $0 += 1 }
      }
    }
    #expect(ended.wait(atMost: patienceSeconds) { $0 == 4 ? true : nil } == true)
    // The fan has one writer: each of its 250 events is a change.
    #expect(count() >= 250 && count() <= 1000)
    #expect(ring.take(atMost: 0).events.count == 1000)
  }
}
