import Foundation
import TestSupport
import Testing

/// Lines and areas on real parts, on a machine that has none of the lines.
@Suite("Lines and areas", .ownThread)
struct InputsTests {
  private static let scenario = """
    seed: 5
    stations: { station: { port: 15000 } }
    devices:
      positioning:
        station: station
        unit: 1
        every: 200ms
        points:
          heading:
            { input: 0, type: uint16, unit: persons,
              signal: { duty: { period: 1h, on: 100% } } }

    """

  /// No machine's.
  private static let inputs = """
    lines:
      gate-in: { line: { chip: no-such-chip, offset: 4 }, count: rising }
      gate-out: { line: { chip: no-such-chip, offset: 5 }, count: rising }
      fan: { line: { name: NO-SUCH-LINE }, every: 500ms }
    areas:
      heading-101:
        { gates: [ { in: gate-in, out: gate-out } ], points: [ positioning.heading ], quota: 9 }
      heading-102: { points: [ positioning.heading ] }

    """

  private func rig() throws -> Rig {
    let rig = try Rig(scenario: Self.scenario, stations: 1)
    let path = rig.path + "/agent.yaml"
    try write(text(of: path) + Self.inputs, to: path)
    return rig
  }

  private func ask(
    _ rig: Rig, _ words: String...
  ) throws -> (status: Int32, output: String, errors: String) {
    try ChildProcess.run(
      Programs.agent, words + ["-c", rig.path + "/agent.yaml"],
      environment: ["EDGE_AGENT_BOARDS": Rig.boards])
  }

  private func area(_ rig: Rig, _ name: String) throws -> [String: Any] {
    let shown = try ask(rig, "headcount", "show", name, "--json")
    guard shown.status == 0 else { return [:] }
    let object = try JSONSerialization.jsonObject(with: Data(shown.output.utf8))
    return ((object as? [String: Any])?["areas"] as? [[String: Any]])?.first ?? [:]
  }

