import Foundation
import Glibc

/// A mosquitto of the test's own on a free loopback port, which keeps its sessions over a restart.
final class Broker {
  let port: UInt16
  let directory: URL
  private var process: ChildProcess?

  init() throws {
    port = try freePort()
    directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("edge-receive-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    // Started by root it would change to a user that can't write here.
    let lines = """
      listener \(port) 127.0.0.1
      allow_anonymous true
      user root
      persistence true
      persistence_location \(directory.path)/
      max_queued_messages 0

      """
    try Data(lines.utf8).write(to: directory.appendingPathComponent("mosquitto.conf"))
    try start()
  }

  deinit {
    process = nil
    try? FileManager.default.removeItem(at: directory)
  }

  /// Returns once the broker takes connections.
  func start() throws {
    let configuration = directory.appendingPathComponent("mosquitto.conf").path
    process = try ChildProcess("/usr/sbin/mosquitto", ["-c", configuration])
    let port = "\(port)"
    try waitUntil("mosquitto listens on \(port)") {
      try run("mosquitto_pub", ["-p", port, "-t", "test/ready", "-m", ""]) == 0
    }
  }

  /// Ends it in order: it writes its sessions down.
  func stop() throws {
    process?.send(SIGTERM)
    _ = try process?.waitForEnd()
    process = nil
  }

  /// Publishes payloads of one line each, in order, and waits until the broker has them.
  func publish(_ payloads: [String], to topic: String, retained: Bool = false) throws {
    let file = directory.appendingPathComponent("payloads-\(UUID().uuidString)")
    try Data((payloads.joined(separator: "\n") + "\n").utf8).write(to: file)
    let code = try run(
      "mosquitto_pub",
      ["-V", "5", "-q", "1", "-p", "\(port)", "-t", topic, "-l"] + (retained ? ["-r"] : []),
      input: file.path)
    guard code == 0 else { throw Waited(description: "mosquitto_pub ended with \(code)") }
  }
}

/// An `edge-receive` as users run it, with its output in a file.
struct ReceiverProcess {
  private let process: ChildProcess
  private let output: URL

  init(_ arguments: [String], in directory: URL) throws {
    output = directory.appendingPathComponent("output-\(UUID().uuidString)")
    process = try ChildProcess(edgeReceive, arguments, output: output.path)
  }

  var text: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }

  func waitUntilReady() throws {
    try waitUntil("edge-receive is ready") { text.hasPrefix("ready\n") }
  }

  /// Asks it to stop, and gives its exit code.
  func stop() throws -> Int32 {
    process.send(SIGTERM)
    return try process.waitForEnd()
  }

  /// Waits for its own end.
  func waitForEnd() throws -> Int32 { try process.waitForEnd() }
}

/// The program under test lies beside the test bundle.
let edgeReceive = URL(fileURLWithPath: CommandLine.arguments[0])
  .deletingLastPathComponent().appendingPathComponent("edge-receive").path

/// A loopback port that nothing listens on.
private func freePort() throws -> UInt16 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  let isBound = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
    }
  }
  guard isBound else { throw Waited(description: "bind: errno \(errno)") }
  return UInt16(bigEndian: address.sin_port)
}
