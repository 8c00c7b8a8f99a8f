internal import CModbus
internal import Glibc
internal import LinuxSystem

/// A TCP connection that libmodbus opens and owns; what goes over it is ours
/// (docs/decisions/0002-own-mbap-framing.md).
struct ModbusSocket: ~Copyable {
  /// Unacknowledged data, and questions whether it is there, after which the kernel gives the other
  /// side up, in milliseconds: tells a gateway without power from a silent unit behind a live one.
  private static let unacknowledgedLimit: Int32 = 5_000
  /// Seconds between such questions; with the limit above the second finds the connection dead.
  private static let keepAliveInterval: Int32 = 5
  /// Questions without an answer, where a kernel does not know that limit.
  private static let keepAliveCount: Int32 = 3
  /// What one read takes: more than a message.
  private static let readBytes = 260

  private let context: OpaquePointer
  /// The socket.
  let descriptor: Int32
  /// Address and port of the other side.
  let endpoint: String

  private init(context: OpaquePointer, endpoint: String) {
    self.context = context
    self.endpoint = endpoint
    descriptor = modbus_get_socket(context)
  }

  deinit {
    modbus_close(context)
    modbus_free(context)
  }

  /// Connects to the first address of `host` that answers, within the connection's time-out and as
  /// long again for the lookup.
  static func open(
    host: String, port: UInt16, manners: BusManners, lookup: HostLookup
  ) throws(ConnectError) -> ModbusSocket {
    let timeout = Duration.milliseconds(manners.connectTimeoutMilliseconds)
    let addresses = try lookup.addresses(of: host, within: timeout)
    let deadline = ContinuousClock.now + timeout
    var failure = ConnectError.unresolved(host: host, reason: "no address")
    for (index, address) in addresses.enumerated() {
      let remaining = ContinuousClock.now.duration(to: deadline)
      guard remaining > .zero else { break }
      do {
        // Shared out, or a first address that is silent would keep the others from being tried.
        let socket = try connect(
          to: address, port: port, within: remaining / (addresses.count - index))
        socket.configure(manners)
        return socket
      } catch {
        failure = error
      }
    }
    throw failure
  }

  private static func connect(
    to address: String, port: UInt16, within timeout: Duration
  ) throws(ConnectError) -> ModbusSocket {
    let endpoint = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    try DescriptorLimit.check()
    guard let context = modbus_new_tcp_pi(address, "\(port)") else {
      throw .failed(SystemError(call: "modbus_new_tcp_pi", subject: endpoint, code: errno))
    }
    let parts = timeout.components
    // Zero in both is refused by libmodbus; a deadline that close has passed anyway.
    let microseconds = max(1, UInt32(parts.attoseconds / 1_000_000_000_000))
    modbus_set_response_timeout(context, UInt32(parts.seconds), microseconds)
    guard modbus_connect(context) == 0 else {
      let code = errno
      modbus_free(context)
      if code == ECONNREFUSED { throw .refused(endpoint: endpoint) }
      // What `select` leaves behind when its time is over.
      let cause = code == EINPROGRESS ? ETIMEDOUT : code
      throw .failed(SystemError(call: "connect", subject: endpoint, code: cause))
    }
    return ModbusSocket(context: context, endpoint: endpoint)
  }

  /// The connection works without each of these.
  private borrowing func configure(_ manners: BusManners) {
    // libmodbus sets it on IPv4 sockets alone.
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Self.unacknowledgedLimit)
    guard let keepAlive = manners.keepAliveMilliseconds else { return }
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, Int32(clamping: (keepAlive + 999) / 1000))
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, Self.keepAliveInterval)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, Self.keepAliveCount)
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
  }

  private borrowing func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Appends what arrives within `time`; how many bytes.
  borrowing func receive(
    into received: inout [UInt8], waiting time: Duration
  ) throws(TransactionError) -> Int {
    if time > .zero {
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      do throws(SystemError) {
        let ready = try systemCall("poll", on: endpoint) {
          poll(&entry, 1, time.millisecondsRoundedUp)
        }
        guard ready > 0 else { return 0 }
      } catch {
        throw .closed(reason: error.description)
      }
    }
    return try receive(into: &received)
  }

  /// Appends what is there; how many bytes.
  private borrowing func receive(into received: inout [UInt8]) throws(TransactionError) -> Int {
    let (count, code) = withUnsafeTemporaryAllocation(byteCount: Self.readBytes, alignment: 1) {
      chunk in
      let count = recv(descriptor, chunk.baseAddress, chunk.count, Int32(MSG_DONTWAIT))
      let code = errno
      if count > 0 { received.append(contentsOf: chunk.prefix(count)) }
      return (count, code)
    }
    if count > 0 { return count }
    guard count < 0 else { throw .closed(reason: "\(endpoint) closed the connection") }
    guard code == EAGAIN || code == EINTR else {
      throw .closed(
        reason: SystemError(call: "recv", subject: endpoint, code: code).description)
    }
    return 0
  }

  /// Hands a request to the kernel. It has room: at most a few requests of 12 bytes are under way.
  borrowing func send(_ bytes: [UInt8]) throws(TransactionError) {
    let sent: Int
    do throws(SystemError) {
      sent = try systemCall("send", on: endpoint) {
        // Without MSG_NOSIGNAL a peer that closed would kill the process with SIGPIPE.
        Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      }
    } catch {
      throw .closedBefore(reason: error.description)
    }
    guard sent == bytes.count else {
      throw .closed(reason: "send \(endpoint): \(sent) of \(bytes.count) bytes")
    }
  }
}

extension Duration {
  /// For `poll`: rounded down, a wait would end before its time and spin; and it takes a negative
  /// time for "for ever".
  var millisecondsRoundedUp: Int32 {
    let (seconds, attoseconds) = max(self, .zero).components
    let milliseconds = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return Int32(clamping: seconds * 1000 + milliseconds)
  }
}
