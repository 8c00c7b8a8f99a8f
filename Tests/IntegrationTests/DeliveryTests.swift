import Foundation
import TestSupport
import Testing

/// The whole way on real parts, accounted value by value against what the simulator served.
@Suite("From the slaves to the subscriber", .ownThread)
struct DeliveryTests {
  @Test("A broker that is away for 20 s costs nothing, and live data comes first when it is back")
  func brokerAway() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    try rig.startAll()
    let start = ContinuousClock.now
    reach(start + .seconds(20))
    try rig.broker.stop()
    reach(start + .seconds(40))
    try rig.broker.start()
    let back = unixMilliseconds()
    reach(start + .seconds(60))
    let account = try rig.finish(since: [back])

    #expect(account.problems == [])
    #expect(account.number("truth", "served") > 55 * 256)
    #expect(account.number("truth", "delivered") == account.number("truth", "served"))
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.number("conflicts", "count") == 0)
    // One loss of the connection, a window of 20.
    #expect(account.number("repeats") <= 20)
    let fresh = account.list("first-fresh").first?["milliseconds"] as? Int
    #expect(try #require(fresh) <= 2000 + 1000 * Programs.slack)
    #expect(account.number("messages", "history") > 0)
  }

  @Test("A kill of the agent loses only what was read within commit, and the next start says so")
  func agentKilled() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    try rig.startAll()
    let start = ContinuousClock.now
    reach(start + .seconds(20))
    try rig.broker.stop()
    reach(start + .seconds(30))
    let killed = unixMilliseconds()
    rig.agent?.kill()
    try rig.startAgent()
    reach(start + .seconds(40))
    try rig.broker.start()
    reach(start + .seconds(60))
    let restarted = unixMilliseconds()
    let account = try rig.finish()

    #expect(account.number("conflicts", "count") == 0)
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.number("truth", "invented") == 0)
    let lost = account.list("truth", "lost-values").compactMap { $0["time"] as? Int64 }
    // What was read more than `commit` before the kill is delivered; what was served in the moment
    // of the kill may not have been read.
    #expect(lost.allSatisfy { $0 > killed - 1000 && $0 < restarted }, "\(lost) \(killed)")
    #expect(lost.allSatisfy { $0 < killed + 1500 }, "\(lost) \(killed)")
    #expect(account.number("truth", "lost") == lost.count)
    let epochs = Set(account.list("streams").compactMap { $0["epoch"] as? Int })
    #expect(epochs == [1, 2])
    let gaps = account.list("time-gaps").compactMap { $0["reason"] as? String }
    #expect(gaps == ["unclean-stop"])
  }

  @Test(
    "One silent device of 16 costs the others no cycle, and its points arrive as bad each cycle")
  func silentDevice() throws {
    let faults = """
      faults:
        - { device: sensor-5, from: 10s, to: 40s, kind: silent }

      """
    let rig = try Rig(scenario: Rig.sixteenBySixteen + faults, stations: 16)
    try rig.startAll()
    reach(.now + .seconds(50))
    let account = try rig.finish()

    #expect(account.problems == [])
    #expect(account.number("truth", "lost") == 0)
    for device in account.list("devices") {
      let name = device["device"] as? String ?? ""
      let samples = device["samples"] as? Int ?? 0
      let good = device["good"] as? Int ?? 0
      let bad = (device["bad"] as? [String: Int] ?? [:])
      // A sample a second: 50 of them, give or take the ends.
      let wanted = 48 - Programs.slack...52 + Programs.slack
      #expect(wanted.contains(samples), "\(name): \(samples) samples")
      if name == "sensor-5" {
        let missing = bad.values.reduce(0, +)
        let wanted = (29 - Programs.slack) * 16...(41 + Programs.slack) * 16
        #expect(wanted.contains(missing), "\(bad)")
        #expect(Set(bad.keys).isSubset(of: ["timeout", "offline", "not-read", "bus-closed"]))
        #expect(good + missing == samples * 16)
      } else {
        let missing = bad.values.reduce(0, +)
        #expect(missing <= 16 * Programs.slack, "\(name): \(bad)")
        #expect(good + missing == samples * 16)
      }
    }
  }

  @Test("Slaves and brokers that are not there yet are named in health, and heal without a restart")
  func heals() throws {
    let faults = """
      faults:
        - { station: station-3, from: 0s, to: 15s, kind: refuse }

      """
    let rig = try Rig(scenario: Rig.sixteenBySixteen + faults, stations: 16)
    // The receiver's session is there first: without one the broker acknowledges to nobody.
    try rig.broker.start()
    try rig.startReceiver()
    try rig.broker.stop()
    try rig.startSimulator()
    let agent = try rig.startAgent()
    try agent.waitUntilItPrints("destination province: refused")
    try agent.waitUntilItPrints("device sensor-3: refused")
    try rig.broker.start()
    try agent.waitUntilItPrints("destination province: ok")
    try waitUntil("health says so") { rig.health().contains("\"device/sensor-3\":\"refused\"") }
    try agent.waitUntilItPrints("device sensor-3: ok")
    try waitUntil("health says so") { rig.health().contains("\"healthy\":true") }
    let account = try rig.finish()
    #expect(account.number("truth", "lost") == 0)
    #expect(account.problems == [])
  }
}
