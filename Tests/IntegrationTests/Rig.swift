import Foundation
import TestSupport
import Testing

/// The whole way on real parts: simulator, agent, broker, receiver, each a process of its own.
final class Rig {
  let directory: TemporaryDirectory
  let broker: Broker
  let stationPorts: Int
  private(set) var simulator: Program?
  private(set) var agent: Program?
  private var receiver: Program?

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

  init(scenario: String, stations: Int) throws {
    directory = try TemporaryDirectory()
    let ports = Ports.free(stations + 1)
    broker = try Broker(port: ports, directory: directory.path)
    stationPorts = ports + 1
    try scenario.write(toFile: path + "/scenario.yaml", atomically: true, encoding: .utf8)
    try writeConfiguration()
  }

  deinit {
    receiver?.kill()
    agent?.kill()
    simulator?.kill()
    broker.stop()
  }

  private func writeConfiguration() throws {
    let (status, buses) = try Program.run(
      Program.own("mine-simulator"),
      ["agent-configuration", path + "/scenario.yaml", "--ports-from", "\(stationPorts)"])
    guard status == 0 else { throw RigError(description: "the scenario is wrong") }
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
    try (head + String(decoding: buses, as: UTF8.self))
      .write(toFile: path + "/agent.yaml", atomically: true, encoding: .utf8)
  }

  // MARK: Parts

  func startSimulator() throws {
    let simulator = try Program(
      Program.own("mine-simulator"),
      [
        "run", path + "/scenario.yaml", "--truth", truth, "--ports-from", "\(stationPorts)",
      ], log: path + "/simulator.log")
    self.simulator = simulator
    try #require(simulator.waitForOutput("ready"), "\(simulator.output)")
  }

  func startReceiver() throws {
    let receiver = try Program(
      Program.own("edge-receive"),
      ["--url", "mqtt://127.0.0.1:\(broker.port)", "--store", received],
      log: path + "/receive.log")
    self.receiver = receiver
    try #require(receiver.waitForOutput("ready"), "\(receiver.output)")
  }

  @discardableResult
  func startAgent() throws -> Program {
    let agent = try Program(
      Program.own("edge-agent"), ["run", "-c", path + "/agent.yaml"], log: path + "/agent.log",
      environment: ["EDGE_AGENT_BOARDS": Self.boards])
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
    let status = agent?.stop(within: 5)
    #expect(status == 0, "\(agent?.output ?? "")")
    simulator?.stop()
    // The last batches are at the receiver when it has the agent's last word.
    #expect(eventually(within: 10) { newest("state").contains("\"offline\"") })
    receiver?.stop()
    let times = since.flatMap { ["--since", "\($0)"] }
    let (_, output) = try Program.run(
      Program.own("edge-receive"),
      ["--store", received, "--verify", "--truth", truth, "--json"] + times)
    let account = try Account(output)
    print(account.summary)
    return account
  }

  /// The newest `health` that the receiver has.
  func health() -> String { newest("health") }

  private func newest(_ topic: String) -> String {
    let query =
      "select payload from message where topic like '%/\(topic)' order by id desc limit 1"
    let answer = try? Program.run("/usr/bin/sqlite3", ["-readonly", received, query])
    return String(decoding: answer?.output ?? Data(), as: UTF8.self)
  }

  /// The package's board files.
  static let boards = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("boards").path
}

/// Wall time in Unix milliseconds.
func unixMilliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

/// What edge-receive's account says, as far as the tests look at it.
struct Account {
  let text: String
  private let json: [String: Any]

  init(_ data: Data) throws {
    text = String(decoding: data, as: UTF8.self)
    json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
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
