internal import Glibc
public import LinuxSystem

/// Plays the service manager: a datagram socket for NOTIFY_SOCKET.
public final class NotifySocket {
  /// What NOTIFY_SOCKET has to be.
  public let name: String
  /// Everything that arrived, one datagram an element.
  public private(set) var messages: [String] = []
  private let descriptor: Int32

  /// Listens at a path, or at `@` and a name in the abstract space.
  public init(_ name: String) throws(SystemError) {
    self.name = name
    descriptor = try systemCall("socket") {
      socket(
        AF_UNIX,
        Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(name.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path.copyBytes(from: bytes)
      if name.hasPrefix("@") { path[0] = 0 }
    }
    let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    let length = socklen_t(offset + bytes.count + (name.hasPrefix("@") ? 0 : 1))
    let descriptor = descriptor
    _ = try systemCall("bind", on: name) {
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
      }
    }
  }

  deinit { close(descriptor) }

  /// Takes what has arrived, and gives all that ever did.
  @discardableResult
  public func receive() -> [String] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count >= 0 else { return messages }
      messages.append(String(decoding: buffer[..<count], as: UTF8.self))
    }
  }

  /// How many datagrams with this line have arrived.
  public func count(of line: String) -> Int {
    receive().count { $0.split(separator: "\n").contains(Substring(line)) }
  }
}
