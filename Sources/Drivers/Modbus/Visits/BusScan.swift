/// Finds out which units of a bus answer. A first pass asks each with a short time-out, a second
/// one those again that were silent, with the bus's own time-out and another function: some devices
/// know only one of the two. Pure.
public struct BusScan: Sendable, Hashable {
  /// How long the first pass waits. Devices on a line answer within some 5…50 ms; where the answers
  /// come later, which shows, it waits longer.
  static let firstTimeoutMilliseconds: Int64 = 100
  /// Exceptions by which a gateway says that nobody answers behind it.
  private static let gatewayExceptions: Set<UInt8> = [10, 11]

  /// How a unit answered.
  public enum Answer: Sendable, Hashable {
    /// With a register.
    case register(ModbusTable, UInt16)
    /// With an exception: it is there, and declines.
    case exception(UInt8)
    /// Something came that is no answer; in words. Two units with one number, or a wrong speed or
    /// parity, look like that.
    case damaged(String)
  }

  /// A unit that answered, or for which something came that is no answer.
  public struct Found: Sendable, Hashable {
    /// Its number.
    public var unit: UInt8
    /// What it said.
    public var answer: Answer
    /// What the transaction took.
    public var microseconds: Int64

    /// Whether it answered at all: what is damaged is no answer.
    public var isAnswer: Bool { if case .damaged = answer { false } else { true } }

    /// Makes one of its parts.
    public init(unit: UInt8, answer: Answer, microseconds: Int64) {
      self.unit = unit
      self.answer = answer
      self.microseconds = microseconds
    }
  }

  /// What came for a unit in place of an answer, none of it the unit's own word.
  public enum Hint: Sendable, Hashable {
    /// A gateway's exception, 10 or 11: the gateway is there.
    case gateway(UInt8)
    /// Only what was sent.
    case echo
    /// Only bytes that nothing can be made of.
    case noise
  }

  /// The units that are asked, ascending.
  public let units: [UInt8]
  /// Those for which something came so far, ascending.
  public private(set) var found: [Found] = []
  /// Of units that are not among those found: what the newest question to them brought.
  public private(set) var hints: [UInt8: Hint] = [:]
  /// Units that were asked at all.
  public private(set) var asked = 0
  /// Units that were silent, and are not asked the second time because the scan broke off.
  public private(set) var askedOnce = 0
  /// Whether units are left that were not asked, or not asked again.
  public private(set) var isBrokenOff = false
  /// Why it could not be done to the end, or what became of the connection; `nil` for nothing.
  public private(set) var problem: String?
  /// What went over the wire to units for which anything came, or at whose question the connection
  /// closed, in order; empty unless it is traced.
  public private(set) var transactions: [TracedTransaction] = []

  let isTraced: Bool
  private let timings: UnitTimings
  /// Of the second pass, where it was given.
  private let givenTimeout: Int64?
  /// What the first pass may come to wait.
  private let longestFirstTimeout: Int64
  private let isSerial: Bool
  /// On such a line an echo tells nothing.
  private let expectsEcho: Bool
  private var firstTimeout: Int64
  private var isFirstPass = true
  /// Of this pass, the next one last.
  private var waiting: [UInt8]
  /// Questions over which the connection was lost.
  private var closures = 0
  private var silent: [UInt8] = []
  private var done = 0

  /// A scan of a bus.
  /// - Parameters:
  ///   - units: In any order; each is asked once a pass.
  ///   - timeoutMilliseconds: Of the second pass; `nil`: the bus's own.
  public init(
    _ definition: ModbusBusDefinition, units: some Sequence<UInt8>,
    timeoutMilliseconds: Int64? = nil, isTraced: Bool
  ) {
    self.units = Set(units).sorted()
    waiting = self.units.reversed()
    isSerial = definition.endpoint.framesAsRTU
    expectsEcho = definition.endpoint.echoes
    timings = UnitTimings(definition)
    givenTimeout = timeoutMilliseconds
    longestFirstTimeout = timeoutMilliseconds ?? definition.timeoutMilliseconds
    firstTimeout = min(longestFirstTimeout, Self.firstTimeoutMilliseconds)
    self.isTraced = isTraced
  }

