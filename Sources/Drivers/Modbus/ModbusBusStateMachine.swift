internal import Telemetry

/// Decides what a bus does next and what it reports; does no I/O itself. All times are monotonic
/// milliseconds.
struct ModbusBusStateMachine {
  /// Cycles of a request reported one by one after an overrun: so many, or those of so many
  /// milliseconds. What was missed before them is one gap event. A board that slept an hour must
  /// not answer with an hour of samples; nor may a short period that the bus can't keep fill the
  /// stream of events, with one in each turn.
  static func reportedMissedCycles(every: Int64) -> Int {
    let (fewest, milliseconds): (Int, Int64) = (60, 600)
    return max(fewest, Int(milliseconds / max(1, every)))
  }
  /// How long a connection has to stand to count as good when no unit answers on it.
  static let settlingTime: Int64 = 5_000
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
    fileprivate let due: PollAgenda.Due
    fileprivate let askedAt: Int64
    /// The request.
    var request: PlannedRequest { due.job.request }
  }

  /// What the bus hands to its sink.
  enum Report: Hashable {
    case sample(Sample)
    case event(Event)
  }

  private typealias Readiness = PollSchedule<PollAgenda.Job>.Readiness

  private enum Link {
    case closed(retryAt: Int64)
    case open(since: Int64, isProven: Bool)
    /// Given back until something is to be asked.
    case resting
  }

  private let busName: String
  private(set) var agenda: PollAgenda
  private var link: Link
  private var closedReason = BadReason.busClosed
  private var closedText = ""
  private var reconnect = ReconnectBackoff()
  /// Whether connecting failed since there was a connection.
  private var wasAway = false
  private(set) var backoffs: [UInt8: UnitBackoff]
  var lateWindow: LateWindow
  private var silence: ConnectionSilence
  private var busWatch = BusWatch()
  private var reports: BusReports

  /// Plans the bus's requests; they are due from `start` on, spread over their periods unless
  /// `spreads` says that all are due at once.
  init(_ definition: ModbusBusDefinition, start: Int64, spreads: Bool = true) {
    busName = definition.name
    reports = BusReports(definition.devices)
    // Spread, they would keep a station's only place taken most of the time.
    let spreads = spreads && !definition.manners.closesAfterCycle
    agenda = PollAgenda(definition, start: start, spreads: spreads)
    link = .closed(retryAt: start)
    lateWindow = LateWindow(definition)
    silence = ConnectionSilence(definition)
    let units = definition.devices.filter { !$0.points.isEmpty }.map(\.unit)
    backoffs = Dictionary(
      units.map { ($0, UnitBackoff()) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether the connection is to be kept.
  var isOpen: Bool {
    if case .open = link { true } else { false }
  }

  /// Hands over what was reported since the last call.
  mutating func takeReports() -> [Report] { reports.take() }

  /// What to do at `now`. What needs no bus, such as the points of a unit that is backed off, is
  /// reported on the way.
  mutating func next(at now: Timestamp) -> Action {
    for abandoned in agenda.settle(at: now.monotonic) {
      reportMissed(abandoned.missed, of: abandoned.job, at: now)
    }
    let readiness = readiness(at: now.monotonic)
    guard let nextDue = agenda.nextTime(at: now.monotonic, readiness) else {
      return .sleep(until: now.monotonic + Self.idleTime)
    }
    if case .closed(let retryAt) = link, retryAt <= now.monotonic { return .connect }
    recordSettled(at: now)
    guard nextDue <= now.monotonic else { return rest(until: nextDue) }

    while let due = agenda.take(at: now.monotonic, readiness) {
      reportMissed(due.missed, of: due.job, id: due.id, at: now)
      if isClosed {
        recordClosed(at: now)
        lose(due, closedReason, at: now)
      } else if let backoff = backoffs[due.job.request.unit],
        !backoff.mayAsk(at: now.monotonic)
      {
        agenda.postpone(due, until: backoff.askAgain)
        if !due.isRecalled { report(due, .offline, at: now) }
      } else if let code = agenda.standingException(of: due.job, at: now.monotonic) {
        fail(due, .exception(code), at: now)
      } else if isOpen {
        return .ask(Turn(due: due, askedAt: now.monotonic))
      } else {
        agenda.putBack(due)
        return .connect
      }
    }
    return rest(until: agenda.nextTime(at: now.monotonic, readiness) ?? now.monotonic)
  }

  private var isClosed: Bool {
    if case .closed = link { true } else { false }
  }

  /// How jobs stand at `now`. One that will not be asked needs no wait for late answers.
  private func readiness(at now: Int64) -> (PollAgenda.Job) -> Readiness {
    guard !isClosed else { return { _ in .free } }
    let (backoffs, lateWindow) = (backoffs, lateWindow)
    return { job in
      let backoff = backoffs[job.request.unit]
      if backoff?.mayAsk(at: now) == false { return .free }
      return .from(
        lateWindow.opening(for: job.request), isSuspect: backoff?.isSuspect ?? false)
    }
  }

  private func rest(until nextDue: Int64) -> Action {
    switch link {
    case .closed(let retryAt): .sleep(until: min(nextDue, retryAt))
    case .open(let since, isProven: false) where !busWatch.isOpen:
      .sleep(until: min(nextDue, since + Self.settlingTime))
    case .open, .resting: .sleep(until: nextDue)
    }
  }
}

// MARK: - The connection

extension ModbusBusStateMachine {
  /// The connection was made at `now`.
  mutating func connected(at now: Timestamp) {
    link = .open(since: now.monotonic, isProven: false)
    silence.recordSignOfLife(at: now.monotonic)
    // Stations close what is idle, and are the same when it is opened again at once.
    if wasAway { agenda.forgetAll(at: now.monotonic) }
    wasAway = false
    agenda.recallLost(at: now.monotonic)
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
    wasAway = true
    let pause = reconnect.nextPause(isQuick: error.isQuick)
    link = .closed(retryAt: now.monotonic + pause)
    recordClosed(at: now)
  }

  /// Gives the connection up for a new one at once.
  mutating func replaceConnection(at now: Timestamp) {
    link = .closed(retryAt: now.monotonic)
    closedReason = .busClosed
  }

  /// The other side closed the connection. A new one is tried at once, unless this one was no good
  /// from the beginning: a station that accepts and hangs up must not be besieged.
  mutating func connectionClosed(_ reason: String, at now: Timestamp) {
    var pause: Int64 = 0
    if case .open(_, isProven: false) = link { pause = reconnect.nextPause(isQuick: true) }
    link = .closed(retryAt: now.monotonic + pause)
    closedReason = .busClosed
    closedText = reason
  }

  private mutating func recordClosed(at now: Timestamp) {
    if let change = busWatch.recordClosed(reason: closedText, at: now.monotonic) {
      reports.addEvent(.bus(change), from: busName, .warning, at: now)
    }
  }

  /// An answer came: the connection is good.
  mutating func proveConnection(at now: Timestamp) {
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
  /// Exceptions by which a gateway says that there is no way to the unit (10) or no answer from it
  /// (11, after the gateway's own time-out): they prove the connection, not the unit.
  static let gatewayExceptions: Set<UInt8> = [10, 11]

  /// The transaction ended at `now`.
  mutating func finish(
    _ turn: Turn, with result: Result<ReadAnswer, TransactionError>, at now: Timestamp
  ) {
    switch result {
    case .success(.values(let words)):
      recordAnswer(of: turn.request.unit, at: now)
      agenda.recordValues(of: turn.due.job, askedAt: turn.askedAt, at: now.monotonic)
      succeed(turn.due, words, at: now)
    case .success(.exception(let code)):
      finish(turn, withException: code, at: now)
    case .failure(.timeout(let brokeOff, _)):
      lateWindow.recordGivenUp(turn.request, at: now.monotonic)
      recordTimeout(of: turn.request.unit, at: now)
      fail(turn.due, .timeout, at: now)
      if brokeOff || silence.isDoubtful(at: now.monotonic, backoffs) { replaceConnection(at: now) }
    case .failure(.wrongChecksum):
      recordDamage(by: turn, at: now)
    case .failure(.noise):
      lateWindow.recordGivenUp(turn.request, at: now.monotonic)
      recordDamage(by: turn, at: now)
    case .failure(.badAnswer(let error)):
      lateWindow.recordGivenUp(turn.request, at: now.monotonic)
      fail(turn.due, .badAnswer, at: now)
      if error.losesFraming {
        // Somebody is there, who may never speak Modbus.
        recordOpen(at: now)
        replaceConnection(at: now)
      } else {
        proveConnection(at: now)
      }
    case .failure(.closedBefore(let reason)):
      // Stations close connections that are idle; nothing was asked, so nothing is lost yet.
      agenda.putBack(turn.due)
      connectionClosed(reason, at: now)
    case .failure(.staleConnection):
      agenda.putBack(turn.due)
      replaceConnection(at: now)
    case .failure(.closed(let reason)):
      // The unit has the request all the same, and a serial server hands its answer to whoever is
      // connected then.
      lateWindow.recordGivenUp(turn.request, at: now.monotonic)
      connectionClosed(reason, at: now)
      recordClosed(at: now)
      lose(turn.due, .busClosed, wasAsked: true, at: now)
    }
  }

  /// Each damaged answer costs the line, beside itself, the wait for more of it: 50 ms, 250 behind
  /// a serial server.
  private mutating func recordDamage(by turn: Turn, at now: Timestamp) {
    proveConnection(at: now)
    backoffs[turn.request.unit]?.recordTimeout(at: now.monotonic)
    fail(turn.due, .crc, at: now)
  }

  private mutating func finish(_ turn: Turn, withException code: UInt8, at now: Timestamp) {
    if Self.gatewayExceptions.contains(code) {
      proveConnection(at: now)
      backoffs[turn.request.unit]?.recordTimeout(at: now.monotonic)
    } else {
      recordAnswer(of: turn.request.unit, at: now)
    }
    if agenda.decline(turn.due, code: code, at: now.monotonic) { return }
    if agenda.retry(turn.due, code: code, at: now.monotonic) { return }
    let isKnown = BadReason.exceptionCodes.contains(code)
    // An exception is an answer: its time is when it came.
    fail(turn.due, isKnown ? .exception(code) : .badAnswer, answeredAt: now, at: now)
  }

  mutating func recordAnswer(of unit: UInt8, at now: Timestamp) {
    proveConnection(at: now)
    // Nearly always there is nothing to forget, and changing a dictionary allocates three times.
    guard let backoff = backoffs[unit], backoff.isSuspect else { return }
    if backoff.isBackedOff { agenda.forget(unit: unit, at: now.monotonic) }
    backoffs[unit]?.recordAnswer()
  }

  private mutating func recordTimeout(of unit: UInt8, at now: Timestamp) {
    backoffs[unit]?.recordTimeout(at: now.monotonic)
    silence.recordTimeout(of: unit)
  }
}

// MARK: - Reports

extension ModbusBusStateMachine {
  private mutating func succeed(
    _ due: PollAgenda.Due, _ words: [UInt16], at now: Timestamp
  ) {
    agenda.recordOutcome(of: due.id)
    reportSwallowed(by: due, at: now)
    reports.addValues(words, to: due.job.request, of: due.job.device, at: now)
  }

  /// A failure is dated when it was due, so it comes before the cycles that it swallowed. One that
  /// was answered is dated as an answer is.
  private mutating func fail(
    _ due: PollAgenda.Due, _ reason: BadReason, answeredAt: Timestamp? = nil,
    at now: Timestamp
  ) {
    agenda.recordFailure(of: due, reason, at: now.monotonic)
    if answeredAt != nil { reportSwallowed(by: due, at: now) }
    report(due, reason, answeredAt: answeredAt, at: now)
  }

  private mutating func report(
    _ due: PollAgenda.Due, _ reason: BadReason, answeredAt: Timestamp? = nil, at now: Timestamp
  ) {
    reports.addFailure(
      reason, of: due.job.request, of: due.job.device, dueAt: due.time,
      time: answeredAt ?? now.moved(to: due.time), at: now)
  }

  /// There was no connection for what was due, or it closed over the question. Where that was said
  /// of it already, it is not said again.
  private mutating func lose(
    _ due: PollAgenda.Due, _ reason: BadReason, wasAsked: Bool = false, at now: Timestamp
  ) {
    agenda.recordLost(due, wasAsked: wasAsked, at: now.monotonic)
    if !due.isRecalled { report(due, reason, at: now) }
  }

  /// Accounts for the cycles that passed while the answer was waited for: they were due before it
  /// came, and the samples of a point come in the order of their times.
  private mutating func reportSwallowed(by due: PollAgenda.Due, at now: Timestamp) {
    reportMissed(agenda.skipPassed(of: due, at: now.monotonic), of: due.job, at: now)
  }

  /// Accounts for each cycle that an overrun swallowed.
  /// - Parameter id: Names the job in the agenda, where it is still there.
  private mutating func reportMissed(
    _ missed: MissedCycles, of job: PollAgenda.Job, id: Int? = nil, at now: Timestamp
  ) {
    guard missed.count > 0 else { return }
    let (link, backoffs, closedReason, agenda) = (link, backoffs, closedReason, agenda)
    reports.addMissed(missed, of: job.request, of: job.device, at: now) { time in
      let end = time + job.request.everyMilliseconds
      // A cycle that saw the connection open could have been read, had there been time.
      switch link {
      case .open(let since, _) where end > since: break
      case .resting: break
      case .open, .closed: return closedReason
      }
      if backoffs[job.request.unit]?.mayAsk(at: time) == false { return .offline }
      let code =
        id.flatMap { agenda.busyException(of: $0, at: time) }
        ?? agenda.standingException(of: job, at: time)
      return code.map { .exception($0) } ?? .notRead
    }
  }
}
