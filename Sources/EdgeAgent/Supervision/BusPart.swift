internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// Where a bus hands over what it reads: adds which definitions its points go by.
final class BusIntake: SampleSink {
  private struct State {
    var definitions: UInt32
    /// Told of every sample; `nil` while no area is configured.
    var headcount: HeadcountPart?
    /// Time of each device's newest sample; before the first, of the beginning.
    var newest: [String: Timestamp]
    var isClosed = false
    /// Of the devices that have points that are not reported at every reading.
    var filters: [String: ReportFilter]
  }

  private let board: HealthBoard
  private let state: Monitor<State>

  /// - Parameter start: The time from which on the devices are read.
  init(board: HealthBoard, devices: [ModbusDevice], definitions: UInt32, start: Timestamp) {
    self.board = board
    let newest = Dictionary(
      devices.map { ($0.name, start) }, uniquingKeysWith: { first, _ in first })
    let filters = Dictionary(
      devices.compactMap { device in ReportFilter(device).map { (device.name, $0) } },
      uniquingKeysWith: { first, _ in first })
    state = Monitor(State(definitions: definitions, newest: newest, filters: filters))
  }

  /// From now on the bus's points are described by other definitions; its own have not changed.
  func use(definitions digest: UInt32, headcount: HeadcountPart? = nil) {
    state.update { state in
      state.definitions = digest
      state.headcount = headcount
    }
  }

  /// From now on another bus stands in for this one, which hangs. What it tells yet would come
  /// between, after or against what the other tells, so it is dropped, and a gap accounts for it.
  func close(at now: Timestamp) {
    let newest: [String: Timestamp] = state.withLock { state in
      defer { state.isClosed = true }
      return state.isClosed ? [:] : state.newest
    }
    // By the clock that never steps: one that was set back would hide what is missing.
    for (device, newest) in newest.sorted(by: { $0.key < $1.key })
    where newest.monotonic < now.monotonic {
      let gap = GapDetail(
        stream: .data, span: .time(from: newest.advanced(by: 1), to: now), reason: .notRead)
      board.accept(Event(time: now, severity: .warning, source: device, detail: .gap(gap)))
    }
  }

  // Both hand over under the lock: once `close` returns, nothing is on its way any more.

  func accept(_ sample: Sample) {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.newest[sample.device.name] = sample.time
      let isFiltered = !state.filters.isEmpty && state.filters[sample.device.name] != nil
      // In place: a copy of the filter would have its reports copied too.
      let news = isFiltered ? state.filters[sample.device.name]?.news(in: sample) : sample
      board.accept(sample, news: news, definitions: state.definitions)
      state.headcount?.take(sample)
    }
  }

  func accept(_ event: Event) {
    state.withLock { state in
      guard !state.isClosed else { return }
      board.accept(event)
    }
  }
}

/// A bus at work. It is made again, ever more slowly, as long as it can't be made.
final class BusPart: Sendable {
  /// A process that may have no more threads now may have some when others have ended.
  private static let retries: [Duration] = [.seconds(1), .seconds(5), .seconds(15), .seconds(60)]

  let definition: ModbusBusDefinition
  let intake: BusIntake
  /// Whether its loop turns. The name is the bus's.
  let heartbeat: Heartbeat
  private let task: Task<Void, Never>
  private let hasEnded = Monitor(false)
  private let running: Monitor<ModbusBus?>

  init(
    _ definition: ModbusBusDefinition, board: HealthBoard, clock: any TimeSource,
    definitions: UInt32
  ) {
    self.definition = definition
    let intake = BusIntake(
      board: board, devices: definition.devices, definitions: definitions,
      start: clock.now())
    self.intake = intake
    let heartbeat = Heartbeat(name: definition.name)
    self.heartbeat = heartbeat
    let running: Monitor<ModbusBus?> = Monitor(nil)
    self.running = running
    task = Self.begin(
      Making(
        definition: definition, intake: intake, board: board, clock: clock, heartbeat: heartbeat,
        running: running),
      hasEnded)
  }

  /// What a bus is made of, each time.
  private struct Making {
    let definition: ModbusBusDefinition
    let intake: BusIntake
    let board: HealthBoard
    let clock: any TimeSource
    let heartbeat: Heartbeat
    let running: Monitor<ModbusBus?>
  }

  /// What the bus counted since it was made; `nil` while it can't be made.
  var statistics: ModbusBusStatistics? { running.withLock { $0 }?.statistics }

  /// Has the bus do an errand; `nil` if it can't.
  func visit(_ errand: BusErrand) -> VisitTicket? { running.withLock { $0 }?.visit(errand) }

  private static func begin(
    _ making: Making, _ hasEnded: Monitor<Bool>
  ) -> Task<Void, Never> {
    Task.detached {
      await run(making)
      hasEnded.update { $0 = true }
    }
  }

  private static func run(_ making: Making) async {
    var attempt = 0
    while !Task.isCancelled {
      if let bus = make(making) {
        making.running.update { $0 = bus }
        await bus.run()
        making.running.update { $0 = nil }
      }
      // Cancelled while it waits, it ends at the loop's head.
      try? await Task.sleep(for: retries[min(attempt, retries.count - 1)])
      attempt += 1
    }
  }

  private static func make(_ making: Making) -> ModbusBus? {
    do throws(SystemError) {
      return try ModbusBus(
        definition: making.definition, sink: making.intake, clock: making.clock,
        heartbeat: making.heartbeat)
    } catch {
      making.board.bus(making.definition.name, failed: "\(error)")
      return nil
    }
  }

  /// Ends polling after the transaction at hand; returns at once.
  func cancel() { task.cancel() }

  /// Blocks until it has ended, at most `seconds`; returns whether it has. One that sits in a C
  /// call is left to itself.
  @discardableResult
  func waitForEnd(atMost seconds: Double) -> Bool {
    hasEnded.wait(atMost: seconds) { $0 ? true : nil } ?? false
  }
}
