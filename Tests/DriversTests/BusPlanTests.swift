import Telemetry
import Testing

@testable import Drivers

@Suite("Bus plan")
struct BusPlanTests {
  @Test("A plan names each device's requests and what a cycle costs")
  func plansABus() {
    let wide = device("wide", unit: 2, points: [point(0), point(100), point(200), point(300)])
    let plan = BusPlan(bus(timeout: 1000, device("a", unit: 1), wide))
    #expect(plan.bus == "station")
    #expect(plan.devices.map(\.name) == ["a", "wide"])
    #expect(plan.devices.map(\.requests.count) == [1, 4])
    #expect(plan.requestCount == 5)
    #expect(plan.cycleMilliseconds == 50)
    #expect(plan.load == 0.05)
    #expect(plan.shortestEveryMilliseconds == 1000)
    // wide is backed off at its third time-out; a's request is 10 ms.
    #expect(plan.worstCycleMillisecondsWithOneDeadDevice == 3000 + 10)
  }

  @Test("A bus without devices costs nothing")
  func plansAnEmptyBus() {
    let plan = BusPlan(bus())
    #expect(plan.cycleMilliseconds == 0)
    #expect(plan.worstCycleMillisecondsWithOneDeadDevice == 0)
    #expect(plan.shortestEveryMilliseconds == nil)
  }
}

@Suite("Plan of a serial line")
struct SerialLinePlanTests {
  @Test("A transaction takes its bytes, two silences and the unit's turn-around")
  func reckonsTheWire() {
    let line = SerialLine(path: "/dev/ttyS1", baud: 9600)
    var definition = bus(line, timeout: 500)
    definition.devices = [device("a", unit: 1, points: [point(0), point(1)])]
    let plan = BusPlan(definition)
    // 8 + 5 + 4 bytes of 11 bits at 9600 Bd are 19.48 ms, two silences 8.02 ms, 10 ms to answer.
    #expect(abs(plan.milliseconds(of: plan.devices[0].requests[0]) - 37.5) < 0.01)
    #expect(plan.cycleMilliseconds == 38)
    #expect(abs(plan.load - 0.0375) < 0.0001)
    // A dead unit: the request's 9.17 ms and the time-out.
    #expect(plan.worstCycleMillisecondsWithOneDeadDevice == 510)
  }

  @Test("A slow line that can't keep its periods says so by its load")
  func findsOverload() {
    let line = SerialLine(path: "/dev/ttyS1", baud: 1200)
    var definition = bus(line)
    definition.devices = [device("a", unit: 1, points: [point(0), point(99)])]
    #expect(BusPlan(definition).load < 1)
    definition.devices = [
      device("a", unit: 1, points: (0..<100).map { point(UInt16($0)) })
    ]
    #expect(BusPlan(definition).load > 1)
  }
}
