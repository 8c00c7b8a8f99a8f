/// What tells two answers apart on a line that numbers nothing.
struct AnswerShape: Sendable, Hashable {
  var unit: UInt8
  var function: UInt8
  /// Bytes of data in a good answer.
  var dataLength: Int
}

/// What came over the line since a request, and what it says. Whatever else is on the line, an
/// answer is found by its unit, function, length and checksum: adapters put a spurious byte before
/// it when the line turns round, some return the request itself, and another unit's late answer may
/// come first.
struct ModbusRTUReception: Sendable {
  /// More is no answer to anything: a late answer, the answer, and a few spurious bytes.
  static let maximumBytes = 2 * ModbusRTUFrame.lengths.upperBound + 16

  private let request: ReadRequest
  private let unit: UInt8
  private let sent: [UInt8]
  private let demandsEcho: Bool
  private var mayBeEcho = true
  private var isEchoWrong = false
  private var hasEchoed = false
  /// What is not explained yet.
  private var received: [UInt8] = []

  /// The answer, once it is whole.
  private(set) var answer: ReadAnswer?
  private var late: [AnswerShape] = []
  private var doubted: (answer: ReadAnswer, shape: AnswerShape)?

  /// Waits for the answer to a request that was sent as `sent`. If the line echoes, that has to
  /// come back first: other bytes are those of two that sent at once.
  init(_ request: ReadRequest, unit: UInt8, sent: [UInt8], demandsEcho: Bool = false) {
    self.request = request
    self.unit = unit
    self.sent = sent
    self.demandsEcho = demandsEcho
  }

  /// Whether nothing has come that could be an answer's part.
  var isEmpty: Bool { received.isEmpty }

  /// Whether more bytes could not make it an answer: it is as long as one, or a whole frame.
  var isComplete: Bool {
    isEchoWrong || received.count >= expectedLength
      || ModbusRTUFrame(atStartOf: received[...]) != nil
  }

  /// Why there is no answer, once the line is silent or the time over.
  var failure: TransactionError {
    if isEchoWrong { return .badAnswer(.wrongEcho) }
    if demandsEcho, mayBeEcho { return .timeout(brokeOff: false, heard: heard) }
    if let frame = ModbusRTUFrame(atStartOf: received[...]) { return .badAnswer(fault(of: frame)) }
    guard received.count >= expectedLength else {
      return .timeout(brokeOff: false, heard: heard)
    }
    return holdsDamagedAnswer ? .wrongChecksum : .noise
  }

  private var heard: Heard {
    if received.isEmpty { return hasEchoed ? .echo : .nothing }
    let function = request.table.readFunction
    let isBeginning = [function, request.exceptionFunction].contains {
      received.prefix(2).elementsEqual([unit, $0].prefix(received.count))
    }
    return isBeginning && !(demandsEcho && mayBeEcho) ? .part : .noise
  }

  /// An exception that is the answer if no other comes: it may also be the late one to another
  /// request, because exceptions look alike whatever was asked.
  var doubtedAnswer: ReadAnswer? { doubted?.answer }

  private var expectedLength: Int {
    let isException = received.starts(with: [unit, request.exceptionFunction])
    return ModbusRTUFrame.answerOverhead + (isException ? 0 : request.dataLength)
  }

  /// Whether what came can be the answer but for its checksum.
  private var holdsDamagedAnswer: Bool {
    if received.starts(with: [unit, request.exceptionFunction]) { return true }
    let head = [unit, request.table.readFunction, UInt8(request.dataLength)]
    return (0...received.count - expectedLength).contains { received[$0...].starts(with: head) }
  }