  private func delivered(_ rig: Rig, _ words: String) throws -> Int {
    let query = "select count(*) from message where cast(payload as text) like '%\(words)%'"
    let found = try ChildProcess.run("sqlite3", ["-readonly", rig.received, query])
    return Int(found.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
  }

  @Test("What an operator set survives a kill; lines that are not there stop nothing else")
  func setAndKilled() throws {
    let rig = try rig()
    try rig.startAll()
    try waitUntil("a count from what devices say") {
      try area(rig, "heading-102")["count"] as? Int == 1
    }
    try waitUntil("an area without its lines is bad") {
      try area(rig, "heading-101")["quality"] as? String == "line-missing"
    }
    #expect(try area(rig, "heading-101")["raw"] as? Int == 1)
    let set = try ask(
      rig, "headcount", "set", "heading-101", "7", "--operator", "王 (班长)", "--reason", "counted")
    #expect(set.status == 0, "\(set.errors)")
    #expect(set.output.hasPrefix("heading-101: the gates say 7 (was 0); "), "\(set.output)")

    try waitUntil("health names the lines and the area, and nothing else") {
      let health = rig.health()
      return health.contains(#""line/gate-in":""#) && health.contains(#""line/fan":""#)
        && health.contains(#""area/heading-101":"gate-in: line-missing"#)
        && !health.contains("\"bus/") && !health.contains("\"device/")
        && !health.contains("area/heading-102")
    }
    try waitUntil("the samples arrive") {
      try delivered(rig, #"{"device":"fan",%"bad":{"value":"line-missing"}%"#) > 2
        && delivered(rig, #""state":"set","count":7,"previous":0,"operator":"王 (班长)""#) == 1
        && delivered(rig, #""device":"gate-in",%"raw":{"count":0}%"#) > 0
    }
    rig.agent?.kill()
    let again = try rig.startAgent()
    try again.waitUntilItPrints("runs as gw-test")
    try waitUntil("the balance goes on") {
      try area(rig, "heading-101")["balance"] as? Int == 7
    }
    try waitUntil("and says so") {
      try delivered(rig, #""type":"headcount",%"state":"resumed","count":7"#) > 0
        && delivered(rig, #""state":"count-resumed","reason":"unclean-stop","count":0"#) > 0
    }
    let account = try rig.finish()
    #expect(account.problems == [])
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("out-of-order", "count") == 0)
  }

  @Test("A store that can't be read at the start makes a balance unknown, never 0, until it is set")
  func lostStore() throws {
    let rig = try rig()
    try rig.startAll()
    try waitUntil("the area is there") { try !area(rig, "heading-101").isEmpty }
    func set(_ count: String) throws -> Int32 {
      try ask(rig, "headcount", "set", "heading-101", count, "--operator", "w", "--reason", "r")
        .status
    }
    #expect(try set("7") == 0)
    #expect(try rig.agent?.stop() == 0)
    let store = rig.path + "/store"
    try FileManager.default.moveItem(atPath: store, toPath: store + ".away")
    try write("no directory", to: store)
    let agent = try rig.startAgent()
    func sources() throws -> String { "\(try area(rig, "heading-101")["lost"] ?? "")" }
    try waitUntil("the balance is not known") { try sources().contains("balance") }
    try FileManager.default.removeItem(atPath: store)
    try FileManager.default.moveItem(atPath: store + ".away", toPath: store)
    try agent.waitUntilItPrints("store: ok")
    #expect(try sources().contains("balance"))
    #expect(try agent.stop() == 0)
    try rig.startAgent()
    try waitUntil("nor at the next start") { try sources().contains("balance") }
    #expect(try set("6") == 0)
    #expect(try !sources().contains("balance"))
  }

  @Test("A reload changes an area and keeps its balance; status, probe and exits tell the rest")
  func reloadAndCommands() throws {
    let rig = try rig()
    try rig.startAll()
    let agent = try #require(rig.agent)
    try waitUntil("the areas are there") { try !area(rig, "heading-101").isEmpty }
    let order = ["--operator", "w", "--reason", "r"]
    func set(_ area: String, _ count: String) throws -> Int32 {
      try ChildProcess.run(
        Programs.agent,
        ["headcount", "set", area, count, "-c", rig.path + "/agent.yaml"] + order
      ).status
    }
    #expect(try set("heading-101", "5") == 0)
    #expect(try set("heading-102", "5") == 64)
    #expect(try set("heading-103", "5") == 64)
    #expect(try set("heading-101", "1000001") == 64)
    #expect(try set("heading-101", "3.5") == 64)
    let negative = try ChildProcess.run(
      Programs.agent, ["headcount", "set", "heading-101", "-3"] + order)
    #expect(negative.status == 64)
    #expect(negative.errors.contains("count: 0…1000000 is expected, not -3"), "\(negative)")
    let nowhere = try ask(rig, "headcount", "show", "nowhere")
    #expect(nowhere.status == 64)
    #expect(nowhere.errors.contains("it has heading-101, heading-102"), "\(nowhere)")
    #expect(!nowhere.errors.contains("Usage"), "\(nowhere)")

    let path = rig.path + "/agent.yaml"
    let changed = text(of: path).replacingOccurrences(of: "quota: 9", with: "quota: 12")
      .replacingOccurrences(of: "  fan: { line: { name: NO-SUCH-LINE }, every: 500ms }\n", with: "")
    try write(changed, to: path)
    agent.send(SIGHUP)
    try agent.waitUntilItPrints("reloaded")
    let now = try area(rig, "heading-101")
    #expect(now["quota"] as? Int == 12 && now["balance"] as? Int == 5)
    let status = try ask(rig, "status")
    #expect(status.status == 1)
    #expect(status.output.contains(#/\ngate-in +line 4 of no-such-chip +/#), "\(status.output)")
    #expect(status.output.contains(#/\nheading-102 +ok +/#), "\(status.output)")
    #expect(!status.output.contains("\nfan "))
    let probe = try ask(rig, "probe", "gate-in", "heading-102")
    #expect(probe.status == 1)
    #expect(probe.output.contains(#/\ngate-in +count +- +\(0\) +count +line-missing/#), "\(probe)")
    #expect(probe.output.contains(#/\nheading-102 +count +area +1 +persons +good/#), "\(probe)")

    let without = text(of: path).components(separatedBy: "lines:\n")[0]
    try write(without, to: path)
    agent.send(SIGHUP)
    try waitUntil("all is well without them") { try ask(rig, "status").status == 0 }
    #expect(try ask(rig, "headcount", "show").output == "no area is configured\n")
    let account = try rig.finish()
    #expect(account.problems == [], "\(account.text)")
    #expect(try ask(rig, "headcount", "show").status == 69)
  }
}
