internal import CModbus
internal import Glibc
internal import LinuxSystem

/// An open serial line: libmodbus opens and configures the port, the frames are our own
/// (docs/decisions/0004-own-rtu-framing.md). Every call may block its thread until its deadline.
struct ModbusRTUConnection: ~Copyable {
  /// How long the line has to be silent before bytes enough for an answer are judged wrong. USB
  /// adapters hand over what they have every 16 ms (FTDI's latency timer); three times that.
  private static let wrongAnswerSilence: Duration = .milliseconds(50)
  /// What one read takes.
  private static let readBytes = 256

  // Fields end in this order, after `deinit`.
  private let context: OpaquePointer
  private let claim: TerminalClaim
  private let descriptor: Int32
  private let line: SerialLine
  /// When the last byte came or went.
  private var lastByte = ContinuousClock.now
  /// When the last bit of the newest request had gone.
  private var requestEnd = ContinuousClock.now
  /// Answers that were given up and did not come yet; no more than the bus has requests.
  private var givenUp: Set<AnswerShape> = []

  /// Answers that came after their request had been given up.
  private(set) var lateAnswers = 0
  /// From the end of the last request that was answered to the first byte of what came.
  private(set) var turnaround: Duration?
  /// Takes down what goes over the wire, while somebody wants that.
  var trace: BusTrace?

  private init(context: OpaquePointer, claim: consuming TerminalClaim, line: SerialLine) {
    self.context = context
    self.claim = claim
    self.line = line
    descriptor = modbus_get_socket(context)
  }

  deinit {
    // With a request that the line does not take, closing would wait for up to 30 s.
    modbus_flush(context)
    modbus_close(context)
    modbus_free(context)
  }

  /// Opens the port for this connection alone, with the line's settings.
  static func open(_ line: SerialLine) throws(ConnectError) -> ModbusRTUConnection {
    try DescriptorLimit.check()
    // Claimed first: libmodbus sets speed and parity, also under another program's request.
    let claim = try claim(line.path)
    let parity = CChar(line.parity.letter.value)
    guard
      let context = modbus_new_rtu(
        line.path, Int32(line.baud), parity, Int32(SerialLine.dataBits), Int32(line.stopBits))
    else {
      throw .failed(SystemError(call: "modbus_new_rtu", subject: line.path, code: errno))
    }
    guard modbus_connect(context) == 0 else {
      let code = errno
      modbus_free(context)
      throw .failed(SystemError(call: "open and set up", subject: line.path, code: code))
    }
    claim.excludeOthers()
    return ModbusRTUConnection(context: context, claim: claim, line: line)
  }

  private static func claim(_ path: String) throws(ConnectError) -> TerminalClaim {
    do throws(SystemError) {
      return try TerminalClaim(path: path)
    } catch {
      if error.code == EWOULDBLOCK || error.code == EBUSY { throw .portInUse(path: path) }
      throw .failed(error)
    }
  }

  /// Asks `unit` and waits for its answer. It has to begin within `timeout` after the request has
  /// gone over the line, and to be whole after what it takes at the line's speed, however slowly
  /// the bytes come.
  mutating func read(
    _ request: ReadRequest, unit: UInt8, timeout: Duration
  ) throws(TransactionError) -> ReadAnswer {
    let shape = request.answerShape(unit: unit)
    try waitForSilence(atMost: timeout)
    let frame = ModbusRTUFrame(unit: unit, pdu: request.pdu).bytes
    try send(frame)
    var reception = ModbusRTUReception(request, unit: unit, sent: frame)
    requestEnd = lastByte
    let begin = requestEnd + timeout
    let end = begin + line.duration(ofCharacters: shape.dataLength + ModbusRTUFrame.answerOverhead)
    do throws(TransactionError) {
      let answer = try receive(&reception, beginningBy: begin, wholeBy: end)
      givenUp.remove(shape)
      return answer
    } catch {
      // A damaged answer has come; any other may still come.
      if error != .wrongChecksum { givenUp.insert(shape) }
      throw error
    }
  }

