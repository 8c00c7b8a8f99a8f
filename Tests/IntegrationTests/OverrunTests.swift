import Foundation
import TestSupport
import Testing

/// The whole way from stations that are slower than their points are due.
@Suite("From an overrun bus to the subscriber", .ownThread)
struct OverrunTests {
  @Test("A slave that answers after 250 ms, asked every 100 ms: in order, nothing lost or untold")
  func slowSlave() throws {
    let scenario = """
      seed: 11
      stations:
        slow: { port: 15000 }
      devices:
        gas:
          station: slow
          unit: 1
          every: 100ms
          delay: 250ms
          points:
            ch4: { input: 0, type: float32, unit: "%CH4", signal: { methane: { base: 0.3 } } }
            wind:
              { holding: 2, type: uint16, scale: 0.1, unit: m/s,
                signal: { wave: { mean: 4, amplitude: 2, period: 60s } } }
        fan:
          station: slow
          unit: 2
          every: 500ms
          delay: 20ms
          points:
            door: { discrete: 0, signal: { duty: { period: 20s, on: 50% } } }
      faults:
        - { device: fan, from: 6s, to: 12s, kind: silent }

      """
    let rig = try Rig(scenario: scenario, stations: 1)
    try rig.startAll()
    reach(.now + .seconds(25))
    let account = try rig.finish()

    #expect(account.problems == [])
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("truth", "delivered") == account.number("truth", "served"))
    #expect(account.number("truth", "served") > 50)
    let gas = try #require(account.list("devices").first { $0["device"] as? String == "gas" })
    let bad = gas["bad"] as? [String: Int] ?? [:]
    let good = gas["good"] as? Int ?? 0
    // Two requests of 250 ms in turn: of five cycles of each point one is read.
    #expect(good > 40, "\(gas)")
    #expect(Set(bad.keys).isSubset(of: ["not-read", "timeout"]), "\(bad)")
    #expect((bad["timeout"] ?? 0) <= Programs.slack, "\(bad)")
    #expect(
      ((24 - Programs.slack) * 20...(27 + Programs.slack) * 20)
        .contains(good + bad.values.reduce(0, +)), "\(gas)")
  }
}
