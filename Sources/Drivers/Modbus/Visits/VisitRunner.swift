internal import Telemetry

/// Takes an errand from question to question, whatever becomes of the connection. Pure.
struct VisitRunner: Sendable {
  /// What is to be done next.
  enum Step {
    /// Open the connection; where that fails, call `connectFailed`.
    case connect
    /// Perform the transaction, then call `finish`.
    case ask(VisitQuestion)
    /// The errand is done.
    case done
  }

  private(set) var errand: BusErrand
  private var current: VisitQuestion?
  private var wasClosedBefore = false

  init(_ errand: BusErrand) { self.errand = errand }

  /// What to do next, the connection being open or not.
  mutating func next(isOpen: Bool) -> Step {
    if current == nil {
      current = errand.next()
      wasClosedBefore = false
    }
    guard let current else { return .done }
    return isOpen ? .ask(current) : .connect
  }

  /// There is no way to the units.
  mutating func connectFailed(_ error: ConnectError) {
    current = nil
    errand.fail(error.badReason, error.description)
  }

  /// Nothing more will be asked.
  mutating func abandon(_ reason: String) {
    current = nil
    errand.fail(.busClosed, reason)
  }

  /// The question that was to be asked is done.
  mutating func finish(_ outcome: VisitOutcome) {
    guard let question = current else { return }
    // Stations close connections that are idle, or after each answer, which may show only when the
    // next question is on its way: asked once more over a new one.
    if outcome.result.lacksConnection, !wasClosedBefore {
      wasClosedBefore = true
      return
    }
    current = nil
    errand.take(outcome, of: question)
  }
}

extension ModbusConnection {
  /// Asks a visit's question, and takes down what goes over the wire if that is wanted.
  mutating func perform(_ question: VisitQuestion, isTraced: Bool) -> VisitOutcome {
    let trace = isTraced ? BusTrace() : nil
    self.trace = trace
    defer { self.trace = nil }
    let lateBefore = lateAnswers
    let start = ContinuousClock.now
    let result: Result<ReadAnswer, TransactionError>
    do throws(TransactionError) {
      result = .success(
        try read(
          question.request.readRequest, unit: question.request.unit,
          timeout: .milliseconds(question.timeoutMilliseconds),
          pause: .milliseconds(question.pauseMilliseconds)))
    } catch {
      result = .failure(error)
    }
    return VisitOutcome(
      result: result, microseconds: start.duration(to: .now).microseconds,
      lateAnswers: lateAnswers - lateBefore, trace: trace?.taken ?? [])
  }
}
