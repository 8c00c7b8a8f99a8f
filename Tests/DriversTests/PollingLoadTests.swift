import Telemetry
import Testing

@testable import Drivers

/// What happens on a line that is nearly full, or fuller.
@Suite("Polling under load")
struct PollingLoadTests {
  private let line = SerialLine(path: "/dev/null", baud: 9600)
  private let silent = Result<ReadAnswer, TransactionError>.failure(.timeout(brokeOff: false))

  private func definition(
    _ devices: [ModbusDevice], timeout: Int64 = 200
  ) -> ModbusBusDefinition {
    ModbusBusDefinition(
      name: "line", endpoint: .rtu(line), timeoutMilliseconds: timeout, devices: devices)
  }

  /// As long as the line takes for it, with a unit that answers after 5 ms.
  private func takes(_ request: PlannedRequest) -> Int64 {
    RequestCost(line: line, turnaround: 5_000).microseconds(of: request) / 1000
  }

  private func registers(_ count: UInt16, every: Int64 = 1000) -> [ModbusPoint] {
    (0..<count).map { point("p\($0)", .holding, $0, every: every) }
  }

  @Test("Sixty slow units cost eight fast ones no cycle, also at the start")
  func slowUnitsDontHurtFastOnes() {
    let fast = (1...8).map { device("f\($0)", unit: UInt8($0), points: registers(10)) }
    let slow = (1...60).map {
      device("s\($0)", unit: UInt8(100 + $0), points: registers(10, every: 60_000))
    }
    func lost(spreads: Bool) -> Int {
      var play = Play(definition(fast + slow), spreads: spreads) { request, _ in
        (values(request), takes(request))
      }
      play.run(until: 180_000)
      return fast.reduce(0) { sum, device in
        sum + play.reasons(of: device.name).count { $0 == .notRead }
      }
    }
    #expect(lost(spreads: true) == 0)
    #expect(lost(spreads: false) > 0, "else this test shows nothing")
  }

  @Test("First values are there within a second, or as soon as the line has carried them")
  func startsQuickly() {
    let devices = (1...8).map { device("f\($0)", unit: UInt8($0), points: registers(10)) }
    let hourly = (1...10).map {
      device("h\($0)", unit: UInt8(100 + $0), points: registers(10, every: 3_600_000))
    }
    var play = Play(definition(devices + hourly), spreads: true) { request, _ in
      (values(request), takes(request))
    }
    play.run(until: 2500)
    #expect(Set(play.samples.map(\.device.name)).count == 18)
    for device in devices {
      let first = play.samples.first { $0.device.name == device.name }
      #expect((0...1050).contains(first?.time.monotonic ?? .max))
    }
    // The plan's figures agree: 8 × 51 ms each second, and 10 more.
    #expect(abs(BusPlan(definition(devices + hourly)).load - 0.41) < 0.05)
  }

  @Test("A connection that is closed after each cycle is asked everything at once")
  func asksAtOnceWhereItCloses() {
    let devices = (1...8).map { device("f\($0)", unit: UInt8($0), points: registers(2)) }
    func phases(closing: Bool) -> Set<Int64> {
      var definition = definition(devices)
      definition.manners.closesAfterCycle = closing
      let agenda = PollAgenda(definition, start: 0, spreads: true)
      return Set(agenda.schedule.entries { _ in true }.map(\.next))
    }
    #expect(phases(closing: true) == [0])
    #expect(phases(closing: false).count == 8)
  }

  @Test("A slow unit's turn-around and pauses are in the plan, and its own time-out")
  func reckonsPacing() {
    var slow = device("slow", unit: 1)
    slow.turnaroundMilliseconds = 80
    slow.pauseMilliseconds = 30
    var definition = definition([slow, device("fast", unit: 2)])
    func milliseconds(_ index: Int) -> Double {
      let device = BusPlan(definition).devices[index]
      return device.milliseconds(of: device.requests[0])
    }
    // 15 characters are 17.19 ms, a silence 4.01 ms.
    #expect(abs(milliseconds(0) - (17.19 + 4.01 + 30 + 80)) < 0.05)
    #expect(abs(milliseconds(1) - (17.19 + 2 * 4.01 + 10)) < 0.05)
    #expect(BusPlan(definition).devices.map(\.timeoutMilliseconds) == [280, 200])
    definition.manners.pauseMilliseconds = 20
    #expect(abs(milliseconds(1) - (17.19 + 4.01 + 20 + 10)) < 0.05)
  }

  @Test("One dead unit among eight: the others keep their second", arguments: [1, 4, 8])
  func oneDeadUnit(dead: UInt8) {
    let devices = (1...8).map { device("d\($0)", unit: UInt8($0), points: registers(10)) }
    var play = Play(definition(devices), spreads: true) { request, _ in
      request.unit == dead ? (silent, 209) : (values(request), takes(request))
    }
    play.run(until: 300_000)
    for device in devices where device.unit != dead {
      #expect(play.reasons(of: device.name).allSatisfy { $0 == nil }, "\(device.name)")
    }
    let outcomes = play.reasons(of: "d\(dead)")
    #expect(Set(outcomes) == [.timeout, .offline])
    #expect(outcomes.count == 10 * 300)
    Accounting.expectExact(
      play, devices.map(\.name),
      phases: PollAgenda(definition(devices), start: 0, spreads: true))
  }

  @Test("On a line with twice the load safety points keep every cycle, and others one a second")
  func safetyGoesFirst() {
    var devices = (1...30).map { device("d\($0)", unit: UInt8($0), points: registers(10)) }
    for index in 0..<8 {
      for point in devices[index].points.indices { devices[index].points[point].isSafety = true }
    }
    let plan = BusPlan(definition(devices))
    #expect(plan.load > 1.3)
    #expect((0.3...0.5).contains(plan.safetyLoad))
    var play = Play(definition(devices), spreads: true) { request, _ in
      (values(request), takes(request))
    }
    play.run(until: 120_000)
    for device in devices[..<8] {
      #expect(play.reasons(of: device.name).allSatisfy { $0 == nil }, "\(device.name)")
    }
    for device in devices[8...] {
      let reasons = play.reasons(of: device.name)
      #expect(reasons.count { $0 == nil } > 10 * 20, "\(device.name)")
      #expect(reasons.contains(.notRead))
    }
    Accounting.expectExact(
      play, devices.map(\.name),
      phases: PollAgenda(definition(devices), start: 0, spreads: true))
  }

  @Test("Safety points that alone are too much leave the others a request a second")
  func safetyStarvesNobody() {
    var devices = (1...30).map { device("d\($0)", unit: UInt8($0), points: registers(10)) }
    for index in 0..<26 { devices[index].points[0].isSafety = true }
    var play = Play(definition(devices), spreads: true) { request, _ in
      (values(request), takes(request))
    }
    play.run(until: 60_000)
    let ordinary = play.asked.filter { $0.unit > 26 }
    #expect((50...62).contains(ordinary.count), "\(ordinary.count)")
    for unit in 27...30 as ClosedRange<UInt8> {
      #expect(ordinary.count { $0.unit == unit } >= 10)
    }
  }
}