  /// Takes bytes over. `lateShapes`: answers that were given up and may still come.
  mutating func append(_ bytes: [UInt8], lateShapes: Set<AnswerShape>) {
    received += bytes
    takeEcho()
    guard !demandsEcho || !mayBeEcho, !isEchoWrong else { return }
    search(lateShapes)
    if doubted == nil, case .exception? = answer,
      let other = lateShapes.first(where: { isAnsweredAlike($0) })
    {
      doubted = answer.map { ($0, other) }
      answer = nil
      search(lateShapes)
    }
    guard answer != nil, let doubted else { return }
    late.append(doubted.shape)
    self.doubted = nil
  }

  private mutating func takeEcho() {
    guard mayBeEcho else { return }
    if demandsEcho, !sent.starts(with: received.prefix(sent.count)) { isEchoWrong = true }
    guard received.count >= sent.count else { return }
    mayBeEcho = false
    // An echo can have an answer's form: that of a request for 3 bytes of bits from 768 on.
    hasEchoed = received.starts(with: sent)
    if hasEchoed { received.removeFirst(sent.count) }
  }

  /// Whether an exception to the request of this shape looks like one to ours. A like request is
  /// not asked while that may come.
  private func isAnsweredAlike(_ shape: AnswerShape) -> Bool {
    shape.unit == unit && shape.function == request.table.readFunction
      && shape.dataLength != request.dataLength
  }

  /// Looks for the answer in what is not explained yet, and removes what it has explained.
  private mutating func search(_ lateShapes: Set<AnswerShape>) {
    take(at: 0)
    while answer == nil, let frame = ModbusRTUFrame(atStartOf: received[...]),
      let shape = lateShapes.first(where: { $0.matches(frame) })
    {
      late.append(shape)
      received.removeFirst(frame.bytes.count)
      take(at: 0)
    }
    for start in received.indices where answer == nil { take(at: start) }
  }

  private mutating func take(at start: Int) {
    guard let (found, length) = answer(at: start) else { return }
    answer = found
    received.removeFirst(start + length)
  }

  /// The late answers that came since the last call; nothing was taken of them.
  mutating func takeLate() -> [AnswerShape] {
    defer { late = [] }
    return late
  }

  private func answer(at start: Int) -> (ReadAnswer, length: Int)? {
    let bytes = received.dropFirst(start)
    let length: Int
    if bytes.starts(with: [unit, request.table.readFunction, UInt8(request.dataLength)]) {
      length = ModbusRTUFrame.answerOverhead + request.dataLength
    } else if bytes.starts(with: [unit, request.exceptionFunction]) {
      length = ModbusRTUFrame.answerOverhead
    } else {
      return nil
    }
    // Behind a spurious byte an echo stands where nobody took it away.
    guard bytes.count >= length, demandsEcho || !bytes.prefix(length).elementsEqual(sent),
      let frame = ModbusRTUFrame(bytes.prefix(length))
    else { return nil }
    return (try? request.answer(from: frame.pdu)).map { ($0, length) }
  }

  /// What is wrong with a whole frame that is not the answer.
  private func fault(of frame: ModbusRTUFrame) -> AnswerError {
    guard frame.unit == unit else { return .wrongUnit(found: frame.unit, expected: unit) }
    do {
      _ = try request.answer(from: frame.pdu)
    } catch {
      return error
    }
    return .wrongFunction(found: frame.pdu.first ?? 0, expected: request.table.readFunction)
  }
}

extension AnswerShape {
  /// Whether `frame` is an answer of this shape, or an exception in its place.
  func matches(_ frame: ModbusRTUFrame) -> Bool {
    guard frame.unit == unit, frame.pdu.count >= 2 else { return false }
    if frame.pdu[0] == function | ReadRequest.exceptionFlag { return true }
    return frame.pdu[0] == function && frame.pdu.count == dataLength + 2
      && Int(frame.pdu[1]) == dataLength
  }
}

extension ReadRequest {
  /// The shape of its answers from `unit`.
  func answerShape(unit: UInt8) -> AnswerShape {
    AnswerShape(unit: unit, function: table.readFunction, dataLength: dataLength)
  }
}
