import Foundation
import TestSupport
import Testing

/// `edge-agent probe` and `scan` against a simulated mine, alone and beside a running agent.
@Suite("The programs edge-agent probe and scan", .ownThread)
struct ProbeProgramTests {
  private let directory: TemporaryDirectory
  private let brokerPort: UInt16
  private let stationPort: UInt16

  init() throws {
    directory = try TemporaryDirectory()
    brokerPort = try LoopbackPorts.free()
    stationPort = try LoopbackPorts.free()
    try write(
      """
      gateway: { id: gw-1, mine: "0520", region: "520201", name: 示例煤矿 }
      storage:
        directory: \(directory.file("store"))
        data: { size: 8MiB, commit: 1s }
        events: { size: 4MiB }
      control: { socket: \(directory.file("control.sock")) }
      buses:
        station: { tcp: { host: 127.0.0.1, port: \(stationPort) }, timeout: 1s }
        line: { rtu: { port: \(directory.file("COM1")), baud: 19200 }, timeout: 1s }
      devices:
        gas:
          bus: station
          unit: 3
          every: 100ms
          points:
            ch4: { input: 0, type: float32, unit: "%CH4", range: [0, 4], location: 总回风 }
        fan:
          bus: line
          unit: 5
          every: 200ms
          points:
            speed: { holding: 0, type: uint16, scale: 0.1, unit: m/s }
            absent: { holding: 900, type: uint16, unit: none }
        dead:
          bus: line
          unit: 6
          every: 1s
          points: { speed: { holding: 0, type: uint16, unit: none } }
      uplinks:
        province: { url: "mqtt://127.0.0.1:\(brokerPort)", topic-prefix: m }

      """, to: directory.file("agent.yaml"))
  }

  private let environment = ["EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards"]

  private func startSimulator() throws -> ChildProcess {
    try write(
      """
      stations:
        station: { port: 15000 }
        line: { rtu: { baud: 19200, link: \(directory.file("COM1")) }, timeout: 400ms }
      devices:
        gas: { station: station, unit: 3, points: {
          ch4: { input: 0, type: float32, signal: { methane: { base: 0.2 } } } } }
        fan: { station: line, unit: 5, points: {
          speed: { holding: 0, type: uint16, signal: { constant: 26 } } } }

      """, to: directory.file("scenario.yaml"))
    let simulator = try ChildProcess(
      Programs.simulator,
      ["run", directory.file("scenario.yaml"), "--ports-from", "\(stationPort)"])
    try simulator.waitUntilItPrints("ready\n")
    return simulator
  }

  private func startAgent() throws -> ChildProcess {
    let agent = try ChildProcess(
      Programs.agent, ["run", "-c", directory.file("agent.yaml")], environment: environment)
    try agent.waitUntilItPrints("runs as gw-1")
    try waitUntil("it listens") { access(directory.file("control.sock"), F_OK) == 0 }
    return agent
  }

  private func run(
    _ command: String, _ arguments: String...
  ) throws -> (status: Int32, output: String, errors: String) {
    try ChildProcess.run(
      Programs.agent, [command, "-c", directory.file("agent.yaml")] + arguments,
      environment: environment)
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("Alone it opens the buses itself: 0 for good points, 1 with reasons for bad ones")
  func alone() throws {
    let simulator = try startSimulator()
    let good = try run("probe", "gas")
    #expect(good.status == 0, "\(good)")
    #expect(
      good.output.contains(
        #/\ngas +ch4 +3 +input 0 +[0-9A-F]{4} [0-9A-F]{4} +0\.\d+ +%CH4 +good +\d+\.\d{3} ms\n/#),
      "\(good.output)")
    #expect(good.output.hasSuffix("\n1 point: 1 good, 0 bad\n"))
    #expect(good.errors == "")

    let all = try run("probe")
    #expect(all.status == 1)
    #expect(all.output.contains(#/\nfan +speed +5 +holding 0 +001A +2\.6 +m\/s +good /#))
    #expect(all.output.contains(#/\nfan +absent .* exception-2 /#), "\(all.output)")
    #expect(all.output.contains(#/\ndead +speed .* timeout /#), "\(all.output)")
    #expect(all.output.hasSuffix("\n4 points: 2 good, 2 bad\n"))

    let json = try run("probe", "--json", "--trace", "fan")
    #expect(json.status == 1)
    let answer = try object(json.output)
    #expect(answer["process"] is NSNull)
    let points = try #require(answer["points"] as? [[String: Any]])
    #expect(points.first?["registers"] as? [String] == ["001A"])
    #expect(points.first?["value"] as? Double == 2.6)
    let events = try #require(
      (answer["transactions"] as? [[String: Any]])?.first?["events"] as? [[String: Any]])
    #expect(events.first?["bytes"] as? String == "05 03 00 00 00 01 85 8E")
    let received = events.filter { $0["kind"] as? String == "received" }
      .compactMap { $0["bytes"] as? String }.joined(separator: " ")
    #expect(received.hasPrefix("05 03 02 00 1A"))

    let trace = try run("probe", "fan", "--trace")
    #expect(trace.output.contains("+0.000 → 05 03 00 00 00 01 85 8E\n"), "\(trace.output)")
    try simulator.stop()
  }