  private mutating func receive(
    _ reception: inout ModbusRTUReception, beginningBy begin: ContinuousClock.Instant,
    wholeBy end: ContinuousClock.Instant
  ) throws(TransactionError) -> ReadAnswer {
    var count = 0
    var first: ContinuousClock.Instant?
    while count <= ModbusRTUReception.maximumBytes {
      let judged = lastByte + max(Self.wrongAnswerSilence, line.silence)
      let limit =
        reception.isEmpty ? begin : reception.isComplete ? min(end, judged) : end
      let remaining = ContinuousClock.now.duration(to: limit)
      guard remaining > .zero else { break }
      let bytes = try receive(waiting: remaining)
      count += bytes.count
      if first == nil, !bytes.isEmpty { first = lastByte }
      reception.append(bytes, lateShapes: givenUp)
      recordLate(reception.takeLate())
      if reception.answer != nil { break }
    }
    if let answer = reception.answer ?? reception.doubtedAnswer {
      turnaround = first.map { max(.zero, requestEnd.duration(to: $0)) }
      return answer
    }
    throw reception.failure
  }

  private mutating func recordLate(_ shapes: [AnswerShape]) {
    if let trace { for _ in shapes { trace.knewLate() } }
    lateAnswers += shapes.count
    givenUp.subtract(shapes)
  }

  /// Clears the line and waits until it has been silent for 3.5 characters, or slaves would take
  /// the request for the rest of the answer before it.
  private mutating func waitForSilence(atMost time: Duration) throws(TransactionError) {
    let deadline = ContinuousClock.now + time
    var passedOver: [UInt8] = []
    while true {
      let remaining = ContinuousClock.now.duration(to: lastByte + line.silence)
      let bytes: [UInt8]
      do throws(TransactionError) {
        bytes = try receive(waiting: max(.zero, remaining))
      } catch {
        guard case .closed(let reason) = error else { throw error }
        throw .closedBefore(reason: reason)
      }
      if bytes.isEmpty, ContinuousClock.now >= lastByte + line.silence { break }
      passedOver += bytes.prefix(ModbusRTUReception.maximumBytes - passedOver.count)
      guard ContinuousClock.now < deadline else { throw .badAnswer(.neverSilent) }
    }
    while let frame = ModbusRTUFrame(atStartOf: passedOver[...]) {
      if let shape = givenUp.first(where: { $0.matches(frame) }) { recordLate([shape]) }
      passedOver.removeFirst(frame.bytes.count)
    }
  }

  /// What arrives within `time`; empty when nothing does.
  private mutating func receive(waiting time: Duration) throws(TransactionError) -> [UInt8] {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var chunk = [UInt8](repeating: 0, count: Self.readBytes)
    let count: Int
    do throws(SystemError) {
      let ready = try systemCall("poll", on: line.path) {
        poll(&entry, 1, time.millisecondsRoundedUp)
      }
      guard ready > 0 else { return [] }
      count = try systemCall("read", on: line.path) {
        Glibc.read(descriptor, &chunk, chunk.count)
      }
    } catch {
      throw .closed(reason: error.description)
    }
    // A port that is gone reads as ended; libmodbus sets it up to read nothing without waiting.
    guard count > 0 || entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) == 0 else {
      throw .closed(reason: "\(line.path) is gone")
    }
    if count > 0 {
      lastByte = .now
      trace?.received(chunk.prefix(count))
    }
    return Array(chunk.prefix(count))
  }

  /// Hands a request to the kernel; its last bit has gone at `lastByte`, which lies ahead.
  private mutating func send(_ bytes: [UInt8]) throws(TransactionError) {
    trace?.willSend(bytes)
    let sent: Int
    do throws(SystemError) {
      sent = try systemCall("write", on: line.path) { write(descriptor, bytes, bytes.count) }
    } catch {
      throw .closedBefore(reason: error.description)
    }
    guard sent == bytes.count else {
      throw .closed(reason: "write \(line.path): \(sent) of \(bytes.count) bytes")
    }
    lastByte = .now + line.duration(ofCharacters: bytes.count)
  }
}

extension SerialLine {
  fileprivate func duration(ofCharacters count: Int) -> Duration {
    .microseconds(microseconds(ofCharacters: count))
  }

  fileprivate var silence: Duration { .microseconds(silenceMicroseconds) }
}

extension SerialLine.Parity {
  /// The parity as libmodbus spells it.
  fileprivate var letter: Unicode.Scalar {
    switch self {
    case .even: "E"
    case .odd: "O"
    case .none: "N"
    }
  }
}
