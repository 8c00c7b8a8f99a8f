internal import Telemetry

/// Questions that are not of the schedule.
extension ModbusBusStateMachine {
  /// When such a request may be asked: not while a late answer may be taken for its own.
  func opening(for request: PlannedRequest) -> Int64 { lateWindow.opening(for: request) }

  /// Such a request ended at `now`. What is learnt of line and unit holds for the schedule, too; a
  /// silence tells it nothing, because anybody may be asked.
  mutating func finishVisit(
    _ request: PlannedRequest, with result: Result<ReadAnswer, TransactionError>, at now: Timestamp
  ) {
    if result.isGivenUp { lateWindow.recordGivenUp(request, at: now.monotonic) }
    switch result {
    case .success(.exception(let code)) where Self.gatewayExceptions.contains(code):
      proveConnection(at: now)
    case .success: recordAnswer(of: request.unit, at: now)
    case .failure(.wrongChecksum), .failure(.noise): proveConnection(at: now)
    case .failure(.timeout(let brokeOff, _)): if brokeOff { replaceConnection(at: now) }
    case .failure(.badAnswer(let error)):
      if error.losesFraming { replaceConnection(at: now) } else { proveConnection(at: now) }
    case .failure(.staleConnection): replaceConnection(at: now)
    case .failure(.closedBefore(let reason)), .failure(.closed(let reason)):
      connectionClosed(reason, at: now)
    }
  }

  /// How long a unit is not asked; `nil` for one that is asked as often as its points are due.
  func rest(of unit: UInt8) -> UnitStatistics.Rest? {
    guard let backoff = backoffs[unit], backoff.isBackedOff else { return nil }
    return UnitStatistics.Rest(timeouts: backoff.timeouts, end: backoff.askAgain)
  }
}
