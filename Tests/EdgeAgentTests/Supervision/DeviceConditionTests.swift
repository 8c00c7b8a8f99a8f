import Telemetry
import Testing

@testable import EdgeAgent

@Suite("How a device does")
struct DeviceConditionTests {
  static let schema = DeviceSchema(name: "return-air", points: ["ch4", "fault"])

  func sample(_ point: Int, _ outcome: Outcome) -> Sample {
    Sample(
      device: Self.schema, time: Timestamp(monotonic: 1, offset: 1, clock: .synced),
      outcomes: [PointOutcome(point: point, outcome: outcome)])
  }

  @Test(
    "A point that fails for good is named although the device answers, and forgotten when it reads")
  func onePointFails() {
    var condition = DeviceCondition()
    #expect(condition.fault == "starting")
    for round in 1...4 {
      condition.take(sample(1, .good(.bool(false))), isBusOpen: true)
      condition.take(sample(0, .bad(.exception(2))), isBusOpen: true)
      #expect(condition.fault == (round < 3 ? nil : "ch4: exception-2"))
    }
    condition.take(sample(0, .good(.float32(0.2))), isBusOpen: true)
    #expect(condition.fault == nil)
  }

  @Test("Where all points fail it is the driver that calls the device lost")
  func allFail() {
    var condition = DeviceCondition()
    condition.take(sample(0, .good(.float32(0.2))), isBusOpen: true)
    for _ in 1...5 {
      condition.take(sample(0, .bad(.timeout)), isBusOpen: true)
      condition.take(sample(1, .bad(.timeout)), isBusOpen: true)
    }
    #expect(condition.fault == nil)
    condition.lose("timeout")
    #expect(condition.fault == "timeout")
  }

  @Test("A reading out of range and a cycle that was not read are no faults of the device")
  func noFault() {
    var condition = DeviceCondition()
    for _ in 1...5 {
      condition.take(sample(0, .bad(.outOfRange, raw: .float32(4.5))), isBusOpen: true)
      condition.take(sample(1, .bad(.notRead)), isBusOpen: true)
    }
    #expect(condition.fault == nil)
  }

  @Test("A point that fails stays named when the others fail as well, until a value comes")
  func restFailsToo() {
    var condition = DeviceCondition()
    condition.take(sample(0, .good(.float32(0.2))), isBusOpen: true)
    condition.take(sample(1, .good(.bool(false))), isBusOpen: true)
    for _ in 1...3 { condition.take(sample(0, .bad(.timeout)), isBusOpen: true) }
    #expect(condition.fault == "ch4: timeout")
    condition.take(sample(1, .bad(.timeout)), isBusOpen: true)
    #expect(condition.fault == "ch4: timeout")
    for _ in 1...3 { condition.take(sample(0, .bad(.offline)), isBusOpen: true) }
    #expect(condition.fault == "ch4: timeout")
    condition.take(sample(1, .good(.bool(false))), isBusOpen: true)
    #expect(condition.fault == "ch4: timeout")
    condition.take(sample(0, .good(.float32(0.2))), isBusOpen: true)
    #expect(condition.fault == nil)
  }

  @Test("A device that answers nothing but errors of its sensors is not well")
  func nothingButErrors() {
    var condition = DeviceCondition()
    for round in 1...4 {
      condition.take(sample(0, .bad(.notANumber)), isBusOpen: true)
      condition.take(sample(1, .bad(.errorValue)), isBusOpen: true)
      #expect(condition.fault == (round < 3 ? "starting" : "ch4: not-a-number"))
    }
    condition.take(sample(0, .good(.float32(0.2))), isBusOpen: true)
    #expect(condition.fault == "fault: error-value")
  }
}
