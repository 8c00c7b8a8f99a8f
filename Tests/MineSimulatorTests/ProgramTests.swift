import Foundation
import LinuxSystem
import TestSupport
import Testing

@testable import MineSimulator

/// The executable, as the demo and the tests of others start it.
@Suite(.serialized, .ownThread)
struct ProgramTests {
  private static let scenario = """
    stations: { a: { port: 1 } }
    devices: { gas: { station: a, unit: 3, points: {
      ch4: { input: 0, type: float32, signal: { methane: { base: 0.2 } } } } } }
    """

  private func simulator(_ arguments: [String]) throws -> ChildProcess {
    try ChildProcess(Programs.simulator, arguments)
  }

  private func file(_ text: String, in directory: TemporaryDirectory) throws -> String {
    let path = directory.file("scenario.yaml")
    try write(text, to: path)
    return path
  }

  @Test(
    "It prints ready, serves, and stops with 0 and a whole ground truth",
    arguments: [
      SIGTERM, SIGINT,
    ])
  func orderlyStop(signal: Int32) throws {
    let directory = try TemporaryDirectory()
    let port = try LoopbackPorts.free()
    let program = try simulator([
      "run", try file(Self.scenario, in: directory), "--ports-from", "\(port)", "--truth",
      directory.file("truth"),
    ])
    try program.waitUntilItPrints("ready\n")
    let client = try RawClient(port: port)
    for transaction in UInt16(0)..<100 {
      try client.send(transaction, unit: 3, 4, 0, 2)
      _ = try client.frame()
    }
    program.send(signal)
    #expect(try program.waitForEnd() == 0)
    #expect(try TruthLine.read(directory.file("truth")).count == 100)
  }

  @Test("The ground truth is in the file within 100 ms, and whole after a kill")
  func killed() throws {
    let directory = try TemporaryDirectory()
    let port = try LoopbackPorts.free()
    let program = try simulator([
      "run", try file(Self.scenario, in: directory), "--ports-from", "\(port)", "--truth",
      directory.file("truth"),
    ])
    try program.waitUntilItPrints("ready\n")
    let client = try RawClient(port: port)
    var lags: [Int64] = []
    for transaction in UInt16(0)..<10 {
      try client.send(transaction, unit: 3, 4, 0, 2)
      _ = try client.frame()
      let answered = monotonicMilliseconds()
      try waitUntil("the record") { lines(of: directory.file("truth")).count > transaction }
      lags.append(monotonicMilliseconds() - answered)
    }
    // The best of ten: this machine may be busy, and then both sides wait.
    #expect((lags.min() ?? .max) <= 100, "\(lags)")
    program.kill()
    #expect(try TruthLine.read(directory.file("truth")).count == 10)
  }

  @Test("It stops by itself after the seconds it was given")
  func seconds() throws {
    let directory = try TemporaryDirectory()
    let program = try simulator([
      "run", try file(Self.scenario, in: directory), "--ports-from", "\(try LoopbackPorts.free())",
      "--seconds", "0.2",
    ])
    #expect(try program.waitForEnd() == 0)
    #expect(program.output == "ready\n")
  }

  @Test("A wrong scenario is refused with every problem and 78")
  func wrongScenario() throws {
    let directory = try TemporaryDirectory()
    let path = try file(
      Self.scenario.replacingOccurrences(of: "unit: 3", with: "unit: 0")
        .replacingOccurrences(of: "port: 1", with: "port: 0"), in: directory)
    let (status, _, errors) = try ChildProcess.run(Programs.simulator, ["run", path])
    #expect(status == 78)
    #expect(
      errors == """
        \(path):1:24: stations.a.port: 0 is outside 1…65535
        \(path):2:37: devices.gas.unit: 0 is outside 1…247

        """)
  }

  @Test("A port that is taken is named, with 71; wrong usage is 64")
  func failures() throws {
    let directory = try TemporaryDirectory()
    let path = try file(Self.scenario, in: directory)
    let mine = try RunningMine(Self.scenario)
    let taken = try ChildProcess.run(
      Programs.simulator, ["run", path, "--ports-from", "\(mine.ports[0])"])
    #expect(
      taken.errors
        == "mine-simulator: bind 127.0.0.1:\(mine.ports[0]): Address already in use\n")
    #expect(taken.status == 71)
    try mine.finish()
    for arguments in [
      ["run"], ["run", path, "--ports-from", "0"], ["run", path, "--seconds", "0"],
    ] {
      #expect(try ChildProcess.run(Programs.simulator, arguments).status == 64)
    }
  }

  @Test("The agent's configuration names the ports that the simulator will listen on")
  func agentConfiguration() throws {
    let directory = try TemporaryDirectory()
    let path = try file(Self.scenario, in: directory)
    let program = try ChildProcess.run(
      Programs.simulator, ["agent-configuration", path, "--ports-from", "20000"])
    #expect(program.status == 0)
    #expect(
      program.output == """
        buses:
          a: { tcp: { host: 127.0.0.1, port: 20000 } }
        devices:
          gas:
            bus: a
            unit: 3
            every: 1s
            points:
              ch4: { input: 0, type: float32, order: ABCD, unit: "none" }

        """)
  }
}
