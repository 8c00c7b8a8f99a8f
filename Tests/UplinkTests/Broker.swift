import Foundation
import Glibc

/// A mosquitto of the test's own on a free loopback port.
final class Broker {
  let port: UInt16
  private let directory: URL
  private var process: Process?

  /// Starts one; `options` are further lines of its configuration, `acl` its access rules.
  init(options: [String] = [], acl: [String]? = nil, starts: Bool = true) throws {
    port = try freePort()
    directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("uplink-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    // Started by root it would change to a user that can't write here.
    var lines = ["listener \(port) 127.0.0.1", "allow_anonymous true", "user root"]
    if let acl {
      let file = directory.appendingPathComponent("acl")
      try Data((acl.joined(separator: "\n") + "\n").utf8).write(to: file)
      lines.append("acl_file \(file.path)")
    }
    lines += options.map { $0.replacingOccurrences(of: "DIRECTORY", with: directory.path) }
    try Data((lines.joined(separator: "\n") + "\n").utf8)
      .write(to: directory.appendingPathComponent("mosquitto.conf"))
    if starts { try start() }
  }

  deinit {
    kill()
    try? FileManager.default.removeItem(at: directory)
  }

  /// Returns once the broker takes connections.
  func start() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/sbin/mosquitto")
    process.arguments = ["-c", directory.appendingPathComponent("mosquitto.conf").path]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    self.process = process
    try waitUntil("mosquitto listens on \(port)") { accepts(port) }
  }

  /// Ends it at once, as a crash would.
  func kill() {
    guard let process, process.isRunning else { return }
    Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    self.process = nil
  }

  /// Stops it from running without closing a socket.
  func freeze() { if let process { Glibc.kill(process.processIdentifier, SIGSTOP) } }

  func thaw() { if let process { Glibc.kill(process.processIdentifier, SIGCONT) } }
}

struct Waited: Error, CustomStringConvertible {
  var description: String
}

/// Looks every few milliseconds; the time only bounds a failing test.
func waitUntil(
  _ what: String, seconds: Double = 30, _ condition: () throws -> Bool
) throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    if ContinuousClock.now > deadline { throw Waited(description: "waited in vain: \(what)") }
    usleep(5_000)
  }
}

/// A port that nothing listens on.
func freePort() throws -> UInt16 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = loopback(0)
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  let isBound = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
    }
  }
  guard isBound else { throw Waited(description: "bind: errno \(errno)") }
  return UInt16(bigEndian: address.sin_port)
}

func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}

private func accepts(_ port: UInt16) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = loopback(port)
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}
