import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Sample times")
struct SampleTimeTests {
  @Test("Cycles that a late answer swallowed come before it, in the order of their times")
  func lateAnswerComesAfterWhatItSwallowed() {
    var play = Play(bus(device("a", unit: 1, points: [point(0, every: 100)]))) { request, _ in
      (values(request), 250)
    }
    play.run(until: 700)
    // Asked at 1 ms for cycle 0, at 251 for 200, at 501 for 500.
    #expect(play.samples.map(\.time.monotonic) == [100, 251, 300, 400, 501, 600, 751])
    #expect(
      play.reasons(of: "a") == [.notRead, nil, .notRead, .notRead, nil, .notRead, nil])
  }

  @Test("A failure is dated when it was due, but never before the value that came meanwhile")
  func failureAfterALateAnswer() {
    var count = 0
    var play = Play(bus(device("a", unit: 1, points: [point(0, every: 100)]))) { request, _ in
      count += 1
      return count == 1 ? (values(request), 150) : (.failure(.timeout(brokeOff: false)), 60)
    }
    play.run(until: 300)
    // Cycle 0 is answered at 151, when cycle 100 is due already; that one fails.
    #expect(play.samples.map(\.time.monotonic) == [151, 152, 200])
    #expect(play.reasons(of: "a") == [nil, .timeout, .timeout])
  }

  @Test("A time-out comes before the cycles that it swallowed")
  func timeoutComesFirst() {
    var play = Play(bus(device("a", unit: 1, points: [point(0, every: 100)]))) { _, _ in
      (.failure(.timeout(brokeOff: false)), 250)
    }
    play.run(until: 250)
    _ = play.machine.next(at: play.time)
    let reports = play.reports + play.machine.takeReports()
    let times = reports.compactMap { report -> Int64? in
      if case .sample(let sample) = report { sample.time.monotonic } else { nil }
    }
    #expect(times == [0, 100])
  }

  @Test(
    "Of each point times strictly increase, and each cycle has exactly one outcome",
    arguments: 0..<60 as Range<UInt64>)
  func timesIncrease(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let devices = randomDevices(&generator)
    let isSerial = Bool.random(using: &generator)
    let line = SerialLine(path: "/dev/null", baud: 9600)
    let definition = ModbusBusDefinition(
      name: "station", endpoint: isSerial ? .rtu(line) : .tcp(host: "h", port: 1),
      timeoutMilliseconds: 300, devices: devices)
    let faultyTime: Int64 = 30_000
    var faults = SeededGenerator(seed: seed &+ 1000)
    var play = Play(definition) { request, now in
      guard now < faultyTime else { return (values(request), 1) }
      return Self.answer(request, &faults)
    }
    var connecting = SeededGenerator(seed: seed &+ 2000)
    play.connect = { now in
      let isRefused = now < faultyTime && Int.random(in: 0..<3, using: &connecting) == 0
      return (isRefused ? .refused(endpoint: "e") : nil, .random(in: 0...500, using: &connecting))
    }
    // By then no unit is backed off any more and no late answer is waited for.
    let settled = faultyTime + 20_000
    play.run(until: settled + 50)
    expectEachCycleOnceInOrder(play, devices, until: settled)
  }

  private func randomDevices(_ generator: inout SeededGenerator) -> [ModbusDevice] {
    let periods: [Int64] = [100, 200, 500, 1000]
    return (1...2).map { unit in
      let every = periods.randomElement(using: &generator) ?? 100
      return device(
        "d\(unit)", unit: UInt8(unit),
        points: (0..<4).map { index in
          point(
            "p\(index)", .holding, .random(in: 0...20, using: &generator),
            every: index == 0 ? periods.randomElement(using: &generator) ?? 100 : every)
        })
    }
  }

  private static func answer(
    _ request: PlannedRequest, _ faults: inout SeededGenerator
  ) -> (Result<ReadAnswer, TransactionError>, Int64) {
    let takes = Int64.random(in: 0...280, using: &faults)
    return switch Int.random(in: 0..<30, using: &faults) {
    case 0...2: (.failure(.timeout(brokeOff: false)), 300)
    case 3: (.failure(.timeout(brokeOff: true)), 300)
    case 4: (.success(.exception(2)), takes)
    case 5: (.success(.exception([4, 5, 6].randomElement(using: &faults) ?? 4)), takes)
    case 6: (.failure(.closed(reason: "cut")), takes)
    case 7: (.failure(.closedBefore(reason: "idle")), 0)
    case 8: (.failure(.badAnswer(.wrongProtocol(found: 1))), takes)
    case 9: (.failure(.wrongChecksum), takes)
    case 10...19: (values(request), takes)
    default: (values(request), 0)
    }
  }

  private func expectEachCycleOnceInOrder(
    _ play: Play, _ devices: [ModbusDevice], until end: Int64
  ) {
    let gaps = play.events.filter { if case .gap = $0.detail { true } else { false } }
    #expect(gaps.isEmpty, "no pause was so long")
    for device in devices {
      let samples = play.samples.filter { $0.device.name == device.name }
      for (index, point) in device.points.enumerated() {
        let times = samples.filter { sample in sample.outcomes.contains { $0.point == index } }
          .map(\.time.monotonic)
        let disorder = zip(times, times.dropFirst()).first { $0 >= $1 }
        #expect(disorder == nil, "\(device.name).\(index), every \(point.everyMilliseconds)")
        #expect(
          times.count == Int(end / point.everyMilliseconds) + 1,
          "\(device.name).\(index), every \(point.everyMilliseconds)")
      }
    }
  }
}
