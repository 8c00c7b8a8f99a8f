import Foundation
import TestSupport
import Testing

/// `edge-agent run` with the test as its service manager.
@Suite("edge-agent as a service", .ownThread)
struct ServiceTests {
  private let directory: TemporaryDirectory
  private let broker: Broker
  private let stationPort: UInt16
  private let socket: NotifySocket

  private var path: String { directory.file("agent.yaml") }

  init() throws {
    directory = try TemporaryDirectory()
    broker = try Broker(starts: false)
    stationPort = try LoopbackPorts.free(2)
    socket = try NotifySocket(directory.file("notify"))
    try write(
      """
      gateway: { id: gw-1, mine: "0520", region: "520201" }
      storage:
        directory: \(directory.file("store"))
        data: { size: 8MiB, commit: 1s }
        events: { size: 4MiB }
      control: { socket: \(directory.file("control")) }
      buses:
        station: { tcp: { host: 127.0.0.1, port: \(stationPort) }, timeout: 100ms }
        second: { tcp: { host: 127.0.0.1, port: \(stationPort + 1) }, timeout: 100ms }
      devices:
        gas:
          bus: station
          unit: 3
          every: 100ms
          points: { ch4: { input: 0, type: float32, unit: "%CH4" } }
        gas-2:
          bus: second
          unit: 3
          every: 100ms
          points: { ch4: { input: 0, type: float32, unit: "%CH4" } }
      uplinks:
        province: { url: "mqtt://127.0.0.1:\(broker.port)", topic-prefix: m }

      """, to: path)
  }

  private func start(watchdog microseconds: Int? = nil) throws -> ChildProcess {
    var environment = [
      "EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards", "NOTIFY_SOCKET": socket.name,
    ]
    environment["WATCHDOG_USEC"] = microseconds.map { "\($0)" }
    return try ChildProcess(Programs.agent, ["run", "-c", path], environment: environment)
  }

  private func waitForReady(_ agent: ChildProcess, count: Int = 1) throws {
    try waitUntil("READY \(count); it said \(socket.messages) \(agent.errors)") {
      socket.count(of: "READY=1") >= count
    }
  }

  private func threads(of agent: ChildProcess) -> [String] {
    let tasks = "/proc/\(agent.id)/task"
    let ids = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return ids.map { text(of: "\(tasks)/\($0)/comm").trimmingCharacters(in: .newlines) }
  }

  @Test("READY is said when every part runs, STOPPING at the stop; nothing is fed unasked")
  func startAndStop() throws {
    let agent = try start()
    try waitForReady(agent)
    #expect(socket.messages.first?.hasPrefix("READY=1\nSTATUS=degraded: ") == true)
    let names = threads(of: agent)
    for name in ["journal", "uplink-province", "modbus station", "modbus second"] {
      #expect(names.contains(name), "\(names)")
    }
    #expect(socket.count(of: "STOPPING=1") == 0)
    #expect(try agent.stop() == 0)
    #expect(socket.count(of: "STOPPING=1") == 1)
    #expect(socket.count(of: "WATCHDOG=1") == 0)
    #expect(socket.count(of: "READY=1") == 1)
  }

  @Test("A configuration that is wrong at the start ends with 78 without READY")
  func wrongAtStart() throws {
    try write("nonsense: true\n", to: path)
    let agent = try start()
    #expect(try agent.waitForEnd() == 78)
    #expect(socket.receive() == [])
  }

