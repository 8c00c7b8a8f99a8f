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
