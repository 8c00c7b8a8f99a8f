internal import Buffering
internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// The areas' counts at work: each area has one of its own, so that a reload replaces those that
/// changed. Nothing runs while there are no areas.
final class HeadcountPart: Sendable {
  /// A change may make a sample due before the one that was waited for, by so much too late at
  /// most.
  private static let longestWaitMilliseconds: Int64 = 1000

  private struct Counter: Sendable {
    var area: AreaDefinition
    var headcount: Headcount
    var intake: AreaIntake

    /// Ends it; its newest sample.
    func end() -> Sample? {
      headcount.end()
      return intake.end()
    }
  }

  /// What a line was last said to be.
  private struct LineState {
    var fault: BadReason?
    /// `nil` while it is not known.
    var isActive: Bool?
  }

  private struct State {
    var counters: [Counter] = []
    /// The newest samples with a balance of areas that ended, for when they have gates again.
    var balances: [String: Sample] = [:]
    /// The configured lines, and what is known of them.
    var configuredLines: Set<String> = []
    var lines: [String: LineState] = [:]
    var areLinesStuck = false
    var ticking: Task<Void, Never>?
    var isEnded = false
  }

  private let board: HealthBoard
  private let clock: any TimeSource
  private let state = Monitor(State())

  init(board: HealthBoard, clock: any TimeSource) {
    self.board = board
    self.clock = clock
  }

  /// Goes over to these areas: those whose definition is the same go on undisturbed, of the others
  /// the balance goes on.
  /// - Parameters:
  ///   - lines: All lines that are configured. What is known of others is forgotten: one that is
  ///     configured again later is read anew.
  ///   - restored: What the journal has of areas that begin.
  ///   - reason: How the time before ended for those.
  ///   - doubt: Why the journal may have lost what it knew of the others.
  func use(
    _ areas: [AreaDefinition], lines: Set<String>, restored: NewestSamples,
    reason: String? = nil, doubt: String? = nil, definitions: UInt32
  ) {
    // All at once: nobody who passes meanwhile is counted by none, or by two.
    state.withLock { state in
      state.configuredLines = lines
      state.lines = state.lines.filter { lines.contains($0.key) }
      let old = state.counters
      var last = restored
      var previous: [String: Sample] = [:]
      for counter in old where !areas.contains(counter.area) {
        let newest = counter.end()
        previous[counter.area.name] = newest
        // It may still be that of the one before, without gates.
        if let newest, newest.device.points.contains(AreaPoint.balance) {
          state.balances[counter.area.name] = newest
        }
      }
      last.samples.merge(state.balances) { $1 }
      last.damaged.subtract(state.balances.keys)
      state.counters = areas.map { area in
        if let same = old.first(where: { $0.area == area }) {
          same.intake.use(definitions: definitions)
          return same
        }
        let intake = AreaIntake(
          board: board, definitions: definitions, after: previous[area.name])
        let headcount = Headcount(
          [area], restored: last.samples, damaged: last.damaged,
          reason: previous[area.name] == nil ? reason : PastEnding.reload, doubt: doubt,
          sink: intake, clock: clock)
        tell(headcount, state.lines, of: area)
        if state.areLinesStuck { headcount.lines(areStuck: true, at: clock.now()) }
        return Counter(area: area, headcount: headcount, intake: intake)
      }
      state.ticking?.cancel()
      state.ticking = state.counters.isEmpty || state.isEnded ? nil : tickingTask()
    }
  }

  /// Nobody says it again of lines that went on meanwhile.
  private func tell(
    _ headcount: Headcount, _ lines: [String: LineState], of area: AreaDefinition
  ) {
    let now = clock.now()
    for name in area.gates.flatMap(\.sensors.lines) {
      guard let line = lines[name] else { continue }
      headcount.line(name, changedTo: line.fault, at: now)
      if let isActive = line.isActive {
        headcount.accept(LineTransition(line: name, isActive: isActive, time: now))
      }
    }
  }

  /// The lines' loop is stuck, or turns again.
  func lines(areStuck: Bool) {
    state.withLock { state in
      state.areLinesStuck = areStuck
      for counter in state.counters {
        counter.headcount.lines(areStuck: areStuck, at: clock.now())
      }
    }
  }

  /// Ends: what changed since the last samples is told.
  func end() {
    state.withLock { state in
      state.isEnded = true
      state.ticking?.cancel()
      state.ticking = nil
      for counter in state.counters { counter.headcount.end() }
    }
  }

