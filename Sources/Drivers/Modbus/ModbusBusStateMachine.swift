internal import Telemetry

/// Decides what a bus does next and what it reports; does no I/O itself. All times are monotonic
/// milliseconds.
struct ModbusBusStateMachine {
  /// Cycles of a request reported one by one after an overrun; what was missed before them is one
  /// gap event. A board that slept an hour must not answer with an hour of samples.
  static let reportedMissedCycles = 60
  /// How long a connection has to stand to count as good when no unit answers on it.
  static let settlingTime: Int64 = 5_000
  /// How long a request that a unit declined stays divided. A device may decline for a while only,
  /// say during its start, and divided requests cost more.
  static let divisionLifetime: Int64 = 600_000
  /// How long a bus without points sleeps at a time.
  private static let idleTime: Int64 = 60_000

  /// What the bus is to do.
  enum Action {
    /// Open the connection, then call `connected` or `connectFailed`.
    case connect
    /// Perform the transaction, then call `finish`.
    case ask(Turn)
    /// Wait until then, or longer.
    case sleep(until: Int64)
  }

  /// A request whose turn it is.
  struct Turn {
    fileprivate let due: PollSchedule<Job>.Due
    /// The request.
    var request: PlannedRequest { due.job.request }
  }

  /// What the bus hands to its sink.
  enum Report: Hashable {
    case sample(Sample)
    case event(Event)
  }

  fileprivate struct Job: Sendable {
    let device: Int
    /// Which request of the plan it is, or is a part of.
    let origin: Int
    let request: PlannedRequest
  }

  private enum Link {
    case closed(retryAt: Int64)
    case open(since: Int64, isProven: Bool)
    /// Given back until something is to be asked.
    case resting
  }

  private let busName: String
  private let plan: [Job]
  private let devices: [ModbusDevice]
  private var schedule = PollSchedule<Job>()
  private var divided: [Int: Int64] = [:]

  private var link: Link
  private var closedReason = BadReason.busClosed
  private var closedText = ""
  private var reconnect = ReconnectBackoff()
  private var backoffs: [UInt8: UnitBackoff]
  private var lateWindow: LateWindow
  private var silence: ConnectionSilence
  private var busWatch = BusWatch()
  private var reports: BusReports

