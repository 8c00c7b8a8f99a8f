import Foundation
import LinuxSystem
import Testing

@testable import MineSimulator

/// The executable, as the demo and the tests of others start it.
@Suite(.serialized)
struct ProgramTests {
  private static let scenario = """
    stations: { a: { port: 1 } }
    devices: { gas: { station: a, unit: 3, points: {
      ch4: { input: 0, type: float32, signal: { methane: { base: 0.2 } } } } } }
    """

  /// A started simulator; ended with this object if it still runs.
  private final class Program {
    let process = Process()
    let output = Pipe()
    let errors = Pipe()

    init(_ arguments: [String]) throws {
      // The test bundle lies beside the executables.
      let directory = try #require(
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      let beside = URL(fileURLWithPath: directory).deletingLastPathComponent()
      process.executableURL = beside.appendingPathComponent("mine-simulator")
      process.arguments = arguments
      process.standardOutput = output
      process.standardError = errors
      try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// The first line that it prints.
    func line() -> String {
      var line: [UInt8] = []
      while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
        line.append(byte)
      }
      return String(decoding: line, as: UTF8.self)
    }

    func end() -> Int32 {
      process.waitUntilExit()
      return process.terminationStatus
    }

    func text(_ pipe: Pipe) throws -> String {
      String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    }
  }

  private func file(_ text: String, in directory: TemporaryDirectory) throws -> String {
    let path = directory.file("scenario.yaml")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// A port that is free now.
  private func freePort() throws -> UInt16 {
    let descriptor = try LoopbackSocket.reserve(port: 0)
    defer { close(descriptor) }
    return try LoopbackSocket.port(of: descriptor)
  }

  @Test(
    "It prints ready, serves, and stops with 0 and a whole ground truth",
    arguments: [
      SIGTERM, SIGINT,
    ])
  func orderlyStop(signal: Int32) throws {
    let directory = try TemporaryDirectory()
    let port = try freePort()
    let program = try Program([
      "run", try file(Self.scenario, in: directory), "--ports-from", "\(port)", "--truth",
      directory.file("truth"),
    ])
    #expect(program.line() == "ready")
    let client = try RawClient(port: port)
    for transaction in UInt16(0)..<100 {
      try client.send(transaction, unit: 3, 4, 0, 2)
      _ = try client.frame()
    }
    kill(program.process.processIdentifier, signal)
    #expect(program.end() == 0)
    #expect(try TruthLine.read(directory.file("truth")).count == 100)
  }

  @Test("The ground truth is in the file within 100 ms, and whole after a kill")
  func killed() throws {
    let directory = try TemporaryDirectory()
    let port = try freePort()
    let program = try Program([
      "run", try file(Self.scenario, in: directory), "--ports-from", "\(port)", "--truth",
      directory.file("truth"),
    ])
    #expect(program.line() == "ready")
    let client = try RawClient(port: port)
    var lags: [Int64] = []
    for transaction in UInt16(0)..<10 {
      try client.send(transaction, unit: 3, 4, 0, 2)
      _ = try client.frame()
      let answered = monotonicMilliseconds()
      _ = try eventually { lines(of: directory.file("truth")).count > transaction ? true : nil }
      lags.append(monotonicMilliseconds() - answered)
    }
    // The best of ten: this machine may be busy, and then both sides wait.
    #expect((lags.min() ?? .max) <= 100, "\(lags)")
    kill(program.process.processIdentifier, SIGKILL)
    _ = program.end()
    #expect(try TruthLine.read(directory.file("truth")).count == 10)
  }

  @Test("It stops by itself after the seconds it was given")
  func seconds() throws {
    let directory = try TemporaryDirectory()
    let program = try Program([
      "run", try file(Self.scenario, in: directory), "--ports-from", "\(try freePort())",
      "--seconds", "0.2",
    ])
    #expect(try program.text(program.output) == "ready\n")
    #expect(program.end() == 0)
  }

  @Test("A wrong scenario is refused with every problem and 78")
  func wrongScenario() throws {
    let directory = try TemporaryDirectory()
    let path = try file(
      Self.scenario.replacingOccurrences(of: "unit: 3", with: "unit: 0")
        .replacingOccurrences(of: "port: 1", with: "port: 0"), in: directory)
    let program = try Program(["run", path])
    let errors = try program.text(program.errors)
    #expect(
      errors == """
        \(path):1:24: stations.a.port: 0 is outside 1…65535
        \(path):2:37: devices.gas.unit: 0 is outside 1…247

        """)
    #expect(program.end() == 78)
  }

  @Test("A port that is taken is named, with 71; wrong usage is 64")
  func failures() throws {
    let directory = try TemporaryDirectory()
    let path = try file(Self.scenario, in: directory)
    let mine = try RunningMine(Self.scenario)
    let taken = try Program(["run", path, "--ports-from", "\(mine.ports[0])"])
    #expect(
      try taken.text(taken.errors)
        == "mine-simulator: bind 127.0.0.1:\(mine.ports[0]): Address already in use\n")
    #expect(taken.end() == 71)
    try mine.finish()
    for arguments in [
      ["run"], ["run", path, "--ports-from", "0"], ["run", path, "--seconds", "0"],
    ] {
      #expect(try Program(arguments).end() == 64)
    }
  }

  @Test("The agent's configuration names the ports that the simulator will listen on")
  func agentConfiguration() throws {
    let directory = try TemporaryDirectory()
    let path = try file(Self.scenario, in: directory)
    let program = try Program(["agent-configuration", path, "--ports-from", "20000"])
    #expect(
      try program.text(program.output) == """
        buses:
          a: { tcp: { host: 127.0.0.1, port: 20000 } }
        devices:
          gas:
            bus: a
            unit: 3
            every: 1s
            points:
              ch4: { input: 0, type: float32, order: ABCD }

        """)
    #expect(program.end() == 0)
  }
}