  /// The unit that is being asked; `nil` before the first and after the last.
  public private(set) var current: UInt8?

  var progress: BusErrand.Progress {
    // What the second pass will have to ask is not known before the first one's end: those that
    // were silent so far.
    BusErrand.Progress(
      done: done, total: done + waiting.count + silent.count + (current == nil ? 0 : 1))
  }

  mutating func next() -> VisitQuestion? {
    if waiting.isEmpty, isFirstPass {
      isFirstPass = false
      waiting = silent.reversed()
      silent = []
    }
    current = waiting.popLast()
    guard let current else { return nil }
    let request = PlannedRequest(
      unit: current, table: isFirstPass ? .holding : .input, address: 0, count: 1, points: [],
      everyMilliseconds: 1000)
    let timing = timings[current]
    return VisitQuestion(
      request: request,
      timeoutMilliseconds: isFirstPass
        ? firstTimeout : givenTimeout ?? timing.timeoutMilliseconds,
      pauseMilliseconds: timing.pauseMilliseconds)
  }

  mutating func take(_ outcome: VisitOutcome, of question: VisitQuestion) {
    guard let unit = current else { return }
    current = nil
    done += 1
    if isFirstPass { asked += 1 }
    if isFirstPass, outcome.lateAnswers > 0 {
      firstTimeout = min(2 * firstTimeout, longestFirstTimeout)
    }
    if outcome.result.lacksConnection {
      closures += 1
      let reason = outcome.result.words(timeoutMilliseconds: question.timeoutMilliseconds)
      problem = "\(reason) (\(closures) of \(done) questions)"
      trace(outcome, of: question)
    }
    hints[unit] = hint(outcome.result)
    guard let answer = Self.answer(outcome.result, of: question) else {
      if hints[unit] != nil { trace(outcome, of: question) }
      if isFirstPass { silent.append(unit) }
      return
    }
    let one = Found(unit: unit, answer: answer, microseconds: outcome.microseconds)
    // What is damaged may have been a late answer of the unit before: asked once more.
    if !one.isAnswer, isFirstPass { return silent.append(unit) }
    found.append(one)
    found.sort { $0.unit < $1.unit }
    trace(outcome, of: question)
  }

  private mutating func trace(_ outcome: VisitOutcome, of question: VisitQuestion) {
    guard isTraced else { return }
    transactions.append(TracedTransaction(outcome, of: question, isSerial: isSerial))
  }

  mutating func fail(_ text: String) {
    problem = text
    isBrokenOff = true
    askedOnce = isFirstPass ? silent.count : waiting.count + (current == nil ? 0 : 1)
    current = nil
    waiting = []
    silent = []
    isFirstPass = false
  }

  private func hint(_ result: Result<ReadAnswer, TransactionError>) -> Hint? {
    switch result {
    case .success(.exception(let code)) where Self.gatewayExceptions.contains(code): .gateway(code)
    case .failure(.timeout(_, heard: .echo)): expectsEcho ? nil : .echo
    case .failure(.timeout(_, heard: .noise)): .noise
    case .success, .failure: nil
    }
  }

  private static func answer(
    _ result: Result<ReadAnswer, TransactionError>, of question: VisitQuestion
  ) -> Answer? {
    switch result {
    case .success(.values(let words)): .register(question.request.table, words.first ?? 0)
    case .success(.exception(let code)):
      gatewayExceptions.contains(code) ? nil : .exception(code)
    case .failure(.wrongChecksum), .failure(.noise), .failure(.badAnswer),
      .failure(.timeout(_, heard: .part)):
      .damaged(result.words(timeoutMilliseconds: question.timeoutMilliseconds))
    case .failure(.timeout), .failure(.closed), .failure(.closedBefore),
      .failure(.staleConnection):
      nil
    }
  }
}
