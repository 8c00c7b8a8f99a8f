import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import EdgeAgent

/// What a technician saw who froze a station: its connections stay open, nothing answers.
@Suite("Devices that are lost, and their bus, in health")
struct SilentBusTests {
  private let clock = ManualClock()
  private let ring = SampleRing()
  private let board: HealthBoard

  init() throws {
    board = HealthBoard(configuration: try Self.load("10.20.0.5"), ring: ring, clock: clock)
    accept("station", .bus(StateDetail(state: "open")))
    accept("fan", .good(.int(1)))
    accept("gas", .good(.int(1)))
  }

  private static func load(_ host: String) throws -> AgentConfiguration {
    try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses: { station: { tcp: { host: \(host) } }, other: { tcp: { host: 10.20.0.9 } } }
        devices:
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
          gas: { bus: station, unit: 4, points: { ch4: { input: 2, type: uint16, unit: m/s } } }
          power: { bus: other, unit: 1, points: { p: { input: 2, type: uint16, unit: V } } }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
  }

  private func part(_ name: String) throws -> HealthReport.Part {
    try #require(board.report().parts.first { $0.name == name })
  }

  private func accept(_ source: String, _ detail: EventDetail) {
    clock.advance(by: 1000)
    board.accept(
      Event(time: clock.now(), severity: .info, source: source, detail: detail))
  }

  private func accept(_ device: String, _ outcome: Outcome) {
    clock.advance(by: 1000)
    let sample = Sample(
      device: DeviceSchema(name: device, points: ["p"]), time: clock.now(),
      outcomes: [PointOutcome(point: 0, outcome: outcome)])
    board.accept(sample, news: sample, definitions: 1)
  }

  private func lose(_ device: String, _ reason: String = "timeout") {
    accept(device, .device(StateDetail(state: "lost", reason: reason)))
  }

  @Test("A bus none of whose devices answers says so since the last was lost, until one is back")
  func silence() throws {
    lose("fan")
    #expect(try part("station").fault == nil)
    lose("gas")
    let lost = clock.now().wall
    clock.advance(by: 5000)
    #expect(try part("station").fault == "timeout")
    #expect(try part("station").since == lost)
    #expect(board.report().summary.hasPrefix("degraded: bus station: timeout, "))
    #expect(board.snapshot().connectedBuses == ["station"])
    // Of the other bus nothing is known.
    #expect(try part("other").fault == "starting")
    let told = ring.take(atMost: 0).events.filter { $0.source == "station" }
    #expect(told.map(\.detail) == [.bus(StateDetail(state: "open"))])

    accept("fan", .device(StateDetail(state: "recovered")))
    let back = clock.now().wall
    clock.advance(by: 5000)
    #expect(try part("station").fault == nil)
    #expect(try part("station").since == back)
  }

  @Test(
    "Devices lost for different reasons, or that refuse what they are asked, are not their bus's",
    arguments: [("timeout", "crc"), ("exception-2", "exception-2"), ("bus-closed", "bus-closed")])
  func notTheBus(_ reasons: (String, String)) throws {
    let open = try part("station").since
    lose("fan", reasons.0)
    lose("gas", reasons.1)
    #expect(try part("station").fault == nil)
    #expect(try part("station").since == open)
  }

  @Test("A fault of the bus's own comes first, and one that is stuck is stuck")
  func ownFault() throws {
    lose("fan")
    lose("gas")
    board.bus("station", isStuck: true)
    #expect(try part("station").fault == "bus-stuck")
    board.bus("station", isStuck: false)
    #expect(try part("station").fault == "timeout")
    accept("station", .bus(StateDetail(state: "closed", reason: "unplugged")))
    #expect(try part("station").fault == "unplugged")
    #expect(board.snapshot().connectedBuses == [])
    #expect(try part("station").since == clock.now().wall)
  }

  @Test("A bus that was never open has its devices' fault all the same")
  func neverOpen() throws {
    accept("power", .bad(.badAnswer))
    #expect(try part("other").fault == "starting")
    lose("power", "bad-answer")
    #expect(try part("other").fault == "bad-answer")
    #expect(try part("other").since == clock.now().wall)
  }

  @Test("A bus that a reload renews does not go on being silent")
  func renewed() throws {
    lose("fan")
    lose("gas")
    var difference = ConfigurationDifference()
    difference.endingBuses = ["station"]
    difference.beginningBuses = ["station"]
    board.configure(try Self.load("10.20.0.6"), renewing: difference)
    #expect(try part("station").fault == "starting")
    #expect(try part("station").newestValue == nil)
  }

  @Test("A bus's newest value is the newest of its devices'")
  func newestValue() throws {
    #expect(try part("other").newestValue == nil)
    accept("fan", .good(.int(2)))
    let newest = clock.now()
    accept("gas", .bad(.timeout))
    #expect(try part("station").newestValue == newest)
    board.bus("station", isStuck: true)
    #expect(try part("station").newestValue == newest)
  }

  @Test("A lost device's word follows the newest reason for which it was asked in vain")
  func word() throws {
    accept("station", .bus(StateDetail(state: "closed", reason: "unplugged")))
    accept("fan", .bad(.busClosed))
    lose("fan", "bus-closed")
    let lost = clock.now().wall
    accept("station", .bus(StateDetail(state: "open")))
    accept("fan", .bad(.offline))
    accept("fan", .bad(.notRead))
    #expect(try part("fan").fault == "bus-closed")
    accept("fan", .bad(.timeout))
    #expect(try part("fan").fault == "timeout")
    accept("fan", .bad(.offline))
    #expect(try part("fan").fault == "timeout")
    // Of a connection that was replaced while it was silent; the bus was never closed.
    accept("fan", .bad(.busClosed))
    #expect(try part("fan").fault == "timeout")
    accept("station", .bus(StateDetail(state: "closed", reason: "unplugged")))
    accept("fan", .bad(.busClosed))
    #expect(try part("fan").fault == "bus-closed")
    #expect(try part("fan").since == lost)
    // Values that the driver has not judged yet are no reason either.
    accept("fan", .bad(.outOfRange, raw: .int(9)))
    #expect(try part("fan").fault == "bus-closed")
    accept("fan", .device(StateDetail(state: "recovered")))
    #expect(try part("fan").fault == nil)
    #expect(try part("fan").since == clock.now().wall)
  }

  @Test("A device that is lost while it is not asked is lost for what came before")
  func lostWhileOffline() throws {
    accept("fan", .bad(.timeout))
    accept("fan", .bad(.offline))
    lose("fan", "offline")
    #expect(try part("fan").fault == "timeout")
    // Nothing is known of this one.
    lose("gas", "offline")
    #expect(try part("gas").fault == "offline")
  }
}
