internal import LinuxSystem

/// Modbus RTU over a wire; the frames are our own (docs/decisions/0004-own-rtu-framing.md). Every
/// call may block its thread until its deadline.
struct ModbusRTUConnection<Wire: RTUWire & ~Copyable>: ~Copyable {
  private var wire: Wire
  /// When the last byte came or went.
  private var lastByte = ContinuousClock.now
  /// When the last bit of the newest request had gone.
  private var requestEnd = ContinuousClock.now
  /// The silence that the last request asked for behind it.
  private var pauseBehind: Duration = .zero
  /// Answers that were given up and did not come yet; no more than the bus has requests.
  private var givenUp: Set<AnswerShape> = []
  /// Those given up since anything came, on a wire that may hold back.
  private var heldBack: Set<AnswerShape> = []

  /// Answers that came after their request had been given up.
  private(set) var lateAnswers = 0
  /// From the end of the last request that was answered to the first byte of what came, but for an
  /// echo and late answers.
  private(set) var turnaround: Duration?
  /// When the last byte of the newest answer was read.
  private(set) var answerRead: ContinuousClock.Instant?
  /// Takes down what goes over the wire, while somebody wants that.
  var trace: BusTrace?

  /// Speaks over a wire that is open.
  init(_ wire: consuming Wire) { self.wire = wire }

  /// Asks `unit` and waits for its answer. It has to begin within `timeout` after the request has
  /// gone over the line, and to be whole after what it takes at the line's speed, however slowly
  /// the bytes come. The line is silent for `pause` at least before the request and behind its end.
  mutating func read(
    _ request: ReadRequest, unit: UInt8, timeout: Duration, pause: Duration = .zero
  ) throws(TransactionError) -> ReadAnswer {
    let shape = request.answerShape(unit: unit)
    guard !heldBack.contains(shape) else { throw .staleConnection }
    try waitForSilence(of: max(wire.silence, pause, pauseBehind), atMost: timeout)
    pauseBehind = pause
    let frame = ModbusRTUFrame(unit: unit, pdu: request.pdu).bytes
    trace?.willSend(frame)
    lastByte = try wire.send(frame)
    requestEnd = lastByte
    var reception = ModbusRTUReception(
      request, unit: unit, sent: frame, demandsEcho: wire.echoes)
    let begin = requestEnd + timeout
    let end =
      begin
      + wire.duration(ofCharacters: shape.dataLength + ModbusRTUFrame.answerOverhead)
    do throws(TransactionError) {
      let answer = try receive(&reception, beginningBy: begin, wholeBy: end)
      givenUp.remove(shape)
      heldBack = []
      return answer
    } catch {
      // A damaged answer has come; any other may still come.
      if error != .wrongChecksum {
        givenUp.insert(shape)
        if wire.holdsBack { heldBack.insert(shape) }
      }
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
      let judged = lastByte + max(wire.longestGap, wire.silence)
      let limit =
        reception.isEmpty ? begin : reception.isComplete ? min(end, judged) : end
      let remaining = ContinuousClock.now.duration(to: limit)
      guard remaining > .zero else { break }
      let bytes = try receive(waiting: remaining)
      if lastByte > limit + ReadAnswer.standstill { throw .timeout(brokeOff: false) }
      count += bytes.count
      reception.append(bytes, lateShapes: givenUp)
      recordLate(reception.takeLate())
      if first == nil, !bytes.isEmpty { first = lastByte }
      if reception.answer != nil { break }
      // An echo or a late answer, which is explained, was not the unit's.
      if reception.isEmpty, reception.doubtedAnswer == nil { first = nil }
    }
    if let answer = reception.answer ?? reception.doubtedAnswer {
      turnaround = first.map { max(.zero, requestEnd.duration(to: $0)) }
      answerRead = lastByte
      return answer
    }
    throw reception.failure
  }

  private mutating func recordLate(_ shapes: [AnswerShape]) {
    guard !shapes.isEmpty else { return }
    if let trace { for _ in shapes { trace.knewLate() } }
    lateAnswers += shapes.count
    givenUp.subtract(shapes)
    heldBack = []
  }

  /// Clears the line and waits until it has been silent for `silence`, 3.5 characters at least, or
  /// slaves would take the request for the rest of the answer before it.
  private mutating func waitForSilence(
    of silence: Duration, atMost time: Duration
  ) throws(TransactionError) {
    let deadline = ContinuousClock.now + time + silence
    var passedOver: [UInt8] = []
    while true {
      let remaining = ContinuousClock.now.duration(to: lastByte + silence)
      let bytes: [UInt8]
      do throws(TransactionError) {
        bytes = try receive(waiting: max(.zero, remaining))
      } catch {
        guard case .closed(let reason) = error else { throw error }
        throw .closedBefore(reason: reason)
      }
      if bytes.isEmpty, ContinuousClock.now >= lastByte + silence { break }
      passedOver += bytes.prefix(ModbusRTUReception.maximumBytes - passedOver.count)
      guard ContinuousClock.now < deadline else { throw .badAnswer(.neverSilent) }
    }
    while let frame = ModbusRTUFrame(atStartOf: passedOver[...]) {
      if let shape = givenUp.first(where: { $0.matches(frame) }) { recordLate([shape]) }
      passedOver.removeFirst(frame.bytes.count)
    }
  }

  private mutating func receive(waiting time: Duration) throws(TransactionError) -> [UInt8] {
    let bytes = try wire.receive(waiting: time)
    if !bytes.isEmpty {
      lastByte = .now
      trace?.received(bytes[...])
    }
    return bytes
  }
}

extension ModbusRTUConnection where Wire == SerialPort {
  /// Opens a serial port.
  static func open(_ line: SerialLine) throws(ConnectError) -> ModbusRTUConnection {
    ModbusRTUConnection(try SerialPort.open(line))
  }
}

extension ModbusRTUConnection where Wire == SerialServer {
  /// Connects to a serial server.
  static func open(
    _ server: RTUOverTCP, _ manners: BusManners, lookup: HostLookup
  ) throws(ConnectError) -> ModbusRTUConnection {
    let socket = try ModbusSocket.open(
      host: server.host, port: server.port, manners: manners, lookup: lookup)
    return ModbusRTUConnection(SerialServer(socket: socket, server: server))
  }
}
