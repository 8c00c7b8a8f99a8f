import Foundation
import TestSupport
import Testing

/// The whole way on real parts: simulator, agent, broker, receiver, each a process of its own.
final class Rig {
  let directory: TemporaryDirectory
  let broker: Broker
  let stationPorts: UInt16
  private(set) var simulator: ChildProcess?
  private(set) var agent: ChildProcess?
  private var receiver: ChildProcess?

  var path: String { directory.path }
  var truth: String { path + "/served.jsonl" }
  var received: String { path + "/received.sqlite" }

  /// 16 devices, a connection each, of 16 float32 at 1 Hz.
  static let sixteenBySixteen = """
    seed: 7
    stations:
      station: { repeat: 16, port: 15000 }
    devices:
      sensor:
        repeat: 16
        station: station
        unit: 1
        every: 1s
        points:
          ch4:
            repeat: 16
            input: 0
            type: float32
            unit: "%CH4"
            signal: { methane: { base: 0.3, noise: 0.05, burst: 0.8, burst-every: 20s } }

    """

  init(scenario: String, stations: UInt16) throws {
    directory = try TemporaryDirectory()
    broker = try Broker(keepsSessions: true, starts: false)
    stationPorts = try LoopbackPorts.free(stations)
    try write(scenario, to: path + "/scenario.yaml")
    try writeConfiguration()
  }

  private func writeConfiguration() throws {
    let plan = try ChildProcess.run(
      Programs.simulator,
      ["agent-configuration", path + "/scenario.yaml", "--ports-from", "\(stationPorts)"])
    try #require(plan.status == 0, "\(plan.errors)")
    let head = """
      gateway: { id: gw-test, mine: "520201000123", region: "520201", name: test }
      storage:
        directory: \(path)/store
        data: { size: 16MiB, commit: 1s }
        events: { size: 4MiB }
      control: { socket: \(path)/control.sock }
      uplinks:
        province:
          url: mqtt://127.0.0.1:\(broker.port)

      """
    try write(head + plan.output, to: path + "/agent.yaml")
  }

  /// Adds lines to a section of the agent's configuration.
  func configure(_ section: String, _ lines: String) throws {
    let old = text(of: path + "/agent.yaml")
    try #require(old.contains("\n\(section):\n"))
    let new = old.replacingOccurrences(
      of: "\n\(section):\n", with: "\n\(section):\n\(lines)\n")
    try write(new, to: path + "/agent.yaml")
  }

  // MARK: Parts

  func startSimulator() throws {
    let simulator = try ChildProcess(
      Programs.simulator,
      [
        "run", path + "/scenario.yaml", "--truth", truth, "--ports-from", "\(stationPorts)",
      ])
    self.simulator = simulator
    try simulator.waitUntilItPrints("ready\n")
  }

  func startReceiver() throws {
    let receiver = try ChildProcess(
      Programs.receiver,
      ["--url", "mqtt://127.0.0.1:\(broker.port)", "--store", received])
    self.receiver = receiver
    try receiver.waitUntilItPrints("ready\n")
  }

  /// `launcher` is a program with arguments that becomes the agent in the end.
  @discardableResult
  func startAgent(
    through launcher: [String] = [], environment: [String: String] = [:]
  ) throws -> ChildProcess {
    let words = launcher + [Programs.agent, "run", "-c", path + "/agent.yaml"]
    let agent = try ChildProcess(
      words[0], Array(words.dropFirst()),
      environment: environment.merging(["EDGE_AGENT_BOARDS": Self.boards]) { $1 })
    self.agent = agent
    return agent
  }

  /// Simulator, broker, receiver and agent, in this order; returns when the agent was started.
  func startAll() throws {
    try broker.start()
    try startReceiver()
    try startSimulator()
    try startAgent()
  }

  /// Stops the agent in order, lets the receiver take what the broker still has, and accounts.
  func finish(since: [Int64] = []) throws -> Account {
    #expect(try agent?.stop() == 0, "\(agent?.errors ?? "")")
    try simulator?.stop()
    // The last batches are at the receiver when it has the agent's last word.
    try waitUntil("the agent's last word") { newest("state").contains("\"offline\"") }
    try receiver?.stop()
    let times = since.flatMap { ["--since", "\($0)"] }
    let result = try ChildProcess.run(
      Programs.receiver,
      ["--store", received, "--verify", "--truth", truth, "--json"] + times)
    let account = try Account(result.output)
    print(account.summary)
    return account
  }

  /// The newest `health` that the receiver has.
  func health() -> String { newest("health") }

  private func newest(_ topic: String) -> String {
    let query =
      "select payload from message where topic like '%/\(topic)' order by id desc limit 1"
    return (try? ChildProcess.run("sqlite3", ["-readonly", received, query]))?.output ?? ""
  }

  /// The package's board files.
  static let boards = Programs.sourceTree + "/boards"
}

/// Wall time in Unix milliseconds.
func unixMilliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

/// What edge-receive's account says, as far as the tests look at it.
struct Account {
  let text: String
  private let json: [String: Any]

  init(_ text: String) throws {
    self.text = text
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
    json = try #require(object as? [String: Any], "\(text)")
  }

  func number(_ keys: String...) -> Int {
    var value: Any? = json
    for key in keys { value = (value as? [String: Any])?[key] }
    return (value as? NSNumber)?.intValue ?? -1
  }

  func list(_ keys: String...) -> [[String: Any]] {
    var value: Any? = json
    for key in keys { value = (value as? [String: Any])?[key] }
    return value as? [[String: Any]] ?? []
  }

  /// The figures in one line, for whoever reads the test's output.
  var summary: String {
    let fresh = list("first-fresh").first?["milliseconds"] as? Int
    return "account: served \(number("truth", "served")), "
      + "delivered \(number("truth", "delivered")), lost \(number("truth", "lost")), "
      + "repeats \(number("repeats")), out of order \(number("out-of-order", "count")), "
      + "live p50/p99 \(number("latency", "live", "p50"))/\(number("latency", "live", "p99")) ms"
      + (fresh.map { ", first fresh after \($0) ms" } ?? "")
  }

  var problems: [String] { json["problems"] as? [String] ?? [] }
}