  /// Plans the bus's requests; all are due at `start`.
  init(_ definition: ModbusBusDefinition, start: Int64) {
    busName = definition.name
    devices = definition.devices
    reports = BusReports(definition.devices)
    var plan: [Job] = []
    for (index, device) in definition.devices.enumerated() {
      for request in RequestPlanner.requests(for: device) {
        plan.append(Job(device: index, origin: plan.count, request: request))
      }
    }
    self.plan = plan
    for job in plan { schedule.add(job, every: job.request.everyMilliseconds, first: start) }
    link = .closed(retryAt: start)
    lateWindow = LateWindow(definition)
    silence = ConnectionSilence(definition)
    backoffs = Dictionary(
      plan.map { ($0.request.unit, UnitBackoff()) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether the connection is to be kept.
  var isOpen: Bool {
    if case .open = link { true } else { false }
  }

  /// Hands over what was reported since the last call.
  mutating func takeReports() -> [Report] {
    reports.take()
  }

  /// What to do at `now`. What needs no bus, such as the points of a unit that is backed off, is
  /// reported on the way.
  mutating func next(at now: Timestamp) -> Action {
    guard let nextDue = firstDue(at: now) else {
      return .sleep(until: now.monotonic + Self.idleTime)
    }
    if case .closed(let retryAt) = link, retryAt <= now.monotonic { return .connect }
    recordSettled(at: now)
    guard nextDue <= now.monotonic else { return rest(until: nextDue, at: now) }

    let (backoffs, earliest) = (backoffs, earliest(at: now))
    while let due = schedule.take(
      at: now.monotonic, isSuspect: { backoffs[$0.request.unit]?.isSuspect ?? false },
      earliest: earliest)
    {
      reportMissed(due.missed, of: due.job, at: now)
      if case .closed = link {
        recordClosed(at: now)
        fail(due, closedReason, at: now)
      } else if backoffs[due.job.request.unit]?.mayAsk(at: now.monotonic) == false {
        fail(due, .offline, at: now)
      } else if isOpen {
        return .ask(Turn(due: due))
      } else {
        schedule.putBack(due)
        return .connect
      }
    }
    return rest(until: firstDue(at: now) ?? now.monotonic, at: now)
  }

  private func firstDue(at now: Timestamp) -> Int64? {
    schedule.nextTime(earliest: earliest(at: now))
  }

  /// When a job may be taken. One that will not be asked needs no wait for late answers.
  private func earliest(at now: Timestamp) -> (Job) -> Int64 {
    let (backoffs, lateWindow) = (backoffs, lateWindow)
    let isClosed = if case .closed = link { true } else { false }
    return { job in
      guard !isClosed, backoffs[job.request.unit]?.mayAsk(at: now.monotonic) != false else {
        return .min
      }
      return lateWindow.opening(for: job.request)
    }
  }

  private mutating func rest(until nextDue: Int64, at now: Timestamp) -> Action {
    restoreDivided(at: now.monotonic)
    guard case .closed(let retryAt) = link else { return .sleep(until: nextDue) }
    return .sleep(until: min(nextDue, retryAt))
  }
}

// MARK: - The connection

extension ModbusBusStateMachine {
  /// The connection was made at `now`.
  mutating func connected(at now: Timestamp) {
    link = .open(since: now.monotonic, isProven: false)
    silence.recordSignOfLife(at: now.monotonic)
  }

  /// The connection was given back because it is not needed for a while; not a fault.
  mutating func rest() {
    guard isOpen else { return }
    link = .resting
  }

  /// No connection could be made until `now`.
  mutating func connectFailed(_ error: ConnectError, at now: Timestamp) {
    closedReason = error.badReason
    closedText = error.description
    let pause = reconnect.nextPause(isQuick: error.isQuick)
    link = .closed(retryAt: now.monotonic + pause)
    recordClosed(at: now)
  }

  /// Gives the connection up for a new one at once.
  private mutating func replaceConnection(at now: Timestamp) {
    link = .closed(retryAt: now.monotonic)
    closedReason = .busClosed
  }

  /// The other side closed the connection. A new one is tried at once, unless this one was no good
  /// from the beginning: a station that accepts and hangs up must not be besieged.
  private mutating func connectionClosed(_ reason: String, at now: Timestamp) {
    var pause: Int64 = 0
    if case .open(_, isProven: false) = link { pause = reconnect.nextPause(isQuick: true) }
    link = .closed(retryAt: now.monotonic + pause)
    closedReason = .busClosed
    closedText = reason
  }

  private mutating func recordClosed(at now: Timestamp) {
    if let change = busWatch.recordClosed(reason: closedText) {
      reports.addEvent(.bus(change), from: busName, .warning, at: now)
    }
  }

  /// An answer came: the connection is good.
  private mutating func proveConnection(at now: Timestamp) {
    guard case .open(let since, let isProven) = link else { return }
    silence.recordSignOfLife(at: now.monotonic)
    guard !isProven else { return }
    link = .open(since: since, isProven: true)
    reconnect.reset()
    // Reported now and not on connecting: a station that accepts and hangs up would report twice
    // in every cycle.
    recordOpen(at: now)
  }

  private mutating func recordOpen(at now: Timestamp) {
    if let change = busWatch.recordOpen() {
      reports.addEvent(.bus(change), from: busName, .info, at: now)
    }
  }

  private mutating func recordSettled(at now: Timestamp) {
    guard case .open(let since, isProven: false) = link,
      now.monotonic - since >= Self.settlingTime
    else { return }
    recordOpen(at: now)
  }
}

// MARK: - Transactions

extension ModbusBusStateMachine {
  /// Exceptions for addresses that a device lacks (2) and requests that are too long for it (3).
  private static let dividingExceptions: Set<UInt8> = [2, 3]
  /// Exceptions by which a gateway says that there is no way to the unit (10) or no answer from it
  /// (11, after the gateway's own time-out): they prove the connection, not the unit.
  private static let gatewayExceptions: Set<UInt8> = [10, 11]

  /// The transaction ended at `now`.
  mutating func finish(
    _ turn: Turn, with result: Result<ReadAnswer, TransactionError>, at now: Timestamp
  ) {
    switch result {
    case .success(.values(let words)):
      recordAnswer(of: turn.request.unit, at: now)
      succeed(turn.due, words, at: now)
    case .success(.exception(let code)):
      finish(turn, withException: code, at: now)
    case .failure(.timeout(let brokeOff)):
      lateWindow.recordGivenUp(turn.request, at: now.monotonic)
      recordTimeout(of: turn.request.unit, at: now)
      fail(turn.due, .timeout, at: now)
      if brokeOff || silence.isDoubtful(at: now.monotonic, backoffs) { replaceConnection(at: now) }
    case .failure(.wrongChecksum):
      proveConnection(at: now)
      fail(turn.due, .crc, at: now)
    case .failure(.badAnswer(let error)):
      lateWindow.recordGivenUp(turn.request, at: now.monotonic)
      fail(turn.due, .badAnswer, at: now)
      if error.losesFraming { replaceConnection(at: now) } else { proveConnection(at: now) }
    case .failure(.closedBefore(let reason)):
      // Stations close connections that are idle; nothing was asked, so nothing is lost yet.
      schedule.putBack(turn.due)
      connectionClosed(reason, at: now)
    case .failure(.staleConnection):
      schedule.putBack(turn.due)
      replaceConnection(at: now)
    case .failure(.closed(let reason)):
      connectionClosed(reason, at: now)
      recordClosed(at: now)
      fail(turn.due, .busClosed, at: now)
    }
  }

  private mutating func finish(_ turn: Turn, withException code: UInt8, at now: Timestamp) {
    if Self.gatewayExceptions.contains(code) {
      proveConnection(at: now)
      backoffs[turn.request.unit]?.recordTimeout(at: now.monotonic)
    } else {
      recordAnswer(of: turn.request.unit, at: now)
    }
    if Self.dividingExceptions.contains(code), divide(turn.due, at: now) { return }
    let isKnown = BadReason.exceptionCodes.contains(code)
    // An exception is an answer: its time is when it came.
    fail(turn.due, isKnown ? .exception(code) : .badAnswer, answeredAt: now, at: now)
  }

  private mutating func recordAnswer(of unit: UInt8, at now: Timestamp) {
    proveConnection(at: now)
    // Nearly always there is nothing to forget, and changing a dictionary allocates three times.
    if backoffs[unit]?.isSuspect == true { backoffs[unit]?.recordAnswer() }
  }

  private mutating func recordTimeout(of unit: UInt8, at now: Timestamp) {
    backoffs[unit]?.recordTimeout(at: now.monotonic)
    silence.recordTimeout(of: unit)
  }

  /// Asks for the parts of a request that was declined, still in this cycle: one address that a
  /// device lacks must not cost its neighbours. False if it has no parts.
  private mutating func divide(_ due: PollSchedule<Job>.Due, at now: Timestamp) -> Bool {
    let whole = due.job
    let definition = devices[whole.device]
    guard let parts = RequestPlanner.parts(of: whole.request, in: definition) else { return false }
    schedule.remove(due.id)
    for part in parts {
      let job = Job(device: whole.device, origin: whole.origin, request: part)
      schedule.add(job, every: part.everyMilliseconds, first: due.time)
    }
    if divided[whole.origin] == nil { divided[whole.origin] = now.monotonic }
    return true
  }

  /// Tries divided requests whole again, once their parts are due next at the same time. A part
  /// that waits for a late answer is due before the others: it has its cycle still to come.
  private mutating func restoreDivided(at now: Int64) {
    let expired = divided.filter { now - $0.value >= Self.divisionLifetime }
    for origin in expired.keys.sorted() {
      guard let next = schedule.removeTogether(where: { $0.origin == origin }) else { continue }
      divided[origin] = nil
      let whole = plan[origin]
      schedule.add(whole, every: whole.request.everyMilliseconds, first: next)
    }
  }
}

// MARK: - Questions that are not of the schedule

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
    case .failure(.wrongChecksum): proveConnection(at: now)
    case .failure(.timeout(let brokeOff)): if brokeOff { replaceConnection(at: now) }
    case .failure(.badAnswer(let error)):
      if error.losesFraming { replaceConnection(at: now) } else { proveConnection(at: now) }
    case .failure(.staleConnection): replaceConnection(at: now)
    case .failure(.closedBefore(let reason)), .failure(.closed(let reason)):
      connectionClosed(reason, at: now)
    case .failure(.staleConnection): replaceConnection(at: now)
    }
  }

