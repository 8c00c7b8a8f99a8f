import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import EdgeAgent

@Suite("A bus that is stuck, in health")
struct StuckBusTests {
  private let clock = ManualClock()
  private let ring = SampleRing()
  private let board: HealthBoard
  private let changes = Monitor(0)

  init() throws {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses: { station: { tcp: { host: 10.20.0.5 } } }
        devices:
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
    let changes = changes
    board.onChange { changes.withLock { $0 += 1 } }
  }

  private func bus() throws -> HealthReport.Part {
    try #require(board.report().parts.first { $0.kind == .bus })
  }

  private func accept(_ state: String, _ reason: String? = nil) {
    clock.advance(by: 1000)
    board.accept(
      Event(
        time: clock.now(), severity: .info, source: "station",
        detail: .bus(StateDetail(state: state, reason: reason))))
  }

  private func stick(_ isStuck: Bool) {
    clock.advance(by: 1000)
    board.bus("station", isStuck: isStuck)
  }

  @Test("It is bus-stuck since it was noticed, and well since it turns again; each has an event")
  func healthy() throws {
    accept("open")
    stick(true)
    let since = clock.now().wall
    #expect(try bus().fault == "bus-stuck")
    #expect(try bus().since == since)
    stick(true)
    #expect(try bus().since == since)
    #expect(board.report().summary.hasPrefix("degraded: bus station: bus-stuck, device fan: "))
    stick(false)
    #expect(try bus().fault == nil)
    #expect(try bus().since == clock.now().wall)
    stick(false)
    #expect(changes.withLock { $0 } == 3)
    #expect(
      ring.take(atMost: 0).events.map(\.detail) == [
        .bus(StateDetail(state: "open")),
        .bus(StateDetail(state: "stuck", reason: "bus-stuck")),
        .bus(StateDetail(state: "recovered")),
      ])
  }

  @Test("A fault that it had before shows again, with the time it began")
  func faultBefore() throws {
    accept("closed", "refused")
    let known = try bus()
    stick(true)
    #expect(try bus().fault == "bus-stuck")
    stick(false)
    #expect(try bus() == known)
  }

  @Test("A bus that a reload renews begins without it")
  func renewed() throws {
    stick(true)
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses: { station: { tcp: { host: 10.20.0.6 } } }
        devices:
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    var difference = ConfigurationDifference()
    difference.endingBuses = ["station"]
    difference.beginningBuses = ["station"]
    board.configure(configuration, renewing: difference)
    #expect(try bus().fault == "starting")
  }

  @Test("A journal that is stuck is the store's fault until it turns again")
  func store() {
    board.store(isStuck: true)
    #expect(board.report().storeFault == "store-stuck")
    #expect(board.report().summary.hasPrefix("degraded: store: store-stuck, "))
    board.store(isStuck: false)
    #expect(board.report().storeFault == nil)
    #expect(changes.withLock { $0 } == 2)
  }
}
