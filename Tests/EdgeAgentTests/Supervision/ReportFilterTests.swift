import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import Drivers
@testable import EdgeAgent

@Suite("Points that are reported on change")
struct ReportFilterTests {
  private let schema = DeviceSchema(name: "fan", points: ["wind", "heat", "door"])

  private func filter(_ rules: [ReportRule?]) throws -> ReportFilter {
    let points = rules.enumerated().map { index, rule in
      ModbusPoint(
        description: PointDescription(name: schema.points[index], type: "uint16", report: rule),
        table: .holding, address: UInt16(index), type: .uint16, everyMilliseconds: 1000)
    }
    return try #require(ReportFilter(ModbusDevice(name: "fan", unit: 1, points: points)))
  }

  private func sample(_ outcomes: [Outcome], at time: Int64) -> Sample {
    Sample(
      device: schema, time: Timestamp(monotonic: time, offset: 0, clock: .synced),
      outcomes: outcomes.enumerated().map { PointOutcome(point: $0.offset, outcome: $0.element) })
  }

  private let rule = ReportRule(deadband: 1, atLeastMilliseconds: 10_000)

  @Test("A device without rules has no filter")
  func noRules() {
    #expect(ReportFilter(ModbusDevice(name: "fan", unit: 1, points: [])) == nil)
  }

  @Test("The first reading is reported, then a change, then a sign of life")
  func changes() throws {
    var filter = try filter([rule])
    var reported: [Int64] = []
    // Creeps by less than the deadband: what counts is the value that was reported last.
    let readings: [(Int64, UInt64)] = [
      (0, 10), (1000, 11), (2000, 11), (3000, 12), (4000, 13), (5000, 12), (13_000, 13),
      (13_999, 12), (14_000, 12),
    ]
    for (time, value) in readings
    where filter.news(in: sample([.good(.uint(value))], at: time)) != nil {
      reported.append(time)
    }
    #expect(reported == [0, 3000, 13_000])
  }

  @Test("A sign of life comes at the latest when it is due, not a reading after that")
  func signOfLife() throws {
    var filter = try filter([ReportRule(deadband: 1, atLeastMilliseconds: 4_500)])
    let reported = (0...12).map { Int64($0) * 1000 }.filter {
      filter.news(in: sample([.good(.uint(7))], at: $0)) != nil
    }
    #expect(reported == [0, 4_000, 8_000, 12_000])
  }

  @Test("Points with and without a rule keep their own ways in one sample")
  func mixed() throws {
    var filter = try filter([rule, nil, rule])
    let first = sample([.good(.uint(1)), .good(.uint(2)), .bad(.timeout)], at: 0)
    #expect(filter.news(in: first) == first)
    let second = sample([.good(.uint(1)), .good(.uint(2)), .bad(.offline)], at: 1000)
    #expect(filter.news(in: second)?.outcomes.map(\.point) == [1, 2])
    let third = sample([.good(.uint(5)), .good(.uint(2)), .bad(.offline)], at: 2000)
    #expect(filter.news(in: third)?.outcomes.map(\.point) == [0, 1])
  }

  @Test("What is held back is still known to status and health")
  func intake() throws {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses: { station: { tcp: { host: 10.20.0.5 } } }
        devices:
          fan:
            bus: station
            unit: 3
            report: { deadband: 0.5, at-least: 1min }
            points: { wind: { input: 2, type: uint16, unit: m/s } }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    let clock = ManualClock()
    let ring = SampleRing()
    let board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
    let intake = BusIntake(
      board: board, devices: configuration.buses.flatMap(\.devices), definitions: 1,
      start: clock.now())
    let wind = DeviceSchema(name: "fan", points: ["wind"])
    for (index, value) in [7, 7, 7, 8].enumerated() {
      let time = clock.now().advanced(by: Int64(index) * 1000)
      intake.accept(
        Sample(
          device: wind, time: time,
          outcomes: [PointOutcome(point: 0, outcome: .good(.uint(UInt64(value))))]))
    }
    let kept = ring.take(atMost: 0).samples.map(\.sample.outcomes[0].outcome)
    #expect(kept == [.good(.uint(7)), .good(.uint(8))])
    let newest = board.snapshot().readings.readings(of: "fan")["wind"]
    #expect(newest?.time == clock.now().advanced(by: 3000))
  }
}
