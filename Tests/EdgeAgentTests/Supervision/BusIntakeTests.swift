import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import Drivers
@testable import EdgeAgent

@Suite("A bus that is replaced while it hangs")
struct BusIntakeTests {
  private let clock = ManualClock()
  private let ring = SampleRing()
  private let board: HealthBoard
  private let fan = DeviceSchema(name: "fan", points: ["wind"])
  private let devices: [ModbusDevice]

  init() throws {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses: { station: { tcp: { host: 10.20.0.5 } } }
        devices:
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: m/s } } }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    devices = configuration.buses.flatMap(\.devices)
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
  }

  private func intake() -> BusIntake {
    BusIntake(board: board, devices: devices, definitions: 1, start: clock.now())
  }

  private func sample(_ value: UInt64, at time: Timestamp) -> Sample {
    let outcome = PointOutcome(point: 0, outcome: .good(.uint(value)))
    return Sample(device: fan, time: time, outcomes: [outcome])
  }

  private func state(_ state: String, _ reason: String? = nil) -> Event {
    Event(
      time: clock.now(), severity: .info, source: "station",
      detail: .bus(StateDetail(state: state, reason: reason)))
  }

  @Test("What it tells after another stands in for it is dropped, and a gap accounts for it")
  func late() throws {
    let (old, new) = (intake(), intake())
    old.accept(sample(1, at: clock.now()))
    let newest = clock.now().wall
    let due = clock.now()
    clock.advance(by: 1000)
    let replaced = clock.now()
    old.close(at: replaced)
    new.accept(state("open"))
    new.accept(sample(2, at: clock.now()))
    clock.advance(by: 1000)
    // Its transaction ends at last: what was due before the other's sample, and that it is cut off.
    old.accept(sample(3, at: due))
    old.accept(state("closed", "timed out"))
    old.close(at: clock.now())

    let content = ring.take(atMost: 0)
    #expect(content.samples.map(\.sample.outcomes) == [1, 2].map { sample($0, at: due).outcomes })
    let gap = GapDetail(
      stream: .data, span: .time(from: newest + 1, to: replaced.wall), reason: .notRead)
    #expect(content.events.map(\.detail) == [.gap(gap), state("open").detail])
    #expect(content.events.first?.source == "fan")
    #expect(board.report().parts.first { $0.kind == .bus }?.fault == nil)
  }

  @Test("A clock that is set back meanwhile hides nothing of what is missing")
  func setBack() throws {
    let intake = intake()
    clock.advance(by: 1000)
    intake.accept(sample(1, at: clock.now()))
    clock.advance(by: 5000)
    clock.step(by: -3_600_000)
    intake.close(at: clock.now())
    let gaps = ring.take(atMost: 0).events.compactMap { event -> GapDetail? in
      if case .gap(let gap) = event.detail { gap } else { nil }
    }
    let now = clock.now().wall
    #expect(gaps.map(\.span) == [.time(from: now - 4999, to: now)])
  }
}