  /// How long a unit is not asked; `nil` for one that is asked as often as its points are due.
  func rest(of unit: UInt8) -> UnitStatistics.Rest? {
    guard let backoff = backoffs[unit], backoff.isBackedOff else { return nil }
    return UnitStatistics.Rest(timeouts: backoff.timeouts, end: backoff.askAgain)
  }
}

// MARK: - Reports

extension ModbusBusStateMachine {
  private mutating func succeed(
    _ due: PollSchedule<Job>.Due, _ words: [UInt16], at now: Timestamp
  ) {
    reportSwallowed(by: due, at: now)
    reports.addValues(words, to: due.job.request, of: due.job.device, at: now)
  }

  /// A failure is dated when it was due, so it comes before the cycles that it swallowed. One that
  /// was answered is dated as an answer is.
  private mutating func fail(
    _ due: PollSchedule<Job>.Due, _ reason: BadReason, answeredAt: Timestamp? = nil,
    at now: Timestamp
  ) {
    if answeredAt != nil { reportSwallowed(by: due, at: now) }
    reports.addFailure(
      reason, of: due.job.request, of: due.job.device, dueAt: due.time,
      time: answeredAt ?? now.moved(to: due.time), at: now)
  }

  /// Accounts for the cycles that passed while the answer was waited for: they were due before it
  /// came, and the samples of a point come in the order of their times.
  private mutating func reportSwallowed(by due: PollSchedule<Job>.Due, at now: Timestamp) {
    reportMissed(schedule.skipPassed(of: due, at: now.monotonic), of: due.job, at: now)
  }

  /// Accounts for each cycle that an overrun swallowed.
  private mutating func reportMissed(_ missed: MissedCycles, of job: Job, at now: Timestamp) {
    let (link, backoffs, closedReason) = (link, backoffs, closedReason)
    reports.addMissed(missed, of: job.request, of: job.device, at: now) { time in
      let end = time + job.request.everyMilliseconds
      // A cycle that saw the connection open could have been read, had there been time.
      switch link {
      case .open(let since, _) where end > since: break
      case .resting: break
      case .open, .closed: return closedReason
      }
      return backoffs[job.request.unit]?.mayAsk(at: time) == false ? .offline : .notRead
    }
  }
}
