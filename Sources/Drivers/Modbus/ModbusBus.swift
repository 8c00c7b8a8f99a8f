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
  private let counts = Monitor(ModbusBusCounters())
  private let lookup: HostLookup
  private let isCancelled = Monitor(false)
  private let timings: UnitTimings
  private var connection: ModbusConnection?
  /// When the connection was made or used last, in monotonic milliseconds.
  private var lastUse = Int64.min

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
    timings = UnitTimings(definition)
    executor = try ThreadExecutor(name: "modbus \(definition.name)")
  }

  /// The bus's own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// What the bus counted so far; safe to ask at any time.
  public nonisolated var counters: ModbusBusCounters { counts.withLock { $0 } }

  /// Polls until its task is cancelled, which it notices between transactions and while it sleeps:
  /// within the unit's time-out and what an answer takes on a serial line, or twice the
  /// connection's time-out for a lookup and an attempt. The connection is closed when it returns.
  public func run() async {
    await withTaskCancellationHandler {
      poll()
    } onCancel: {
      isCancelled.update { $0 = true }
    }
  }

  private func poll() {
    var state = ModbusBusStateMachine(definition, start: clock.monotonic)
    defer { heartbeat.rest() }
    while !isCancelled.withLock({ $0 }) {
      let now = clock.now()
      heartbeat.turn(nextWithin: definition.workMilliseconds)
      switch state.next(at: now) {
      case .connect: connect(&state)
      case .ask(let turn): perform(turn, &state)
      case .sleep(let time):
        deliver(&state)
        let pause = wakeTime(before: time, now.monotonic, &state) - now.monotonic
        heartbeat.turn(nextWithin: max(0, pause) + definition.workMilliseconds)
        sleep(milliseconds: pause)
      }
      if !state.isOpen { connection = nil }
      deliver(&state)
    }
    connection = nil
  }

  private func connect(_ state: inout ModbusBusStateMachine) {
    do throws(ConnectError) {
      connection = try ModbusConnection.open(definition, lookup: lookup)
      let pause = definition.manners.pauseAfterConnectMilliseconds
      if pause > 0 { sleep(milliseconds: pause) }
      lastUse = clock.monotonic
      state.connected(at: clock.now())
      counts.withLock { $0.connects += 1 }
    } catch {
      state.connectFailed(error, at: clock.now())
    }
  }

  /// Gives a connection back that has rested long enough. When to look again, `time` at the latest.
  private func wakeTime(
    before time: Int64, _ now: Int64, _ state: inout ModbusBusStateMachine
  ) -> Int64 {
    guard let rest = definition.manners.restAfterMilliseconds, state.isOpen else { return time }
    guard lastUse + rest <= now else { return min(time, lastUse + rest) }
    state.rest()
    connection = nil
    return time
  }

  private func perform(_ turn: ModbusBusStateMachine.Turn, _ state: inout ModbusBusStateMachine) {
    let lateBefore = connection?.lateAnswers ?? 0
    let timing = timings[turn.request.unit]
    let result: Result<ReadAnswer, TransactionError>
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
    count(result, lateAnswers: (connection?.lateAnswers ?? 0) - lateBefore)
    state.finish(turn, with: result, at: clock.now())
  }

  private func count(_ result: Result<ReadAnswer, TransactionError>, lateAnswers: Int) {
    counts.withLock { counts in
      counts.requests += 1
      counts.lateAnswers += lateAnswers
      switch result {
      case .failure(.timeout): counts.timeouts += 1
      case .failure(.badAnswer): counts.badAnswers += 1
      case .failure(.wrongChecksum): counts.wrongChecksums += 1
      case .success, .failure(.closed), .failure(.closedBefore), .failure(.staleConnection): break
      }
    }
  }

  private func deliver(_ state: inout ModbusBusStateMachine) {
    for report in state.takeReports() {
      switch report {
      case .sample(let sample): sink.accept(sample)
      case .event(let event): sink.accept(event)
      }
    }
  }

  /// Sleeps at least a millisecond, so that a clock that stands still makes no busy loop. The
  /// thread is the bus's own and may block: `Task.sleep` goes over two threads of the pool each
  /// time, which was a quarter of the agent's CPU time at 16 buses.
  private func sleep(milliseconds: Int64) {
    let _: Void? = isCancelled.wait(atMost: Double(max(1, milliseconds)) / 1000) {
      $0 ? () : nil
    }
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
    var time = Self.graceMilliseconds + 2 * manners.connectTimeoutMilliseconds
    time += manners.pauseAfterConnectMilliseconds
    time += 4 * longest.timeoutMilliseconds + 2 * longest.pauseMilliseconds
    if let line = endpoint.line {
      let characters = ModbusRTUFrame.requestLength + ModbusRTUReception.maximumBytes
      time += line.microseconds(ofCharacters: characters) / 1000
    }
    return time
  }
}
