public import LinuxSystem
public import Telemetry

/// Counts of a bus since it was started.
public struct ModbusBusCounters: Sendable, Hashable {
  /// Requests sent or tried.
  public var requests = 0
  /// Requests without an answer in time.
  public var timeouts = 0
  /// Answers that could not be the one to their request.
  public var badAnswers = 0
  /// Answers on a serial line whose checksum was wrong.
  public var wrongChecksums = 0
  /// Answers that came after their request had been given up; they are never taken for another's.
  public var lateAnswers = 0
  /// Connections that were made.
  public var connects = 0

  /// Makes counters at zero.
  public init() {}
}

/// Polls the devices of one Modbus bus, on a thread of its own, because every transaction blocks.
/// A fault of a unit, of the connection or of the network never ends it: it is reported point by
/// point.
public actor ModbusBus {
  private let definition: ModbusBusDefinition
  private let sink: any SampleSink
  private let clock: any TimeSource
  private let heartbeat: Heartbeat
  private let executor: ThreadExecutor
  private let counts: Monitor<ModbusBusStatistics>
  private let lookup: HostLookup
  private let inbox = Monitor(BusInbox())
  private let timings: UnitTimings
  private let workMilliseconds: Int64
  private var connection: ModbusConnection?
  /// When the connection was made or used last, in monotonic milliseconds.
  private var lastUse = Int64.min
  private var visitShare = VisitShare()

  /// Makes a bus that hands what it reads to `sink`, and tells `heartbeat` that it still turns.
  /// Fails only when the process may have no more threads. SIGPIPE need not be ignored.
  public init(
    definition: ModbusBusDefinition, sink: any SampleSink, clock: any TimeSource,
    heartbeat: Heartbeat? = nil
  ) throws(SystemError) {
    try self.init(
      definition: definition, sink: sink, clock: clock, heartbeat: heartbeat, lookup: HostLookup())
  }

  /// Makes a bus that finds its host by `lookup`.
  init(
    definition: ModbusBusDefinition, sink: any SampleSink, clock: any TimeSource,
    heartbeat: Heartbeat?, lookup: HostLookup
  ) throws(SystemError) {
    self.lookup = lookup
    self.heartbeat = heartbeat ?? Heartbeat(name: definition.name)
    self.definition = definition
    self.sink = sink
    self.clock = clock
    counts = Monitor(ModbusBusStatistics(definition, start: clock.monotonic))
    timings = UnitTimings(definition)
    workMilliseconds = definition.workMilliseconds
    executor = try ThreadExecutor(name: "modbus \(definition.name)")
  }

  /// The bus's own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// What the bus counted so far; safe to ask at any time.
  public nonisolated var counters: ModbusBusCounters { counts.withLock { $0.counters } }

  /// The same, and what it knows of its units and its line; safe to ask at any time.
  public nonisolated var statistics: ModbusBusStatistics { counts.withLock { $0 } }

  /// Has the bus do an errand between its own requests; `nil` if it has too many already. Safe to
  /// ask at any time.
  public nonisolated func visit(_ errand: BusErrand) -> VisitTicket? {
    let ticket = VisitTicket(errand)
    var isTaken = false
    inbox.update { isTaken = $0.add(ticket) }
    return isTaken ? ticket : nil
  }

  /// Polls until its task is cancelled, which it notices between transactions and while it sleeps:
  /// within the unit's time-out and what an answer takes on a serial line, or twice the
  /// connection's time-out for a lookup and an attempt. The connection is closed when it returns.
  public func run() async {
    await withTaskCancellationHandler {
      poll()
    } onCancel: {
      inbox.update { $0.isCancelled = true }
    }
  }

  /// What an errand is told that the bus's end breaks off.
  private static let endWords =
    "broken off: the configuration was reloaded, or the agent stops; ask again"

  private func poll() {
    var state = ModbusBusStateMachine(definition, start: clock.monotonic)
    defer {
      for ticket in inbox.withLock({ $0.end() }) { ticket.abandon(Self.endWords) }
      heartbeat.rest()
    }
    while true {
      let (isCancelled, ticket) = inbox.withLock { $0.look() }
      guard !isCancelled else { break }
      heartbeat.turn(nextWithin: workMilliseconds)
      if let ticket, visitShare.goesFirst(at: clock.monotonic) {
        _ = visit(ticket, &state, idleEnd: nil)
      }
      switch state.next(at: clock.now()) {
      case .connect: connect(&state)
      case .ask(let turn):
        perform(turn, &state)
        if let ticket { _ = visit(ticket, &state, idleEnd: nil) }
      case .sleep(let time):
        deliver(&state)
        let wish = ticket.flatMap { visit($0, &state, idleEnd: time) }
        let wake = wish.map { min(time, $0) } ?? wakeTime(before: time, &state)
        sleep(until: wake)
      }
      if !state.isOpen { connection = nil }
      deliver(&state)
    }
    connection = nil
  }

  @discardableResult
  private func connect(_ state: inout ModbusBusStateMachine) -> ConnectError? {
    // A serial port is its connection's alone.
    connection = nil
    do throws(ConnectError) {
      connection = try ModbusConnection.open(definition, lookup: lookup)
      pauseAfterConnect()
      lastUse = clock.monotonic
      state.connected(at: clock.now())
      counts.withLock { $0.counters.connects += 1 }
      return nil
    } catch {
      state.connectFailed(error, at: clock.now())
      return error
    }
  }

  /// Leaves the other side its time; a visitor waits for it, too.
  private func pauseAfterConnect() {
    let pause = definition.manners.pauseAfterConnectMilliseconds
    guard pause > 0 else { return }
    let _: Void? = inbox.wait(atMost: Double(pause) / 1000) { $0.isCancelled ? () : nil }
  }

  /// Gives a connection back that has rested long enough. When to look again, `time` at the latest.
  private func wakeTime(
    before time: Int64, _ state: inout ModbusBusStateMachine
  ) -> Int64 {
    let now = clock.monotonic
    guard let rest = definition.manners.restAfterMilliseconds, state.isOpen else { return time }
    guard lastUse + rest <= now else { return min(time, lastUse + rest) }
    state.rest()
    connection = nil
    return time
  }

  private func perform(_ turn: ModbusBusStateMachine.Turn, _ state: inout ModbusBusStateMachine) {
    let lateBefore = connection?.lateAnswers ?? 0
    let timing = timings[turn.request.unit]
    let start = ContinuousClock.now
    var result: Result<ReadAnswer, TransactionError>
    do throws(TransactionError) {
      let answer = try connection?.read(
        turn.request.readRequest, unit: turn.request.unit,
        timeout: .milliseconds(timing.timeoutMilliseconds),
        pause: .milliseconds(timing.pauseMilliseconds))
      result = answer.map { .success($0) } ?? .failure(.closedBefore(reason: "not connected"))
    } catch {
      result = .failure(error)
    }
    lastUse = clock.monotonic
    let lateAnswers = (connection?.lateAnswers ?? 0) - lateBefore
    let times = TransactionTimes(
      microseconds: start.duration(to: .now).microseconds,
      turnaround: result.isAnswer ? connection?.turnaround?.microseconds : nil)
    let (now, unit) = (clock.now(), turn.request.unit)
    if result.isAnswer, connection?.answerRead?.hasStoodStill == true {
      result = .failure(.timeout(brokeOff: false))
    }
    state.finish(turn, with: result, at: now)
    let rest = state.rest(of: unit)
    counts.withLock { counts in
      counts.counters.lateAnswers += lateAnswers
      counts.record(result, of: unit, times, rest: rest, at: now)
    }
  }

  /// Goes on with an errand, one question at most. Returns when it is to be tried again, in
  /// monotonic milliseconds.
  /// - Parameter idleEnd: Until when the bus has nothing to do; `nil` if it has.
  private func visit(
    _ ticket: VisitTicket, _ state: inout ModbusBusStateMachine, idleEnd: Int64?
  ) -> Int64 {
    let now = clock.monotonic
    switch ticket.next(isOpen: state.isOpen && connection != nil) {
    case .done:
      inbox.withLock { $0.remove(ticket) }
      visitShare.forgetHeld()
    case .connect:
      heartbeat.turn(nextWithin: workMilliseconds)
      if let error = connect(&state) { ticket.connectFailed(error) }
    case .ask(let question):
      let opening = state.opening(for: question.request)
      let earliest = visitShare.earliest(
        opening: opening,
        longest: question.timeoutMilliseconds + definition.wireMilliseconds,
        idleEnd: idleEnd, at: now)
      guard earliest <= now else {
        visitShare.recordHeld(until: opening, at: now)
        return earliest
      }
      // Its time-out may be any; one passes at most before the request, and one behind it.
      heartbeat.turn(
        nextWithin: workMilliseconds + 2 * question.timeoutMilliseconds)
      guard let outcome = connection?.perform(question, isTraced: ticket.isTraced) else { break }
      let end = clock.now()
      lastUse = end.monotonic
      state.finishVisit(question.request, with: outcome.result, at: end)
      // One that was not asked is to be over the next connection, before the schedule's if it has
      // waited long enough: a connection on which those went first is no good for it either.
      if outcome.result.isAsked { visitShare.record(from: now, until: end.monotonic) }
      counts.withLock { counts in
        counts.counters.lateAnswers += outcome.lateAnswers
        counts.recordVisit(
          TransactionTimes(microseconds: outcome.microseconds), at: end)
      }
      ticket.finish(outcome)
    }
    return now
  }

  private func deliver(_ state: inout ModbusBusStateMachine) {
    for report in state.takeReports() {
      switch report {
      case .sample(let sample): sink.accept(sample)
      case .event(let event): sink.accept(event)
      }
    }
  }

  /// Sleeps until a millisecond begins: buses whose requests are due in the same one ask together,
  /// and what they wake by it wakes once. Where that time is over already it sleeps a millisecond,
  /// so that nothing makes a busy loop. The thread is the bus's own and may block: `Task.sleep`
  /// goes over two threads of the pool each time, which was a quarter of the agent's CPU time at
  /// 16 buses.
  private func sleep(until wake: Int64) {
    let nanoseconds = wake * 1_000_000 - clock.monotonicNanoseconds
    let pause = nanoseconds > 0 ? nanoseconds : 1_000_000
    heartbeat.turn(nextWithin: pause / 1_000_000 + workMilliseconds)
    let _: Void? = inbox.wait(atMost: Double(pause) / 1e9) { $0.wakes ? () : nil }
  }
}

extension ModbusBusDefinition {
  /// What a board may need that is busy with other things.
  private static let graceMilliseconds: Int64 = 3_000

  /// How long a turn of the bus's loop may take beside its sleep. On a serial line an answer that
  /// does not end and what is read away before the next request take some time-outs more than the
  /// one, and all of that the time it takes at the line's speed.
  var workMilliseconds: Int64 {
    let longest = UnitTimings(self).longest
    // A lookup and an attempt to connect, each.
    return Self.graceMilliseconds + 2 * manners.connectTimeoutMilliseconds
      + manners.pauseAfterConnectMilliseconds + 4 * longest.timeoutMilliseconds
      + 2 * longest.pauseMilliseconds + wireMilliseconds
  }

  /// The longest that a request and all that may come of it take on the wire.
  var wireMilliseconds: Int64 {
    guard let line = endpoint.line else { return 0 }
    let characters = ModbusRTUFrame.requestLength + ModbusRTUReception.maximumBytes
    return line.microseconds(ofCharacters: characters) / 1000
  }
}