  @Test("A reload says RELOADING and then READY, with a valid file and with an invalid one")
  func reload() throws {
    let agent = try start()
    try waitForReady(agent)
    let right = text(of: path)
    let files = [
      right + "nonsense: true\n", right.replacingOccurrences(of: "100ms", with: "200ms"),
    ]
    for (round, file) in files.enumerated() {
      try write(file, to: path)
      agent.send(SIGHUP)
      try waitForReady(agent, count: round + 2)
    }
    let words = socket.messages.compactMap { $0.split(separator: "\n").first }
      .filter { $0 == "READY=1" || $0 == "RELOADING=1" }
    #expect(words == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"])
    let reloading = socket.messages.filter { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") }
    #expect(reloading.count == 2)
    #expect(agent.errors.contains("is wrong; nothing changed") && agent.errors.contains("reloaded"))
    #expect(try agent.stop() == 0)
  }

  @Test("The watchdog is fed at half its time")
  func watchdog() throws {
    let agent = try start(watchdog: 1_000_000)
    try waitForReady(agent)
    let (count, start) = (socket.count(of: "WATCHDOG=1"), ContinuousClock.now)
    try waitUntil("it is fed six times more") { socket.count(of: "WATCHDOG=1") >= count + 6 }
    let time = ContinuousClock.now - start
    // Six beats of half a second; the first may have been due at once.
    #expect(time > .milliseconds(2300))
    #expect(time < .seconds(6 + Programs.slack))
    #expect(try agent.stop() == 0)
  }

  @Test("A bus whose thread hangs is bus-stuck in health, the rest goes on, and it heals")
  func stuckBus() throws {
    try write(
      """
      stations: { station: { port: 15000 }, second: { port: 15001 } }
      devices:
        gas: { station: station, unit: 3, points: {
          ch4: { input: 0, type: float32, signal: { methane: { base: 0.2 } } } } }
        gas-2: { station: second, unit: 3, points: {
          ch4: { input: 0, type: float32, signal: { methane: { base: 0.2 } } } } }

      """, to: directory.file("scenario.yaml"))
    let simulator = try ChildProcess(
      Programs.simulator,
      ["run", directory.file("scenario.yaml"), "--ports-from", "\(stationPort)"])
    try simulator.waitUntilItPrints("ready\n")
    try broker.start()
    let subscriber = try ChildProcess(
      "mosquitto_sub", ["-h", "127.0.0.1", "-p", "\(broker.port)", "-v", "-t", "m/#"])
    func payloads(of topic: String) -> [String] {
      subscriber.output.split(separator: "\n").filter { $0.hasPrefix("m/\(topic) ") }
        .map(String.init)
    }
    func values(of device: String) -> Int {
      payloads(of: "data").count { $0.contains("\"\(device)\",") && $0.contains("\"values\":{\"") }
    }
    let agent = try start(watchdog: 1_000_000)
    try waitUntil("all is well; it said \(agent.errors)") {
      payloads(of: "health").last?.contains("\"healthy\":true") == true
    }
    let held = try HeldThread("modbus station", of: agent)
    try waitUntil("health says bus-stuck") {
      // Its queue is short.
      socket.receive()
      return payloads(of: "health").last?.contains("\"faults\":{\"bus/station\":\"bus-stuck\"}")
        == true
    }
    try waitUntil("the event arrives") {
      payloads(of: "events").contains {
        $0.contains(#""source":"station","state":"stuck","reason":"bus-stuck"}"#)
      }
    }
    let (fed, read) = (socket.count(of: "WATCHDOG=1"), values(of: "gas-2"))
    try waitUntil("feeding and the other bus go on") {
      socket.count(of: "WATCHDOG=1") >= fed + 3 && values(of: "gas-2") >= read + 3
    }
    try waitUntil("the status says it; it was \(socket.messages)") {
      socket.count(of: "STATUS=degraded: bus station: bus-stuck") == 1
    }
    #expect(agent.errors.contains("bus station: stuck"), "\(agent.errors)")
    held.release()
    try waitUntil("it heals") {
      payloads(of: "health").last?.contains("\"healthy\":true") == true
        && payloads(of: "events").contains { $0.contains(#""state":"recovered"}"#) }
    }
    #expect(try agent.stop() == 0)
    try subscriber.stop()
    try simulator.stop()
  }

  @Test("A hanging bus does not hold up the stop")
  func stopWhileStuck() throws {
    let agent = try start()
    try waitForReady(agent)
    let held = try HeldThread("modbus station", of: agent)
    let start = ContinuousClock.now
    agent.send(SIGTERM)
    try waitUntil("it has stopped") { agent.errors.contains("stopped") }
    #expect(ContinuousClock.now - start < .seconds(3 + Programs.slack))
    held.release()
    #expect(try agent.waitForEnd() == 0)
  }
}
