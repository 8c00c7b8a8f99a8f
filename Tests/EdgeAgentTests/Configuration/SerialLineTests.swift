import ConfigurationFile
import Drivers
import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Serial lines in a configuration")
struct SerialLineTests {
  @Test("A port is the board's name or a path; what is left out is what the specification sets")
  func lines() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/rtu.yaml"))
    let lines = configuration.buses.map(\.endpoint)
    #expect(
      lines == [
        .rtu(SerialLine(path: "/dev/serial/by-path/platform-1.serial", baud: 9600)),
        .rtu(
          SerialLine(
            path: "/dev/serial/by-path/platform-2.serial", baud: 19_200, parity: .none,
            stopBits: 2)),
        .rtu(
          SerialLine(path: "/dev/serial/by-id/usb-FTDI-if00", baud: 115_200, parity: .odd)),
      ])
    #expect(
      SerialLine(path: "", baud: 9600)
        == SerialLine(
          path: "", baud: 9600, parity: .even, stopBits: 1))
    #expect(configuration.buses.map(\.timeoutMilliseconds) == [500, 1000, 1000])
    #expect(configuration.buses[0].devices.map(\.name) == ["return-air"])
  }

  @Test("The plan shows the line and what it costs")
  func plan() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/rtu.yaml"))
    let text = AgentPlan(configuration).text
    #expect(
      text.contains(
        "bus line-1: rtu /dev/serial/by-path/platform-1.serial, 9600 Bd, 8 data bits, "
          + "even parity, 1 stop bit, timeout 500 ms, 1 device"))
    #expect(text.contains("1 request, about 36 ms of bus time a cycle (4 % load)"))
  }

  private func lines(_ first: String, _ second: String) -> String {
    """
    gateway: { id: gw-1, mine: "0520", region: "520201" }
    uplinks: { province: { url: mqtt://broker.example } }
    buses:
      a: { rtu: { port: \(first), baud: 9600, data-bits: 7 } }
      b: { rtu: { port: \(second), baud: 9600 } }
    """
  }

  /// The plan's warnings of both buses.
  private func warnings(_ first: String, _ second: String) throws -> [String] {
    let configuration = try Fixtures.load(text: lines(first, second))
    let plan = AgentPlan(configuration, ports: SerialPortFindings(configuration.buses))
    let warnings = plan.text.split(separator: "\n").filter { $0.contains("WARNING: ") }
      .map { String($0.trimmingPrefix("  WARNING: ")) }
    for warning in warnings { #expect(plan.json.contains("[\"\(warning)\"]"), "\(plan.json)") }
    #expect(warnings.first?.hasPrefix("7 data bits ") == true)
    return Array(warnings.dropFirst())
  }

  @Test("What is plugged in is the plan's matter; the same words twice are the file's")
  func links() throws {
    let directory = try TemporaryDirectory()
    let terminal = try PseudoTerminal()
    let (link, file) = (directory.file("meters"), directory.file("file"))
    #expect(symlink(terminal.path, link) == 0)
    try write("in the way", to: file)
    let closed = "one bus of them has it, the other's points are bus-closed"
    #expect(
      try warnings(terminal.path, link) == [
        "\(link) leads to \(terminal.path), which is the port of a: \(closed)"
      ])
    #expect(
      try warnings(link, terminal.path) == ["\(terminal.path) is the port of a: \(closed)"])
    #expect(
      try warnings(link, file) == [
        "\(file) is no serial port: its points are bus-closed until a device is there"
      ])
    #expect(try warnings(directory.file("x"), directory.file("y")) == [])
    let same = Fixtures.lines { () throws(ConfigurationProblems) in
      try Fixtures.load(text: lines(link, link))
    }
    #expect(
      same == ["FILE:5:21: buses.b.rtu.port: \(link) is the port of a; one bus a port is expected"])
  }

  @Test("A port of a board that is refused itself is not blamed")
  func unknownBoard() {
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: 0520, region: 520201, board: no-such-board }
          uplinks: { province: { url: mqtt://broker.example } }
          buses: { line-1: { rtu: { port: COM1, baud: 9600 } } }
          """)
    }
    #expect(lines.count == 1)
    #expect(lines.first?.contains("gateway.board") == true)
  }
}
