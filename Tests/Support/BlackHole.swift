internal import Glibc
internal import LinuxSystem

/// Takes a connection, reads what comes and never answers.
public final class BlackHole: Sendable {
  /// The loopback port that it listens on.
  public let port: UInt16
  // Takes the only place in the queue, so that the next connection stays half open.
  private let plug: Int32
  private let listener: Int32
  private let bytes = Monitor<[UInt8]>([])

  /// Takes connections at once, or from `letIn` on; until then they stay half open.
  public init(isPlugged: Bool = false) throws {
    port = try LoopbackPorts.free()
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = loopbackAddress(port)
    let isBound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isBound, listen(listener, isPlugged ? 0 : 4) == 0 else {
      throw WaitedInVain("listen on \(port)")
    }
    plug = isPlugged ? socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) : -1
    guard isPlugged else {
      try letIn()
      return
    }
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(plug, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { throw WaitedInVain("connect to \(port)") }
  }

  /// Begins to take connections.
  public func letIn() throws {
    if plug >= 0 { close(plug) }
    let (listener, bytes) = (listener, bytes)
    try Thread.start(named: "black-hole") {
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { break }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
          let count = read(client, &buffer, buffer.count)
          guard count > 0 else { break }
          bytes.withLock { $0 += buffer[..<count] }
        }
        close(client)
      }
      close(listener)
    }
  }

  deinit { _ = shutdown(listener, Int32(SHUT_RDWR)) }

  /// What was sent to it so far.
  public var received: [UInt8] { bytes.withLock { $0 } }
}
