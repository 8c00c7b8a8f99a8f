import Foundation
import TestSupport
import Testing

/// The whole way with a serial line beside sixteen stations on TCP.
@Suite("From a serial line to the subscriber", .ownThread)
struct SerialLineTests {
  /// 16 × 16 points on TCP, and four units on one line at 9600 Bd.
  private static func scenario(link: String) -> String {
    Rig.sixteenBySixteen
      .replacingOccurrences(
        of: "stations:\n",
        with: "stations:\n  line: { rtu: { baud: 9600, link: \(link) }, timeout: 200ms }\n"
      )
      .replacingOccurrences(
        of: "devices:\n",
        with: """
          devices:
            unit:
              repeat: 4
              station: line
              unit: 1
              every: 1s
              delay: 5ms
              points:
                ch4: { input: 0, type: float32, unit: "%CH4", signal: { methane: { base: 0.3 } } }
                wind:
                  { input: 2, type: uint16, scale: 0.1, unit: m/s,
                    signal: { wave: { mean: 4, amplitude: 2, period: 60s } } }
                door: { discrete: 0, signal: { duty: { period: 20s, on: 50% } } }

          """)
  }

  @Test(
    "One of four units is silent for 30 s, the broker away for 20: the others keep their cycle"
  )
  func silentUnit() throws {
    let ports = try TemporaryDirectory()
    let faults = """
      faults:
        - { device: unit-2, from: 10s, to: 40s, kind: silent }

      """
    let rig = try Rig(scenario: Self.scenario(link: ports.path + "/COM1") + faults, stations: 17)
    try rig.startAll()
    let start = ContinuousClock.now
    reach(start + .seconds(20))
    try rig.broker.stop()
    reach(start + .seconds(40))
    try rig.broker.start()
    let back = unixMilliseconds()
    reach(start + .seconds(60))
    let account = try rig.finish(since: [back])

    let (lost, invented) = (
      account.list("truth", "lost-values"), account.list("truth", "invented-values")
    )
    #expect(account.problems == [], "lost \(lost), invented \(invented)")
    #expect(account.number("truth", "given-up") <= Programs.slack * 16)
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("truth", "served") > 55 * 256)
    #expect(account.number("truth", "delivered") == account.number("truth", "served"))
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.number("conflicts", "count") == 0)
    // One loss of the connection, a window of 20.
    #expect(account.number("repeats") <= 20)
    let fresh = account.list("first-fresh").first?["milliseconds"] as? Int
    #expect(try #require(fresh) <= 2000 + 1000 * Programs.slack)
    #expect(account.list("devices").count == 20)
    for device in account.list("devices") {
      let name = device["device"] as? String ?? ""
      let good = device["good"] as? Int ?? 0
      let bad = device["bad"] as? [String: Int] ?? [:]
      if name == "unit-2" {
        // Two requests a second of 30 s, and up to 10 s until it is asked again.
        let missing = bad.values.reduce(0, +)
        let wanted = (29 - Programs.slack) * 3...(41 + Programs.slack) * 3
        #expect(wanted.contains(missing), "\(bad)")
        #expect(Set(bad.keys).isSubset(of: ["timeout", "offline", "not-read"]), "\(bad)")
        #expect(good + missing >= (58 - Programs.slack) * 3)
      } else {
        let points = name.hasPrefix("unit") ? 3 : 16
        // A machine that is busy with other things may miss the 200 ms now and then; a line that
        // the silent unit holds up misses them each second.
        let missing = bad.values.reduce(0, +)
        #expect(missing <= Programs.slack * points, "\(name): \(bad)")
        // A sample of each point a second: 60 of them, give or take the ends.
        #expect(
          ((58 - Programs.slack) * points...(62 + Programs.slack) * points).contains(good),
          "\(name): \(good) values")
      }
    }
  }

  @Test("A port that is away at the start, and cut later, is named and heals without a restart")
  func absentPort() throws {
    let ports = try TemporaryDirectory()
    let faults = """
      faults:
        - { station: line, from: 0s, to: 12s, kind: refuse }
        - { station: line, from: 20s, to: 24s, kind: cut }

      """
    let rig = try Rig(scenario: Self.scenario(link: ports.path + "/COM1") + faults, stations: 17)
    try rig.startAll()
    let named = "\"bus/line\":\"open \(ports.path)/COM1: No such file or directory\""
    try waitUntil("the absent port is named", within: 20) { rig.health().contains(named) }
    reach(.now + .seconds(35))
    #expect(rig.health().contains("\"healthy\":true"), "\(rig.health())")
    let account = try rig.finish()
    #expect(account.problems == [])
    #expect(account.number("truth", "lost") == 0)
    for device in account.list("devices") {
      let name = device["device"] as? String ?? ""
      let bad = device["bad"] as? [String: Int] ?? [:]
      if name.hasPrefix("unit") {
        #expect((bad["bus-closed"] ?? 0) >= 10 * 3, "\(name): \(bad)")
      } else {
        // Programs that are slow connect when the first cycle is due already.
        let missed = bad["bus-closed"] ?? 0
        #expect(missed <= (Programs.areReleased ? 0 : 16), "\(name): \(bad)")
        #expect(bad.count == (missed > 0 ? 1 : 0), "\(name): \(bad)")
      }
    }
  }

  @Test("An agent that stands still for seconds gives no answer the time at which it reads it")
  func standsStill() throws {
    let ports = try TemporaryDirectory()
    let rig = try Rig(scenario: Self.scenario(link: ports.path + "/COM1"), stations: 17)
    try rig.startAll()
    let agent = try #require(rig.agent)
    let start = ContinuousClock.now
    // At other moments of the cycle each time: a third of it the line is at work.
    for number in 0..<6 {
      reach(start + .milliseconds(4000 + 4130 * number))
      agent.send(SIGSTOP)
      reach(start + .milliseconds(4000 + 4130 * number + 2600))
      agent.send(SIGCONT)
    }
    reach(start + .seconds(30))
    let account = try rig.finish()
    #expect(account.problems == [], "\(account.list("truth", "invented-values"))")
    #expect(account.number("truth", "delivered") == account.number("truth", "served"))
    // A transaction each time on the line, of two points at most, and one on TCP.
    #expect(account.number("truth", "given-up") <= 6 * 18 + Programs.slack * 16)
  }
}
