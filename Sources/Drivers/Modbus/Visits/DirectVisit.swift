internal import LinuxSystem

/// Does an errand on a connection of its own, on the caller's thread, which it blocks. For a bus
/// that no agent polls.
public enum DirectVisit {
  /// Does the whole errand and returns it done.
  /// - Parameter observer: Told before each connection is made and after each question.
  public static func perform(
    _ errand: BusErrand, on definition: ModbusBusDefinition,
    observer: (BusErrand) -> Void = { _ in }
  ) -> BusErrand {
    var runner = VisitRunner(errand)
    var connection: ModbusConnection?
    var lateWindow = LateWindow(definition)
    let lookup = HostLookup()
    let start = ContinuousClock.now
    func now() -> Int64 { start.duration(to: .now).microseconds / 1000 }
    while true {
      switch runner.next(isOpen: connection != nil) {
      case .done: return runner.errand
      case .connect:
        observer(runner.errand)
        do throws(ConnectError) {
          connection = try ModbusConnection.open(definition, lookup: lookup)
          sleep(milliseconds: definition.manners.pauseAfterConnectMilliseconds)
        } catch {
          runner.connectFailed(error)
        }
      case .ask(let question):
        let opening = lateWindow.opening(for: question.request)
        sleep(milliseconds: opening > now() ? opening - now() : 0)
        guard
          let outcome = connection?.perform(question, isTraced: runner.errand.isTraced)
        else { continue }
        if outcome.result.isGivenUp { lateWindow.recordGivenUp(question.request, at: now()) }
        if outcome.result.endsConnection { connection = nil }
        runner.finish(outcome)
        observer(runner.errand)
      }
    }
  }

  private static func sleep(milliseconds: Int64) {
    guard milliseconds > 0 else { return }
    let nobody = Monitor(())
    let _: Void? = nobody.wait(atMost: Double(milliseconds) / 1000) { _ in nil }
  }
}

extension Result<ReadAnswer, TransactionError> {
  /// Whether an answer may still come.
  var isGivenUp: Bool {
    switch self {
    case .failure(.timeout), .failure(.badAnswer), .failure(.noise), .failure(.closed): true
    case .success, .failure: false
    }
  }

  /// Whether nothing can be asked on the connection any more.
  var endsConnection: Bool {
    switch self {
    case .failure(.timeout(let brokeOff, _)): brokeOff
    case .failure(.badAnswer(let error)): error.losesFraming
    case .failure(.closed), .failure(.closedBefore), .failure(.staleConnection): true
    case .success, .failure(.wrongChecksum), .failure(.noise): false
    }
  }

  /// Whether there is no answer for want of a connection that is good for it.
  var lacksConnection: Bool {
    switch self {
    case .failure(.closed), .failure(.closedBefore), .failure(.staleConnection): true
    case .success, .failure: false
    }
  }

  /// Whether the question went out at all.
  var isAsked: Bool {
    switch self {
    case .failure(.closedBefore), .failure(.staleConnection): false
    case .success, .failure: true
    }
  }

  /// Whether the unit, or somebody in its place, answered.
  var isAnswer: Bool { if case .success = self { true } else { false } }
}
