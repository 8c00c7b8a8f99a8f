import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Bus accounting")
struct BusAccountingTests {
  @Test("Silence is never an outcome", arguments: 0..<60 as Range<UInt64>)
  func accountsForEveryPointOfEveryCycle(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let periods: [Int64] = [100, 250, 1000, 3000]
    let devices = (1...4).map { unit in
      device(
        "d\(unit)", unit: UInt8(unit),
        points: (0..<5).map { index in
          point(
            "p\(index)", .holding, .random(in: 0...60, using: &generator),
            every: periods.randomElement(using: &generator) ?? 1000)
        })
    }
    let definition = ModbusBusDefinition(
      name: "station", endpoint: .tcp(host: "h", port: 1), timeoutMilliseconds: 200,
      devices: devices)
    var faults = SeededGenerator(seed: seed &+ 1000)
    var play = Play(definition) { request, _ in
      switch Int.random(in: 0..<20, using: &faults) {
      case 0...2: (.failure(.timeout(brokeOff: false)), 200)
      case 3: (.failure(.timeout(brokeOff: true)), 200)
      case 4: (.success(.exception(2)), 3)
      case 5: (.success(.exception(4)), 3)
      case 6: (.failure(.closed(reason: "cut")), 3)
      case 7: (.failure(.closedBefore(reason: "idle")), 0)
      case 8: (.failure(.badAnswer(.wrongProtocol(found: 1))), 3)
      default: (values(request), 3)
      }
    }
    var connecting = SeededGenerator(seed: seed &+ 2000)
    play.connect = { _ in
      switch Int.random(in: 0..<4, using: &connecting) {
      case 0: (.refused(endpoint: "e"), 1)
      case 1: (.failed(.init(call: "connect", subject: "e", code: 110)), 2000)
      default: (nil, 1)
      }
    }
    play.run(until: 60_000)
    expectCompleteCycles(play, devices)
    for source in ["station", "d1", "d2", "d3", "d4"] {
      let told = play.events.filter { $0.source == source && $0.stateDetail != nil }
      for (first, second) in zip(told, told.dropFirst()) {
        #expect(first.stateDetail != second.stateDetail)
        // A bus may be closed for another reason, but tells that no sooner.
        let pause = second.time.monotonic - first.time.monotonic
        #expect(
          first.stateDetail?.state != second.stateDetail?.state
            || (source == "station" && pause >= BusWatch.reasonPauses.lowerBound))
      }
    }
  }

  @Test("Periods that no bus can keep fill no stream of events, and no cycle is left out")
  func tellsOfShortOverruns() {
    let devices = (1...8).map { unit in
      device("d\(unit)", unit: UInt8(unit), points: [point("p", .holding, 0, every: 1)])
    }
    let definition = ModbusBusDefinition(
      name: "line", endpoint: .tcp(host: "h", port: 1), timeoutMilliseconds: 200, devices: devices)
    var play = Play(definition) { request, _ in (values(request), 50) }
    play.run(until: 60_000)
    #expect(play.events.allSatisfy { $0.stateDetail != nil }, "no gap event")
    for device in devices {
      let told = play.samples.count { $0.device.name == device.name }
      #expect((59_000...60_001).contains(told), "\(told)")
    }
  }

  /// Every point has at least one outcome for each of its cycles, but for the newest few, and
  /// exactly as many as cycles.
  private func expectCompleteCycles(_ play: Play, _ devices: [ModbusDevice]) {
    for device in devices {
      for (index, point) in device.points.enumerated() {
        let count = play.samples.filter { $0.device.name == device.name }
          .flatMap(\.outcomes).count { $0.point == index }
        let cycles = Int(60_000 / point.everyMilliseconds)
        // What is under way at the end: an attempt to connect takes 2 s.
        let open = Int(2500 / point.everyMilliseconds) + 1
        #expect(
          (cycles - open...cycles + open).contains(count),
          "\(device.name).\(point.description.name): \(count) outcomes in \(cycles) cycles")
      }
    }
  }
}