  @Test("Beside a running agent that one asks, and goes on with its own")
  func besideAnAgent() throws {
    let simulator = try startSimulator()
    let broker = try Broker(port: brokerPort)
    let agent = try startAgent()
    let probe = try run("probe", "--json", "--trace", "gas", "fan", "dead")
    #expect(probe.status == 1, "\(probe)")
    let answer = try object(probe.output)
    #expect(answer["process"] as? Int == Int(agent.id))
    let points = try #require(answer["points"] as? [[String: Any]])
    #expect(
      points.map { $0["quality"] as? String } == ["good", "good", "exception-2", "timeout"],
      "\(points)")
    #expect((answer["transactions"] as? [Any])?.isEmpty == false)

    let scan = try run("scan", "line", "--units", "1-8")
    #expect(scan.status == 0, "\(scan)")
    #expect(scan.output.contains(#/\n5 +fan +holding 0 is 001A +\d/#), "\(scan.output)")
    #expect(scan.output.hasSuffix("\nline: of 8 units 1 answers\n"))

    for (numbers, wrong) in [
      (#""units":[5],"timeout":-1"#, "timeout: 10 to 60000 ms is expected, not -1"),
      (#""units":[5],"timeout":60001"#, "timeout: "), (#""units":[5],"timeout":1.5"#, "timeout: "),
      (#""units":[]"#, "units: one at least is expected"),
      (#""units":[5,0]"#, "units[1]: one of 1…247, each once, is expected"),
      (#""units":["5"]"#, "units[0]: "), (#""units":[5,5]"#, "units[1]: "),
    ] {
      let client = try RawClient(directory.file("control.sock"))
      client.send(#"{"v":1,"command":"scan","bus":"line",\#(numbers)}"# + "\n")
      let answer = try client.receiveAll()
      #expect(
        answer.hasPrefix(#"{"v":1,"error":"malformed-request","text":"\#(wrong)"#), "\(answer)")
    }

    let deliveries = try RawClient(directory.file("control.sock"))
    deliveries.send(#"{"v":1,"command":"deliveries","devices":["gas","dust"]}"# + "\n")
    let refusal = try deliveries.receiveAll()
    #expect(
      refusal.hasPrefix(#"{"v":1,"error":"unknown-name","text":"the agent has no device dust;"#),
      "\(refusal)")

    // A technician asks device by device: one errand that is done makes room for the next.
    for number in 1...9 {
      let again = try run("probe", "gas")
      #expect(again.status == 0, "\(number): \(again)")
    }

    try waitUntil("the sheet has all that can be", within: patienceSeconds) {
      try run("probe", "gas", "--report").status == 0
    }
    let sheet = try run("probe", "--report")
    #expect(sheet.status == 1)
    #expect(sheet.output.hasPrefix("SITE ACCEPTANCE SHEET\n"))
    #expect(sheet.output.contains("process \(agent.id)\n"))
    #expect(
      sheet.output.contains(#/\ngas +ch4 +总回风 +.* %CH4 +0…4 +good +yes\n/#), "\(sheet.output)")
    let status = try run("status", "--json")
    let buses = try #require(try object(status.output)["buses"] as? [[String: Any]])
    let units = buses.flatMap { $0["units"] as? [[String: Any]] ?? [] }
    #expect(units.map { $0["unit"] as? Int } == [3, 5, 6])
    #expect((units[0]["answers"] as? Int ?? 0) > 0)
    #expect((units[1]["exceptions"] as? [String: Int])?["2"] ?? 0 > 0)
    #expect((units[2]["last-failure"] as? [String: Any])?["reason"] as? String == "timeout")

    try broker.stop()
    try waitUntil("without a broker nothing more is delivered") {
      let cut = try run("probe", "gas", "--report")
      return cut.status == 1 && cut.output.contains(#/ good +no\n/#)
    }
    #expect(try agent.stop() == 0)
    try simulator.stop()
  }

  @Test("Digits and texts are read as they are played, and a state stands with its name")
  func otherTypes() throws {
    try write(
      """
      stations: { a: { port: 15000 } }
      devices:
        d:
          station: a
          unit: 1
          points:
            meter: { holding: 0, type: bcd32, signal: { constant: 1234 } }
            version: { holding: 2, type: string, length: 3, text: V2.1 }
            pump: { holding: 5, type: uint16, enum: { 3: 运行 }, signal: { constant: 3 } }

      """, to: directory.file("scenario.yaml"))
    let arguments = [directory.file("scenario.yaml"), "--ports-from", "\(stationPort)"]
    let sections = try ChildProcess.run(
      Programs.simulator, ["agent-configuration"] + arguments)
    try write(
      """
      gateway: { id: gw-1, mine: "0520", region: "520201" }
      control: { socket: \(directory.file("control.sock")) }
      storage: { directory: \(directory.file("store")) }
      uplinks: { province: { url: "mqtt://127.0.0.1:\(brokerPort)" } }

      """ + sections.output, to: directory.file("agent.yaml"))
    let simulator = try ChildProcess(Programs.simulator, ["run"] + arguments)
    try simulator.waitUntilItPrints("ready\n")
    for report in [[], ["--report"]] {
      let probe = try ChildProcess.run(
        Programs.agent, ["probe", "-c", directory.file("agent.yaml")] + report)
      #expect(probe.output.contains(#/\nd +meter .* 0000 1234 +1234 +none /#), "\(probe)")
      #expect(probe.output.contains(#/\nd +version .* 5632 2E31 0000 +V2\.1 /#))
      #expect(probe.output.contains(#/\nd +pump .* 0003 +3 运行 /#))
    }
    try simulator.stop()
  }

  @Test("A scan alone: 0 and the units, 1 without any")
  func scanAlone() throws {
    let simulator = try startSimulator()
    let scan = try run("scan", "line", "--units", "4-6", "--json")
    #expect(scan.status == 0, "\(scan)")
    let units = try #require(try object(scan.output)["units"] as? [[String: Any]])
    #expect(units.map { $0["unit"] as? Int } == [5])
    let none = try run("scan", "line", "--units", "9", "--timeout", "50")
    #expect(none.status == 1)
    #expect(none.output == "line: of 1 unit 0 answer\n")
    try simulator.stop()
    let gone = try run("scan", "line", "--units", "5")
    #expect(gone.status == 1)
    #expect(gone.output.contains("No such file or directory"), "\(gone)")
    #expect(gone.output.contains("of 1 unit 0 asked: 0 answer\n"), "\(gone)")
  }

  @Test("An agent that can't be asked keeps its buses to itself: 69")
  func cannotBeAsked() throws {
    let simulator = try startSimulator()
    let agent = try startAgent()
    let path = directory.file("agent.yaml")
    let right = text(of: path)
    try write(
      right.replacingOccurrences(of: "control.sock", with: "elsewhere.sock"), to: path)
    for command in [["probe"], ["scan", "line"]] {
      let result = try ChildProcess.run(
        Programs.agent, command + ["-c", path], environment: environment)
      #expect(result.status == 69)
      #expect(result.output == "")
      #expect(
        result.errors
          == "not running: there is no socket \(directory.file("elsewhere.sock")); but process "
          + "\(agent.id) holds the store \(directory.file("store")): its buses are not to be asked "
          + "by two\n")
    }
    try write(right.replacingOccurrences(of: "  gas:", with: "  dust:"), to: path)
    let unknown = try run("probe", "dust")
    #expect(unknown.status == 69)
    #expect(unknown.errors.contains("unknown-name: the agent has no device dust; a change"))
    #expect(unknown.errors.contains("counts once reloaded"), "\(unknown)")
    #expect(try agent.stop() == 0)
    try simulator.stop()
  }

  @Test("Names that the configuration lacks are wrong usage, a wrong file is 78")
  func wrong() throws {
    let device = try run("probe", "gaz")
    #expect(device.status == 64)
    let unknown = "has no device, line or area gaz; did you mean gas?"
    #expect(device.errors.contains(unknown), "\(device.errors)")
    let bus = try run("scan", "lime")
    #expect(bus.status == 64)
    #expect(bus.errors.contains("has no bus lime; did you mean line?"), "\(bus.errors)")
    #expect(try run("scan", "line", "--units", "0-3").status == 64)
    let negative = try run("scan", "line", "--timeout", "-1")
    #expect(negative.status == 64)
    #expect(negative.errors.contains("--timeout -1: 10 to 60000 ms is expected"), "\(negative)")
    let far = try run("probe", "nobody-knows-this")
    #expect(far.errors.contains("; known there: gas, fan, dead\n"), "\(far.errors)")
    for command in ["check", "probe", "scan line", "status"] {
      let full = try ChildProcess.run(
        "/bin/sh",
        [
          "-c", "exec \(Programs.agent) \(command) -c \(directory.file("agent.yaml")) >/dev/full",
        ],
        environment: environment)
      // Nobody runs whom status could ask.
      #expect(full.status == (command == "status" ? 69 : 74), "\(command): \(full)")
    }
    try write("gateway: 7\n", to: directory.file("agent.yaml"))
    #expect(try run("probe").status == 78)
    #expect(try run("scan", "line").status == 78)
  }
}