  private func tickingTask() -> Task<Void, Never> {
    Task.detached { [weak self, clock] in
      while !Task.isCancelled {
        guard let next = self?.tick() else { return }
        let wait = max(1, min(next - clock.monotonic, Self.longestWaitMilliseconds))
        try? await Task.sleep(for: .milliseconds(wait))
      }
    }
  }

  private func tick() -> Int64? {
    state.withLock { state in
      let next = state.counters.compactMap { $0.headcount.tick() }.min()
      for counter in state.counters { counter.intake.note(counter.headcount.states) }
      return next
    }
  }

  // MARK: What it is told

  // All of it is handed on under the lock, so that it reaches the counts in its order.

  /// A sample of any device or line; those that areas name are looked at.
  func take(_ sample: Sample) {
    state.withLock { state in
      for counter in state.counters { counter.headcount.take(sample) }
    }
  }

  /// A change of a line.
  func accept(_ transition: LineTransition) {
    state.withLock { state in
      guard state.configuredLines.contains(transition.line) else { return }
      state.lines[transition.line, default: LineState()].isActive = transition.isActive
      for counter in state.counters { counter.headcount.accept(transition) }
    }
  }

  /// Edges of a line may be missing.
  func lineIsSuspect(_ name: String, at time: Timestamp) {
    state.withLock { state in
      for counter in state.counters { counter.headcount.lineIsSuspect(name, at: time) }
    }
  }

  /// A line can't be read, or can again.
  func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    state.withLock { state in
      guard state.configuredLines.contains(name) else { return }
      state.lines[name] = LineState(fault: fault)
      for counter in state.counters {
        counter.headcount.line(name, changedTo: fault, at: time)
      }
    }
  }

  // MARK: Whoever asks

  /// All areas as they are, in the configuration's order.
  var states: [AreaState] { state.withLock { $0.counters.flatMap(\.headcount.states) } }

  /// An operator knows how many people are there.
  func set(
    area: String, to count: Int64, operator: String, reason: String
  ) throws(HeadcountRefusal) -> (state: AreaState, previous: Int64) {
    try state.withLock { state throws(HeadcountRefusal) in
      guard let counter = state.counters.first(where: { $0.area.name == area }) else {
        throw HeadcountRefusal.noArea(area)
      }
      return try counter.headcount.set(
        area: area, to: count, operator: `operator`, reason: reason)
    }
  }
}

/// Where an area's count hands over what it says: adds which definitions its points go by, and
/// remembers the newest sample for the count that stands in for it after a reload.
private final class AreaIntake: SampleSink {
  private struct State {
    var definitions: UInt32
    var order = SampleOrdering()
    var newest: Sample?
    /// Whether it said that a source is lost, and not yet that all are back.
    var lacksSource = false
    var isEnded = false
  }

  private let board: HealthBoard
  private let state: Monitor<State>

  /// - Parameter previous: The newest sample of the one that it stands in for.
  init(board: HealthBoard, definitions: UInt32, after previous: Sample?) {
    self.board = board
    var order = SampleOrdering()
    if let previous { _ = order.ordered(previous) }
    state = Monitor(State(definitions: definitions, order: order, newest: previous))
  }

  /// From now on the area's points are described by other definitions; its own have not changed.
  func use(definitions digest: UInt32) { state.update { $0.definitions = digest } }

  /// From now on what it tells is dropped. The newest sample.
  func end() -> Sample? {
    state.withLock { state in
      state.isEnded = true
      return state.newest
    }
  }

  func accept(_ sample: Sample) {
    state.withLock { state in
      guard !state.isEnded else { return }
      let sample = state.order.ordered(sample)
      state.newest = sample
      board.accept(sample, of: .area, definitions: state.definitions)
    }
  }

  func accept(_ event: Event) {
    state.withLock { state in
      guard !state.isEnded else { return }
      if case .headcount(let detail) = event.detail {
        switch detail.state {
        case .sourceLost: state.lacksSource = true
        case .sourceBack: state.lacksSource = false
        case .set, .began, .resumed, .belowZero, .gateSuspect: break
        }
      }
      board.accept(event)
    }
  }

  /// What is lost, if that was told: a source that was not heard of yet has its time.
  func note(_ areas: [AreaState]) {
    state.withLock { state in
      guard !state.isEnded else { return }
      for area in areas {
        let lost = area.faults.filter { state.lacksSource || $0.source == AreaPoint.balance }
        let words = lost.map { "\($0.source): \($0.reason)" }
        board.input(
          .area, area.name, changedTo: words.isEmpty ? nil : words.joined(separator: ", "))
      }
    }
  }
}
