import Foundation
import TestSupport

/// A mosquitto of the test's own on a loopback port. Sessions outlive its restarts.
final class Broker {
  let port: Int
  private let directory: String
  private var program: Program?

  init(port: Int, directory: String) throws {
    self.port = port
    self.directory = directory
    let configuration = """
      listener \(port) 127.0.0.1
      allow_anonymous true
      persistence true
      persistence_location \(directory)/
      max_queued_messages 0
      """
    try configuration.write(
      toFile: directory + "/mosquitto.conf", atomically: true, encoding: .utf8)
  }

  func start() throws {
    program = try Program(
      Self.path, ["-c", directory + "/mosquitto.conf", "-v"], log: directory + "/broker.log")
    guard eventually(within: 10, { Ports.isTaken(port) }) else {
      throw RigError(description: "mosquitto does not listen: \(program?.output ?? "")")
    }
  }

  func stop() {
    program?.stop()
    program = nil
  }

  private static let path =
    ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    } ?? "/usr/sbin/mosquitto"
}

/// What went wrong in setting up a test.
struct RigError: Error, CustomStringConvertible {
  var description: String
}

/// Free TCP ports on loopback.
enum Ports {
  private static let taken = Locked(Int.random(in: 20_000...28_000))

  /// A run of `count` ports that nobody listens on and no other test here was given.
  static func free(_ count: Int) -> Int {
    taken.withLock { next in
      while true {
        let first = next
        next += count
        if next > 32_000 { next = 20_000 }
        if (first..<first + count).allSatisfy({ !isTaken($0) }) { return first }
      }
    }
  }

  static func isTaken(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return result == 0
  }
}

/// A value behind a lock.
final class Locked<Value>: @unchecked Sendable {
  // Guarded by `lock`.
  private var value: Value
  private let lock = NSLock()

  init(_ value: Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return body(&value)
  }
}
