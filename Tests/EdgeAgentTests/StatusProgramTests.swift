import Foundation
import TestSupport
import Testing

/// `edge-agent status` beside a real `edge-agent run`, as users run them.
@Suite("The program edge-agent status", .ownThread)
struct StatusProgramTests {
  private let directory: TemporaryDirectory
  private let socket: String
  private let brokerPort: UInt16
  private let stationPort: UInt16

  init() throws {
    directory = try TemporaryDirectory()
    socket = directory.file("run/control.sock")
    brokerPort = try LoopbackPorts.free()
    stationPort = try LoopbackPorts.free()
    try write(configuration(store: "store"), to: directory.file("agent.yaml"))
  }

  private func configuration(store: String) -> String {
    """
    gateway: { id: gw-1, mine: "0520", region: "520201", name: 示例煤矿 }
    storage:
      directory: \(directory.file(store))
      data: { size: 8MiB, commit: 1s }
      events: { size: 4MiB }
    control: { socket: \(socket) }
    buses:
      station: { tcp: { host: 127.0.0.1, port: \(stationPort) }, timeout: 300ms }
    devices:
      gas:
        bus: station
        unit: 3
        every: 100ms
        points: { ch4: { input: 0, type: float32, unit: "%CH4" } }
    uplinks:
      province: { url: "mqtt://127.0.0.1:\(brokerPort)", topic-prefix: m }

    """
  }

  private let environment = ["EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards"]

  private func start(_ file: String = "agent.yaml", umask: String = "022") throws -> ChildProcess {
    let agent = try ChildProcess(
      "sh",
      [
        "-c", "umask \(umask); exec \"$0\" \"$@\"", Programs.agent, "run", "-c",
        directory.file(file),
      ],
      environment: environment)
    try agent.waitUntilItPrints("runs as gw-1")
    return agent
  }

  private func waitForSocket() throws {
    try waitUntil("an agent answers") { try status().status != 69 }
  }

  private func status(
    _ arguments: String...
  ) throws -> (status: Int32, output: String, errors: String) {
    let place = arguments.contains("--socket") ? [] : ["-c", directory.file("agent.yaml")]
    return try ChildProcess.run(
      Programs.agent, ["status"] + place + arguments, environment: environment)
  }

  private func startSimulator() throws -> ChildProcess {
    try write(
      """
      stations: { station: { port: 15000 } }
      devices: { gas: { station: station, unit: 3, points: {
        ch4: { input: 0, type: float32, signal: { methane: { base: 0.2 } } } } } }

      """, to: directory.file("scenario.yaml"))
    let simulator = try ChildProcess(
      Programs.simulator,
      ["run", directory.file("scenario.yaml"), "--ports-from", "\(stationPort)"])
    try simulator.waitUntilItPrints("ready\n")
    return simulator
  }

  @Test("0 and no fault while all is well, 1 and the device's name when it is dead")
  func wellAndDegraded() throws {
    let broker = try Broker(port: brokerPort)
    let simulator = try startSimulator()
    let agent = try start()
    try waitUntil("all is well") { try status().status == 0 }
    let well = try status()
    #expect(well.errors == "")
    #expect(well.output.contains("gateway gw-1 (示例煤矿), edge-agent "))
    #expect(well.output.contains("process \(agent.id)\n"))
    #expect(well.output.contains("\nhealthy\n"))
    #expect(!well.output.contains("\u{1b}"))
    #expect(
      well.output.contains(#/\ngas +ch4 +0\.\d+ +%CH4 +good +\d+(\.\d)? s\n/#), "\(well.output)")
    #expect(well.output.contains(#/\nprovince +ok +\d+(\.\d)? s +yes /#), "\(well.output)")

    let json = try status("--json")
    #expect(json.status == 0)
    #expect(json.output.split(separator: "\n").count == 1)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    #expect(object["v"] as? Int == 1)
    #expect(object["healthy"] as? Bool == true)
    let point = try #require((object["points"] as? [[String: Any]])?.first)
    #expect(point["device"] as? String == "gas" && point["quality"] as? String == "good")
    #expect(point["value"] as? Double != nil)
    let bus = try #require((object["buses"] as? [[String: Any]])?.first)
    #expect(((bus["counters"] as? [String: Int])?["requests"] ?? 0) > 0)

    simulator.send(SIGSTOP)
    try waitUntil("the dead device shows") { try status().status == 1 }
    try waitUntil("by its name") { try status().output.contains("device/gas  ") }
    let degraded = try status()
    #expect(degraded.output.contains("degraded: "))
    #expect(degraded.output.contains(#/\ngas +ch4 +- +%CH4 +(timeout|offline) /#), "\(degraded)")
    simulator.send(SIGCONT)
    try broker.stop()
    try waitUntil("the broker's absence shows") {
      try status().output.contains("destination/province  ")
    }
    #expect(try agent.stop() == 0)
    try simulator.stop()
  }

  @Test("69 and why: no socket, a socket of a killed agent, one that says nothing")
  func notRunning() throws {
    let missing = try status()
    #expect(missing.status == 69)
    #expect(missing.output == "")
    #expect(missing.errors == "not running: there is no socket \(socket)\n")

    let agent = try start()
    try waitForSocket()
    agent.send(SIGSTOP)
    let silent = try status()
    #expect(silent.status == 69)
    #expect(silent.errors.hasPrefix("can't ask: who listens at \(socket) did not answer"))
    agent.kill()
    let killed = try status()
    #expect(killed.status == 69)
    #expect(killed.errors.hasPrefix("not running: nobody listens at \(socket)"))

    // And the next agent takes the dead one's place.
    let next = try start()
    try waitForSocket()
    #expect(!next.errors.contains("agent control"))
    #expect(try next.stop() == 0)
    #expect(access(socket, F_OK) == -1)
  }

  @Test("69 for a user without rights, and the world has none, whatever the umask")
  func permissions() throws {
    for umask in ["000", "077"] {
      let agent = try start(umask: umask)
      try waitForSocket()
      var found = stat()
      #expect(lstat(socket, &found) == 0)
      #expect(found.st_mode == S_IFSOCK | 0o660, "umask \(umask)")
      #expect(stat(directory.file("run"), &found) == 0)
      #expect(found.st_mode & 0o027 == 0, "umask \(umask)")
      #expect(try agent.stop() == 0)
    }
    // Whom the kernel lets through anyway can't see it.
    guard geteuid() == 0 else { return }
    let agent = try start()
    try waitForSocket()
    chmod(directory.path, 0o755)
    let stranger = try ChildProcess.run(
      "setpriv",
      [
        "--reuid", "65534", "--regid", "65534", "--clear-groups", Programs.agent, "status",
        "--socket", socket,
      ])
    #expect(
      stranger.errors == "can't ask: permission denied for \(socket); "
        + "ask as root or as a member of its group\n")
    #expect(stranger.status == 69)
    #expect(try agent.stop() == 0)
  }

