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
    #expect(readings.reading(of: "ch4", device: "gas") == nil)
    readings.take(sample(gas, [(0, .good(.int(1))), (1, .bad(.timeout))]))
    let first = clock.now()
    readings.take(sample(gas, [(1, .good(.int(9)))]))
    #expect(readings.reading(of: "ch4", device: "gas")?.outcome == .good(.int(1)))
    #expect(readings.reading(of: "ch4", device: "gas")?.time == first)
    #expect(readings.reading(of: "co", device: "gas")?.outcome == .good(.int(9)))
    #expect(readings.reading(of: "co", device: "gas")?.time == clock.now())
    readings.take(sample(gas, [(0, .bad(.outOfRange, raw: .int(7)))]))
    #expect(
      readings.reading(of: "ch4", device: "gas")?.outcome == .bad(.outOfRange, raw: .int(7)))
  }

  @Test("An index that the device does not have is passed over")
  func outside() {
    var readings = NewestReadings()
    readings.take(sample(gas, [(2, .good(.int(1))), (-1, .good(.int(1)))]))
    #expect(readings.reading(of: "ch4", device: "gas") == nil)
  }

  @Test("A device whose points changed, or that is gone, leaves nothing of before")
  func change() {
    var readings = NewestReadings()
    readings.take(sample(gas, [(0, .good(.int(1)))]))
    let other = DeviceSchema(name: "gas", points: ["co", "ch4"])
    readings.take(sample(other, [(0, .good(.int(2)))]))
    #expect(readings.reading(of: "ch4", device: "gas") == nil)
    #expect(readings.reading(of: "co", device: "gas")?.outcome == .good(.int(2)))
    readings.keepOnly(["gas"])
    #expect(readings.reading(of: "co", device: "gas") != nil)
    readings.keepOnly([])
    #expect(readings.reading(of: "co", device: "gas") == nil)
  }
}
