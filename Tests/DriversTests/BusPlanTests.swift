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
    #expect(plan.cycleMillisecondsWithOneDead == 3000 + 10)
    #expect(plan.cycleMillisecondsWithAllDead == 3000 + 1000)
    // A time-out each 11 s in place of 10 ms each second.
    #expect(abs(plan.loadWithOneDead - (0.04 + 1.0 / 11)) < 0.0001)
    #expect(abs(plan.loadWithAllDead - 2.0 / 11) < 0.0001)
    #expect(plan.safetyLoad == 0)
    #expect(plan.impossibleRequests.isEmpty)
  }

  @Test("A bus without devices costs nothing")
  func plansAnEmptyBus() {
    let plan = BusPlan(bus())
    #expect(plan.cycleMilliseconds == 0)
    #expect(plan.cycleMillisecondsWithOneDead == 0)
    #expect(plan.cycleMillisecondsWithAllDead == 0)
    #expect(plan.loadWithOneDead == 0)
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
    #expect(abs(plan.devices[0].milliseconds(of: plan.devices[0].requests[0]) - 37.5) < 0.01)
    #expect(plan.cycleMilliseconds == 38)
    #expect(abs(plan.load - 0.0375) < 0.0001)
    // A dead unit: the request's 9.17 ms and the time-out.
    #expect(plan.cycleMillisecondsWithOneDead == 510)
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
    #expect(BusPlan(definition).impossibleRequests.count == 1, "its 213 bytes take 2 s")
  }

  @Test("A short time-out lets a dying unit be asked more often, for a second")
  func countsQuestions() {
    let points = (0..<8).map { point(UInt16($0 * 100)) }
    let plan = BusPlan(bus(timeout: 200, device("a", unit: 1, points: points)))
    #expect(plan.requestCount == 8)
    #expect(plan.cycleMillisecondsWithOneDead == 6 * 200)
  }
}
