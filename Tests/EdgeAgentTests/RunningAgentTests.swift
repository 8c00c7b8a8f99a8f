import Foundation
import LinuxSystem
import TestSupport
import Testing

/// `edge-agent run` with a real broker and a simulated device.
@Suite("A running edge-agent", .ownThread)
struct RunningAgentTests {
  private let directory: TemporaryDirectory
  private let broker: Broker
  private let stationPort: UInt16

  init() throws {
    directory = try TemporaryDirectory()
    broker = try Broker(starts: false)
    stationPort = try LoopbackPorts.free()
    try write(
      """
      gateway: { id: gw-1, mine: "0520", region: "520201" }
      storage:
        directory: \(directory.file("store"))
        data: { size: 8MiB, commit: 1s }
        events: { size: 4MiB }
      control: { socket: \(directory.file("control")) }
      buses:
        station: { tcp: { host: 127.0.0.1, port: \(stationPort) } }
      devices:
        gas:
          bus: station
          unit: 3
          every: 100ms
          points: { ch4: { input: 0, type: float32, unit: "%CH4" } }
      uplinks:
        province: { url: "mqtt://127.0.0.1:\(broker.port)", topic-prefix: m }

      """, to: directory.file("agent.yaml"))
  }

  private func start() throws -> ChildProcess {
    try ChildProcess(
      Programs.agent, ["run", "-c", directory.file("agent.yaml")],
      environment: ["EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards"])
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

  @Test("A second agent on the same store ends with 75 and names the first; the first runs on")
  func storeHeld() throws {
    let first = try start()
    try first.waitUntilItPrints("runs as gw-1")
    let second = try start()
    #expect(try second.waitForEnd() == 75)
    #expect(
      second.errors
        == "the store \(directory.file("store")) is held by another agent, process \(first.id)\n")
    #expect(first.isRunning)
    first.kill()
    let third = try start()
    try third.waitUntilItPrints("runs as gw-1")
    #expect(try third.stop() == 0)
  }

  @Test(
    "SIGTERM and SIGINT end it in order with 0, within 2 s, although nobody answers",
    arguments: [SIGTERM, SIGINT])
  func stops(signal: Int32) throws {
    let agent = try start()
    try agent.waitUntilItPrints("destination province: refused")
    let start = ContinuousClock.now
    agent.send(signal)
    #expect(try agent.waitForEnd() == 0)
    let time = ContinuousClock.now - start
    #expect(time < .seconds(3 + Programs.slack))
    // No part is given up before the first deadline; on a machine that stalls for longer the last
    // line says that one did not end in its time.
    let last = agent.errors.split(separator: "\n").last ?? ""
    #expect(
      last == "stopped" || time > .seconds(0.8) && last.hasPrefix("stopped;"),
      "after \(time): \(agent.errors)")
    #expect(agent.output == "")
  }

  @Test("SIGHUP with a wrong file changes nothing and says why, each time")
  func hangUp() throws {
    let agent = try start()
    try agent.waitUntilItPrints("runs as gw-1")
    let path = directory.file("agent.yaml")
    let right = text(of: path)
    try write(right + "nonsense: true\n", to: path)
    agent.send(SIGHUP)
    try agent.waitUntilItPrints("reload: \(path) is wrong; nothing changed")
    #expect(agent.errors.contains("\(path):17:1: nonsense: "), "\(agent.errors)")
    try write(right, to: path)
    agent.send(SIGHUP)
    try agent.waitUntilItPrints("reloaded \(path)")
    #expect(try agent.stop() == 0)
  }

  @Test("A file in a serial port's place, and a port of two names, close their own buses only")
  func strayPorts() throws {
    let terminal = try PseudoTerminal()
    let (stray, link) = (directory.file("usb0"), directory.file("usb1"))
    try write("in the way", to: stray)
    #expect(symlink(terminal.path, link) == 0)
    let path = directory.file("agent.yaml")
    let bus = "{ rtu: { port: \(stray), baud: 9600 } }"
    let more = "points: { p: { coil: 0 } } }"
    try write(
      text(of: path).replacingOccurrences(of: "buses:\n", with: "buses:\n  usb: \(bus)\n")
        .replacingOccurrences(
          of: "devices:\n", with: "devices:\n  m: { bus: usb, unit: 1, \(more)\n"), to: path)
    let simulator = try startSimulator()
    let agent = try start()
    try agent.waitUntilItPrints("bus usb: open \(stray): it is no serial port")
    try agent.waitUntilItPrints("device gas: ok")
    let two = [terminal.path, link].enumerated().map {
      "  line-\($0.offset): { rtu: { port: \($0.element), baud: 9600 } }\n"
    }
    let devices = [0, 1].map { "  n-\($0): { bus: line-\($0), unit: 1, \(more)\n" }
    try write(
      text(of: path).replacingOccurrences(of: "buses:\n", with: "buses:\n\(two.joined())")
        .replacingOccurrences(of: "devices:\n", with: "devices:\n\(devices.joined())"), to: path)
    agent.send(SIGHUP)
    try agent.waitUntilItPrints("reloaded \(path)")
    try waitUntil("one of the two has the port; it said \(agent.errors)") {
      agent.errors.contains(#/bus line-[01]: open .*: in use/#)
    }
    let check = try ChildProcess.run(Programs.agent, ["check", "-c", path])
    #expect(check.status == 0, "\(check.errors)")
    #expect(check.output.contains("  WARNING: \(stray) is no serial port: "), "\(check.output)")
    #expect(
      check.output.contains(
        "  WARNING: \(link) leads to \(terminal.path), which is the port of line-0: "))
    #expect(try agent.stop() == 0)
    try simulator.stop()
  }

  @Test("With a file in the store's place it delivers from memory, says so, and is not healthy")
  func storeCannotBeWritten() throws {
    try write("in the way", to: directory.file("store"))
    let simulator = try startSimulator()
    try broker.start()
    let subscriber = try ChildProcess(
      "mosquitto_sub", ["-h", "127.0.0.1", "-p", "\(broker.port)", "-v", "-t", "m/#"])
    let agent = try start()
    func payloads(of topic: String) -> [String] {
      let lines = subscriber.output.split(separator: "\n")
      return lines.filter { $0.hasPrefix("m/\(topic) ") }.map {
        String($0.dropFirst(topic.count + 3))
      }
    }
    try waitUntil("values arrive; it said \(agent.errors)") {
      payloads(of: "data").contains { $0.contains("\"values\":{\"ch4\":") }
    }
    let batches = payloads(of: "data") + payloads(of: "data/history") + payloads(of: "events")
    #expect(batches.allSatisfy { $0.contains("\"durable\":false") }, "\(batches)")
    try waitUntil("health has the device's value") {
      payloads(of: "health").last?.contains("\"gas\":{\"fault\":null") == true
    }
    let health = try #require(payloads(of: "health").last)
    #expect(health.contains("\"healthy\":false"))
    let object = try JSONSerialization.jsonObject(with: Data(health.utf8)) as? [String: Any]
    let fault = (object?["store"] as? [String: Any])?["fault"] as? String
    #expect(fault?.contains("Not a directory") == true, "\(health)")
    #expect((object?["faults"] as? [String: String])?["store"] == fault)
    #expect(agent.errors.contains("store: "))
    #expect(try agent.stop() == 0)
    #expect(text(of: directory.file("store")) == "in the way")
    try simulator.stop()
  }
}
