internal import Glibc
internal import LinuxSystem

/// The socket calls of the server. Everything is on 127.0.0.1 only: a simulator must not be found
/// by anything that takes it for a mine.
enum LoopbackSocket {
  /// Connections that wait to be accepted; a burst of a few hundred clients fits.
  private static let backlog: Int32 = 512

  /// A socket bound to a port (0: the kernel chooses) and not listening: clients are refused, and
  /// nobody else is given the port.
  static func reserve(port: UInt16) throws(SystemError) -> Int32 {
    let descriptor = try systemCall("socket") {
      socket(
        AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    }
    do throws(SystemError) {
      // Connections of an earlier run may linger in TIME_WAIT, and the listener shares the port
      // with its reservation.
      try set(SO_REUSEADDR, level: SOL_SOCKET, of: descriptor)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      try systemCall("bind", on: "127.0.0.1:\(port)") {
        withUnsafeBytes(of: &address) { bytes in
          bind(
            descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
            socklen_t(bytes.count))
        }
      }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// A socket that listens on a port.
  static func listen(port: UInt16) throws(SystemError) -> Int32 {
    let descriptor = try reserve(port: port)
    do throws(SystemError) {
      try systemCall("listen", on: "127.0.0.1:\(port)") { Glibc.listen(descriptor, backlog) }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// The port that a socket is bound to.
  static func port(of descriptor: Int32) throws(SystemError) -> UInt16 {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    try systemCall("getsockname") {
      withUnsafeMutableBytes(of: &address) { bytes in
        getsockname(
          descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
      }
    }
    return UInt16(bigEndian: address.sin_port)
  }

  /// The next connection that waits, non-blocking; `nil` if there is none, or the client is gone
  /// again, or the process is out of descriptors for the moment.
  static func accept(on listener: Int32) -> Int32? {
    let descriptor = Glibc.accept(listener, nil, nil)
    guard descriptor >= 0 else { return nil }
    let flags = fcntl(descriptor, F_GETFL)
    guard fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
    else {
      close(descriptor)
      return nil
    }
    // Answers are small and each matters now; a failure only costs time.
    try? set(Int32(TCP_NODELAY), level: Int32(IPPROTO_TCP), of: descriptor)
    return descriptor
  }

  private static func set(
    _ option: Int32, level: Int32, of descriptor: Int32
  ) throws(SystemError) {
    var on: Int32 = 1
    try systemCall("setsockopt") {
      setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}
