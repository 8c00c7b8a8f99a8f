import Telemetry
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("The newest readings")
struct NewestReadingsTests {
  private let clock = ManualClock()
  private let gas = DeviceSchema(name: "gas", points: ["ch4", "co"])

  private func sample(_ schema: DeviceSchema, _ outcomes: [(Int, Outcome)]) -> Sample {
    clock.advance(by: 1000)
    return Sample(
      device: schema, time: clock.now(),
      outcomes: outcomes.map { PointOutcome(point: $0.0, outcome: $0.1) })
  }

  @Test("Each point keeps its own newest outcome and when that was")
  func newest() {
    var readings = NewestReadings()
    #expect(readings.readings(of: "gas")["ch4"] == nil)
    readings.take(sample(gas, [(0, .good(.int(1))), (1, .bad(.timeout))]))
    let first = clock.now()
    readings.take(sample(gas, [(1, .good(.int(9)))]))
    #expect(readings.readings(of: "gas")["ch4"]?.outcome == .good(.int(1)))
    #expect(readings.readings(of: "gas")["ch4"]?.time == first)
    #expect(readings.readings(of: "gas")["co"]?.outcome == .good(.int(9)))
    #expect(readings.readings(of: "gas")["co"]?.time == clock.now())
    readings.take(sample(gas, [(0, .bad(.outOfRange, raw: .int(7)))]))
    #expect(
      readings.readings(of: "gas")["ch4"]?.outcome == .bad(.outOfRange, raw: .int(7)))
  }

  @Test("An index that the device does not have is passed over")
  func outside() {
    var readings = NewestReadings()
    readings.take(sample(gas, [(2, .good(.int(1))), (-1, .good(.int(1)))]))
    #expect(readings.readings(of: "gas")["ch4"] == nil)
  }

  @Test("A device whose points changed, or that is gone, leaves nothing of before")
  func change() {
    var readings = NewestReadings()
    readings.take(sample(gas, [(0, .good(.int(1)))]))
    let other = DeviceSchema(name: "gas", points: ["co", "ch4"])
    readings.take(sample(other, [(0, .good(.int(2)))]))
    #expect(readings.readings(of: "gas")["ch4"] == nil)
    #expect(readings.readings(of: "gas")["co"]?.outcome == .good(.int(2)))
    readings.keepOnly(["gas"])
    #expect(readings.readings(of: "gas")["co"] != nil)
    readings.keepOnly([])
    #expect(readings.readings(of: "gas")["co"] == nil)
  }
}
