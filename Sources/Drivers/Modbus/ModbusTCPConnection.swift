internal import CModbus
internal import Glibc
internal import LinuxSystem

/// An open Modbus TCP connection: libmodbus opens it and owns the socket, the frames are our own
/// (docs/decisions/0002-own-mbap-framing.md). Every call may block its thread until its deadline.
struct ModbusTCPConnection: ~Copyable {
  /// How long opening may take: a SYN that was lost is sent again after 1 s (RFC 6298), so this
  /// forgives one.
  static let connectTimeout: Duration = .seconds(2)
  /// Unacknowledged data after which the kernel gives the connection up, in milliseconds: tells a
  /// gateway without power from a silent unit behind a live one.
  private static let unacknowledgedLimit: Int32 = 5_000
  /// Late answers passed over before a request; a peer that sends more talks without being asked.
  private static let lateAnswersPerRequest = 64

  private let context: OpaquePointer
  private let descriptor: Int32
  private let endpoint: String
  private var transactions = TransactionCounter()
  private var received: [UInt8] = []

  /// Answers that came after their request had been given up.
  private(set) var lateAnswers = 0
  /// From the end of the last request that was answered to its answer.
  private(set) var turnaround: Duration?
  /// Takes down what goes over the wire, while somebody wants that.
  var trace: BusTrace?

  private init(context: OpaquePointer, endpoint: String) {
    self.context = context
    self.endpoint = endpoint
    descriptor = modbus_get_socket(context)
  }

  deinit {
    modbus_close(context)
    modbus_free(context)
  }

  /// Connects to the first address of `host` that answers, within `connectTimeout` and that of the
  /// lookup.
  static func open(
    host: String, port: UInt16, lookup: HostLookup = HostLookup()
  ) throws(ConnectError) -> ModbusTCPConnection {
    let addresses = try lookup.addresses(of: host)
    let deadline = ContinuousClock.now + connectTimeout
    var failure = ConnectError.unresolved(host: host, reason: "no address")
    for (index, address) in addresses.enumerated() {
      let remaining = ContinuousClock.now.duration(to: deadline)
      guard remaining > .zero else { break }
      do {
        // Shared out, or a first address that is silent would keep the others from being tried.
        return try connect(
          to: address, port: port, within: remaining / (addresses.count - index))
      } catch {
        failure = error
      }
    }
    throw failure
  }

  private static func connect(
    to address: String, port: UInt16, within timeout: Duration
  ) throws(ConnectError) -> ModbusTCPConnection {
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
    let connection = ModbusTCPConnection(context: context, endpoint: endpoint)
    connection.configureSocket()
    return connection
  }

  private borrowing func configureSocket() {
    // Both only speed things up; the connection works without them. libmodbus sets TCP_NODELAY on
    // IPv4 sockets alone.
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    var limit = Self.unacknowledgedLimit
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, size)
  }

  /// Asks `unit` and waits for its answer until `timeout` after the request was sent, however
  /// slowly the bytes come.
  mutating func read(
    _ request: ReadRequest, unit: UInt8, timeout: Duration
  ) throws(TransactionError) -> ReadAnswer {
    try passOverLateAnswers()
    let transaction = transactions.next()
    try send(ModbusTCPFrame(transaction: transaction, unit: unit, pdu: request.pdu).bytes)
    let sent = ContinuousClock.now
    while let frame = try nextFrame(until: sent + timeout) {
      if transactions.isLate(frame.transaction) {
        lateAnswers += 1
        trace?.knewLate(frame.bytes)
        continue
      }
      turnaround = sent.duration(to: .now)
      do {
        return try frame.answer(to: request, transaction: transaction, unit: unit)
      } catch {
        throw .badAnswer(error)
      }
    }
    throw .timeout(brokeOff: !received.isEmpty)
  }

  /// Clears the line before a request. The beginning of a late answer may stay: its rest belongs
  /// to the same stream and comes before the next answer.
  private mutating func passOverLateAnswers() throws(TransactionError) {
    do {
      for _ in 0..<Self.lateAnswersPerRequest {
        guard let frame = try nextFrame(until: nil) else { return }
        lateAnswers += 1
        trace?.knewLate(frame.bytes)
      }
    } catch .closed(let reason) {
      throw .closedBefore(reason: reason)
    } catch .badAnswer(let error) {
      throw .closedBefore(reason: "\(endpoint): \(error)")
    }
    throw .closedBefore(reason: "\(endpoint) sends without being asked")
  }

  /// The next whole frame; `nil` when none came until `deadline`, or without one, when none is
  /// there.
  private mutating func nextFrame(
    until deadline: ContinuousClock.Instant?
  ) throws(TransactionError) -> ModbusTCPFrame? {
    while true {
      do {
        if let frame = try ModbusTCPFrame.take(from: &received) { return frame }
      } catch {
        throw .badAnswer(error)
      }
      let remaining = deadline.map { ContinuousClock.now.duration(to: $0) }
      if let remaining, remaining <= .zero { return nil }
      guard try receive(waiting: remaining ?? .zero) else { return nil }
    }
  }

  /// Appends what arrives within `time`; false when nothing does.
  private mutating func receive(waiting time: Duration) throws(TransactionError) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var chunk = [UInt8](repeating: 0, count: Int(MODBUS_TCP_MAX_ADU_LENGTH))
    let count: Int
    do throws(SystemError) {
      let ready = try systemCall("poll", on: endpoint) {
        poll(&entry, 1, time.millisecondsRoundedUp)
      }
      guard ready > 0 else { return false }
      count = try systemCall("recv", on: endpoint) {
        recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      }
    } catch {
      throw .closed(reason: error.description)
    }
    guard count > 0 else { throw .closed(reason: "\(endpoint) closed the connection") }
    received.append(contentsOf: chunk.prefix(count))
    trace?.received(chunk.prefix(count))
    return true
  }

  /// Hands a request to the kernel. It has room: at most a few requests of 12 bytes are under way.
  private func send(_ bytes: [UInt8]) throws(TransactionError) {
    trace?.willSend(bytes)
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
