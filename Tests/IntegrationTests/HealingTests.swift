import Foundation
import TestSupport
import Testing

/// What is absent when the agent starts.
@Suite("Starting with half a site", .ownThread)
struct HealingTests {
  /// What `edge-agent status` prints, and its exit.
  private func status(_ rig: Rig) throws -> (text: String, exit: Int32) {
    let asking = try ChildProcess(Programs.agent, ["status", "-c", rig.path + "/agent.yaml"])
    let exit = try asking.waitForEnd()
    return (asking.output, exit)
  }

  @Test(
    "An absent port, broker and ca file are each named in health and status, and heal by themselves"
  )
  func absentAtStart() throws {
    let place = try TemporaryDirectory()
    let port = place.path + "/COM1"
    let rig = try Rig(
      scenario: """
        seed: 3
        stations:
          line: { rtu: { baud: 19200, link: \(port) }, timeout: 1s }
          station: { port: 15000 }
        devices:
          unit:
            { station: line, unit: 1, every: 1s,
              points: { door: { discrete: 0, signal: { duty: { period: 20s, on: 50% } } } } }
          sensor:
            { station: station, unit: 1, every: 1s,
              points: { door: { discrete: 0, signal: { duty: { period: 20s, on: 50% } } } } }
        faults:
          - { station: line, from: 0s, to: 8s, kind: refuse }

        """, stations: 2)
    let group = try SecureDestination(in: rig.directory)
    try group.join(configuration: rig.path + "/agent.yaml")
    let away = try Broker(starts: false)
    try rig.configure("uplinks", "  away: { url: mqtt://127.0.0.1:\(away.port) }")
    // The agent's copy of the authority; the group's subscriber has its own.
    let authority = rig.directory.file("agent-ca.pem")
    let path = rig.path + "/agent.yaml"
    let configuration = text(of: path).replacingOccurrences(of: "/ca.pem", with: "/agent-ca.pem")
    try write(configuration, to: path)

    // The province's broker is there to tell how the others do.
    try rig.startAll()
    let agent = try #require(rig.agent)
    let faults = [
      "\"bus/line\":\"open \(port): No such file or directory\"",
      "\"destination/away\":\"refused\"", "\"destination/group\":\"ca-file-missing\"",
    ]
    try waitUntil("all are named at once; health says \(rig.health())") {
      let health = rig.health()
      return faults.allSatisfy(health.contains) && health.contains("\"healthy\":false")
    }
    let degraded = try status(rig)
    #expect(degraded.exit == 1)
    let rows = [
      ("bus/line", "open \(port): No such file or directory"), ("destination/away", "refused"),
      ("destination/group", "ca-file-missing"),
    ]
    for (part, word) in rows {
      let isNamed = degraded.text.split(separator: "\n").contains {
        $0.hasPrefix(part + " ") && $0.contains(word)
      }
      #expect(isNamed, "\(part) in \(degraded.text)")
    }
    try away.start()
    // Its subscriber is there before the agent can be: a broker keeps nothing for one it never saw.
    try group.start()
    try write(text(of: rig.directory.file("ca.pem")), to: authority)
    try agent.waitUntilItPrints("destination group: ok")
    try agent.waitUntilItPrints("destination away: ok")
    try agent.waitUntilItPrints("bus line: open")
    try waitUntil("health says so: \(rig.health())") { rig.health().contains("\"healthy\":true") }
    #expect(try status(rig).exit == 0)
    #expect(agent.isRunning)
    for account in [try rig.finish(), try group.account(truth: rig.truth)] {
      #expect(account.problems == [])
      #expect(account.number("truth", "lost") == 0)
      #expect(account.number("truth", "served") > 5)
    }
  }
}
