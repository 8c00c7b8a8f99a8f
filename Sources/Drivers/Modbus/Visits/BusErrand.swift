internal import Telemetry

/// What somebody wants of a bus besides its schedule. Decides which question comes next; pure.
public enum BusErrand: Sendable, Hashable {
  /// Read points once, now.
  case probe(BusProbe)
  /// Find out which units answer.
  case scan(BusScan)

  /// How far it is.
  public struct Progress: Sendable, Hashable {
    /// Questions that are done.
    public var done: Int
    /// Questions in all, as far as it is known.
    public var total: Int

    /// Makes one of its parts.
    public init(done: Int, total: Int) {
      self.done = done
      self.total = total
    }
  }

  /// How far it is.
  public var progress: Progress {
    switch self {
    case .probe(let probe): probe.progress
    case .scan(let scan): scan.progress
    }
  }

  /// Whether the bytes are to be taken down.
  var isTraced: Bool {
    switch self {
    case .probe(let probe): probe.isTraced
    case .scan(let scan): scan.isTraced
    }
  }

  /// The next question; `nil` when all is done. Asked again only after the last one was answered.
  mutating func next() -> VisitQuestion? {
    switch self {
    case .probe(var probe):
      defer { self = .probe(probe) }
      return probe.next()
    case .scan(var scan):
      defer { self = .scan(scan) }
      return scan.next()
    }
  }

  /// Takes what became of a question.
  mutating func take(_ outcome: VisitOutcome, of question: VisitQuestion) {
    switch self {
    case .probe(var probe):
      probe.take(outcome, of: question)
      self = .probe(probe)
    case .scan(var scan):
      scan.take(outcome, of: question)
      self = .scan(scan)
    }
  }

  /// Nothing more can be asked.
  mutating func fail(_ reason: BadReason, _ text: String) {
    switch self {
    case .probe(var probe):
      probe.fail(reason, text)
      self = .probe(probe)
    case .scan(var scan):
      scan.fail(text)
      self = .scan(scan)
    }
  }
}

/// One question of an errand.
struct VisitQuestion: Sendable, Hashable {
  /// What is asked; its points and period are of no matter.
  var request: PlannedRequest
  /// How long the answer may take.
  var timeoutMilliseconds: Int64
  /// The least silence around it.
  var pauseMilliseconds: Int64 = 0
}

/// What became of a question.
struct VisitOutcome: Sendable {
  /// The answer, or why there is none.
  var result: Result<ReadAnswer, TransactionError>
  /// What the transaction took.
  var microseconds: Int64
  /// Answers to earlier questions that came meanwhile.
  var lateAnswers = 0
  /// What went over the wire, if it was to be taken down.
  var trace: [TraceEvent] = []
}

/// A transaction as it is shown to whoever traces.
public struct TracedTransaction: Sendable, Hashable {
  /// The unit that was asked.
  public var unit: UInt8
  /// The table that was read.
  public var table: ModbusTable
  /// The first wire address.
  public var address: UInt16
  /// How many registers or bits.
  public var count: Int
  /// All that it took.
  public var microseconds: Int64
  /// What became of it, in words.
  public var outcome: String
  /// What went over the wire.
  public var events: [TraceEvent]

  /// Makes one of its parts.
  public init(
    unit: UInt8, table: ModbusTable, address: UInt16, count: Int, microseconds: Int64,
    outcome: String, events: [TraceEvent]
  ) {
    self.unit = unit
    self.table = table
    self.address = address
    self.count = count
    self.microseconds = microseconds
    self.outcome = outcome
    self.events = events
  }

  /// That of a question. Noise beside an answer on a serial line is counted.
  init(_ outcome: VisitOutcome, of question: VisitQuestion, isSerial: Bool) {
    let request = question.request
    var words = outcome.result.words(timeoutMilliseconds: question.timeoutMilliseconds)
    let surplus = isSerial ? outcome.surplus(of: request.readRequest) : 0
    if surplus > 0 {
      words += "; \(surplus) \(surplus == 1 ? "byte" : "bytes") beside the answer"
    }
    self.init(
      unit: request.unit, table: request.table, address: request.address, count: request.count,
      microseconds: outcome.microseconds, outcome: words, events: outcome.trace)
  }
}

extension VisitOutcome {
  /// Bytes that came behind a serial request and are not its answer.
  fileprivate func surplus(of request: ReadRequest) -> Int {
    let bytes = trace.filter { $0.kind == .received }.flatMap(\.bytes)
    let sent = trace.first { $0.kind == .sent }?.bytes ?? []
    // Some adapters return what is sent.
    let received = bytes.count - (!sent.isEmpty && bytes.starts(with: sent) ? sent.count : 0)
    return switch result {
    case .success(.values): received - ModbusRTUFrame.answerOverhead - request.dataLength
    case .success(.exception): received - ModbusRTUFrame.answerOverhead
    case .failure: 0
    }
  }
}

extension Result<ReadAnswer, TransactionError> {
  /// What became of a question, for a human.
  func words(timeoutMilliseconds: Int64) -> String {
    switch self {
    case .success(.values(let words)):
      words.count == 1 ? "answer with 1 value" : "answer with \(words.count) values"
    case .success(.exception(let code)): exceptionWords(code)
    case .failure(.timeout(_, let heard)):
      "no answer within \(timeoutMilliseconds) ms" + heard.words
    case .failure(.wrongChecksum): "an answer with a wrong checksum"
    case .failure(.noise): "bytes that are no answer"
    case .failure(.badAnswer(let error)): error.description
    case .failure(.closed(let reason)), .failure(.closedBefore(let reason)): reason
    case .failure(.staleConnection): "a late answer could not be told from this one's"
    }
  }
}

extension Heard {
  /// What follows the words that there was no answer.
  fileprivate var words: String {
    switch self {
    case .nothing: ""
    case .part: ", only a part of one"
    case .echo: ", only the request's own echo"
    case .noise: ", only bytes that are none"
    }
  }
}

/// An exception code with its name in section 7 of the specification.
public func exceptionWords(_ code: UInt8) -> String {
  let name: String? =
    switch code {
    case 1: "illegal function"
    case 2: "illegal data address"
    case 3: "illegal data value"
    case 4: "device failure"
    case 5: "acknowledge"
    case 6: "device busy"
    case 7: "negative acknowledge"
    case 8: "memory parity error"
    case 10: "gateway path unavailable"
    case 11: "gateway target failed to respond"
    default: nil
    }
  return "exception \(code)" + (name.map { " (\($0))" } ?? "")
}
