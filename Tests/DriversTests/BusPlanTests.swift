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

  @Test("Where a cycle opens the connection anew, the pause after connecting is of its time")
  func paysForOpening() {
    var definition = bus(
      timeout: 1000, device("a", unit: 1), device("b", unit: 2, points: [point(0, every: 3000)]))
    definition.manners.pauseAfterConnectMilliseconds = 400
    #expect(BusPlan(definition).reopeningMilliseconds == 0)
    #expect(abs(BusPlan(definition).load - (0.01 + 0.01 / 3)) < 0.0001)
    definition.manners.closesAfterCycle = true
    let plan = BusPlan(definition)
    #expect(plan.reopeningMilliseconds == 400)
    #expect(plan.cycleMilliseconds == 420)
    #expect(plan.cycleMillisecondsWithOneDead == 1410)
    #expect(plan.cycleMillisecondsWithAllDead == 2400)
    // b is due with a, so it opens nothing of its own.
    #expect(abs(plan.load - (0.01 + 0.01 / 3 + 0.4)) < 0.0001)
    // b is dead: a time-out each 11 s.
    #expect(abs(plan.loadWithOneDead - (0.01 + 0.4 + 1.0 / 11)) < 0.0001)
    // Each is asked once in 11 s, and the connection made for it.
    #expect(abs(plan.loadWithAllDead - 2 * (1.0 / 11 + 0.4 / 11.4)) < 0.0001)
    definition.devices[0].points[0].isSafety = true
    #expect(abs(BusPlan(definition).safetyLoad - 0.41) < 0.0001)
    // Periods that don't meet open it each for itself.
    definition.devices[1] = device("b", unit: 2, points: [point(0, every: 1500)])
    #expect(abs(BusPlan(definition).load - (0.01 + 0.01 / 1.5 + 0.4 + 0.4 / 1.5)) < 0.0001)
  }

  @Test("A connection that is given back when idle costs only cycles that are rarer than that")
  func paysWhenIdle() {
    var definition = bus(timeout: 1000, device("a", unit: 1, points: [point(0, every: 5000)]))
    definition.manners.pauseAfterConnectMilliseconds = 10_000
    definition.manners.idleTimeoutMilliseconds = 5000
    #expect(BusPlan(definition).reopeningMilliseconds == 0)
    // Dead, it is asked more rarely than that.
    #expect(abs(BusPlan(definition).loadWithAllDead - (1.0 / 11 + 10.0 / 21)) < 0.0001)
    definition.manners.idleTimeoutMilliseconds = 1000
    let plan = BusPlan(definition)
    #expect(abs(plan.load - (0.002 + 2)) < 0.0001)
    #expect(plan.cycleMilliseconds == 10_010)
    #expect(plan.cycleMillisecondsWithAllDead == 11_000)
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

  @Test(
    "The delays of the direction control are of each request's time",
    arguments: [RS485Direction.Switch.kernel, .rts])
  func reckonsDelays(by way: RS485Direction.Switch) {
    func plan(_ direction: RS485Direction?) -> BusPlan {
      let line = SerialLine(path: "/dev/ttyS1", baud: 9600, direction: direction)
      return BusPlan(
        bus(line, timeout: 500, device("a", unit: 1, points: [point(0, every: 100)])))
    }
    let plain = plan(nil)
    let delayed = plan(
      RS485Direction(by: way, delayBeforeMilliseconds: 100, delayAfterMilliseconds: 20))
    #expect(plain.impossibleRequests.isEmpty)
    #expect(delayed.impossibleRequests.count == 1)
    #expect(abs(delayed.load - plain.load - 1.2) < 0.0001)
    // The kernel holds the driver on while the time-out runs already.
    let more = delayed.devices[0].silentMilliseconds - plain.devices[0].silentMilliseconds
    #expect(abs(more - (way == .kernel ? 100 : 120)) < 0.001)
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
