import Foundation
import TestSupport

/// A program that a test started, with its output in a file; killed when released.
final class Program {
  let process = Process()
  let log: String

  /// Where the package's own programs are: beside the test bundle, or in EDGE_PROGRAMS.
  static let directory: String = {
    if let given = ProcessInfo.processInfo.environment["EDGE_PROGRAMS"] { return given }
    let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return bundle.deletingLastPathComponent().path
  }()

  /// The path of one of the package's programs.
  static func own(_ name: String) -> String { directory + "/" + name }

  init(
    _ path: String, _ arguments: [String], log: String, environment: [String: String] = [:]
  ) throws {
    self.log = log
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
    try output.seekToEnd()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
  }

  deinit { kill() }

  var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

  var isRunning: Bool { process.isRunning }

  /// SIGHUP.
  func reload() { Foundation.kill(process.processIdentifier, SIGHUP) }

  /// Waits for `text` in the output.
  func waitForOutput(_ text: String, within seconds: Double = 20) -> Bool {
    eventually(within: seconds) { output.contains(text) }
  }

  /// SIGKILL, and waits until it is gone.
  func kill() {
    guard process.isRunning else { return }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// SIGTERM; the exit status, or nil if it had to be killed after `seconds`.
  @discardableResult
  func stop(within seconds: Double = 5) -> Int32? {
    process.terminate()
    guard eventually(within: seconds, { !process.isRunning }) else {
      kill()
      return nil
    }
    return process.terminationStatus
  }

  /// Runs a program to its end.
  static func run(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: Data) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }
}
