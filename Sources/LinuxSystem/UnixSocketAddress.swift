public import Glibc

/// The address of a Unix socket in the file system.
public struct UnixSocketAddress: Sendable {
  /// As long as a path may be: `sun_path` has room for 108 bytes with the end mark.
  public static let mostBytes = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  /// The socket's path.
  public let path: String
  private let storage: sockaddr_un
  private let length: socklen_t

  /// `nil` for a path that is empty, longer than `mostBytes`, or holds a byte 0.
  public init?(path: String) {
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count <= Self.mostBytes, !bytes.contains(0) else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    self.path = path
    storage = address
    length = socklen_t(offset + bytes.count + 1)
  }

  /// For calls that take an address.
  public func withPointer<Result>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