  @Test("A second agent does not steal the first one's socket, says so, and runs")
  func taken() throws {
    let first = try start()
    try waitForSocket()
    try write(configuration(store: "store-2"), to: directory.file("second.yaml"))
    let second = try start("second.yaml")
    try second.waitUntilItPrints("agent control: another process answers at \(socket)")
    #expect(try status().output.contains("process \(first.id)\n"))
    #expect(second.isRunning)
    #expect(try first.stop() == 0)
    try waitUntil("the second takes over") {
      try status().output.contains("process \(second.id)\n")
    }
    #expect(try second.stop() == 0)
    #expect(access(socket, F_OK) == -1)
  }

  @Test("20 clients that say nothing do not keep status from its answer")
  func silentClients() throws {
    let agent = try start()
    try waitForSocket()
    for _ in 0..<3 {
      let clients = try (0..<20).map { _ in try RawClient(socket) }
      let start = ContinuousClock.now
      #expect(try status().status == 1)
      #expect(ContinuousClock.now - start < .seconds(3 + Programs.slack))
      withExtendedLifetime(clients) {}
    }
    #expect(try agent.stop() == 0)
  }

  @Test("After a reload it speaks of the devices that there are now")
  func reload() throws {
    let agent = try start()
    try waitForSocket()
    let path = directory.file("agent.yaml")
    try write(
      text(of: path).replacingOccurrences(of: "  gas:", with: "  dust:"), to: path)
    agent.send(SIGHUP)
    try agent.waitUntilItPrints("reloaded \(path)")
    let output = try status().output
    #expect(output.contains("\ndust    station  "), "\(output)")
    #expect(output.contains("\ndust    ch4    "), "\(output)")
    #expect(!output.contains("gas"), "\(output)")
    #expect(try agent.stop() == 0)
  }

  @Test("A broken configuration still says where the agent is, or leaves the default with a note")
  func brokenConfiguration() throws {
    let agent = try start()
    try waitForSocket()
    let path = directory.file("agent.yaml")
    let right = text(of: path)
    try write(right + "nonsense: true\nuplinks-2: 7\n", to: path)
    let wrong = try status()
    #expect(wrong.status == 1)
    #expect(wrong.errors == "")
    #expect(wrong.output.contains("process \(agent.id)\n"))

    try write(right + "[ :\n", to: path)
    let unreadable = try status()
    // No agent of this machine's is to be asked here; what counts is where it looks.
    #expect(unreadable.errors.hasPrefix("\(path):18:"), "\(unreadable.errors)")
    #expect(unreadable.errors.contains("asking at /run/edge-agent/control.sock"))
    let named = try status("--socket", socket)
    #expect(named.status == 1)
    #expect(named.errors == "")
    #expect(try agent.stop() == 0)
  }

  @Test("A socket's path that is too long is a problem of the configuration, named with its place")
  func longPath() throws {
    let path = directory.file("agent.yaml")
    let long = "/" + String(repeating: "x", count: 107)
    try write(
      text(of: path).replacingOccurrences(of: socket, with: long), to: path)
    let result = try ChildProcess.run(
      Programs.agent, ["check", "-c", path], environment: environment)
    #expect(result.status == 78)
    #expect(
      result.errors
        == "\(path):6:20: control.socket: is longer than 107 bytes; a shorter path is expected\n")
  }
}
