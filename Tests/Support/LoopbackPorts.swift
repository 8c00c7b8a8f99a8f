public import Glibc
internal import LinuxSystem

/// TCP ports on 127.0.0.1 for the servers of tests.
public enum LoopbackPorts {
  /// Below the range that the kernel gives to clients (32768 and up on Linux), so that no client
  /// gets a port between its choice and the server's start.
  private static let range: Range<UInt16> = 20_000..<32_000
  // Test programs that run at once begin in different places.
  private static let next = Monitor(UInt16.random(in: range))

  /// The first of `count` ports in a run that nobody listens on and no other test here was given.
  public static func free(_ count: UInt16 = 1) throws -> UInt16 {
    for _ in range {
      let first = next.withLock { next in
        if next > range.upperBound - count { next = range.lowerBound }
        defer { next += count }
        return next
      }
      if (first..<first + count).allSatisfy(isFree) { return first }
    }
    throw WaitedInVain("\(count) free ports in a run")
  }

  /// Whether somebody takes connections there.
  public static func isListening(_ port: UInt16) -> Bool {
    withSocket(on: port) { connect($0, $1, $2) == 0 }
  }

  private static func isFree(_ port: UInt16) -> Bool {
    // Without SO_REUSEADDR: not every server of the tests sets it, and then connections of an
    // earlier run that ended a moment ago keep it from listening.
    withSocket(on: port) { bind($0, $1, $2) == 0 }
  }

  private static func withSocket(
    on port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
  ) -> Bool {
    let descriptor = socket(
      AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = loopbackAddress(port)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}

/// 127.0.0.1 with this port.
public func loopbackAddress(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}
