import Glibc
import LinuxSystem
import TestSupport

/// A client of a control socket that need not keep to the protocol.
final class RawClient {
  private let descriptor: Int32

  init(_ path: String) throws {
    guard let address = UnixSocketAddress(path: path) else { throw WaitedInVain("a path: \(path)") }
    descriptor = try systemCall("socket") {
      socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
    var limit = timeval(tv_sec: Int(patienceSeconds), tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    try systemCall("connect", on: path) { address.withPointer { connect(descriptor, $0, $1) } }
  }

  deinit { close(descriptor) }

  /// Returns how much was taken; less than all from a server that closed.
  @discardableResult
  func send(_ text: String) -> Int {
    let bytes = Array(text.utf8)
    return Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Everything up to the server's end of the connection; throws if that does not come.
  func receiveAll() throws -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      // Reset: it did not want all that was sent.
      if count == 0 || (count == -1 && errno == ECONNRESET) { break }
      guard count > 0 else { throw WaitedInVain("the server's end; errno \(errno)") }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
