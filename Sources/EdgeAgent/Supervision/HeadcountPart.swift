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
  }

  /// What a line was last said to be.
  private struct LineState {
    var fault: BadReason?
    var time: Timestamp
    /// The newest change since then; the first one tells how the line was found.
    var change: LineTransition?
  }

  private struct State {
    var counters: [Counter] = []
    var lines: [String: LineState] = [:]
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

  /// Whether there is nothing to tell it.
  var isEmpty: Bool { state.withLock { $0.counters.isEmpty } }

  /// Goes over to these areas: those whose definition is the same go on undisturbed, of the others
  /// the balance goes on.
  /// - Parameter restored: the newest sample of areas that begin, as far as the journal has one.
  func use(_ areas: [AreaDefinition], restored: [String: Sample], definitions: UInt32) {
    let (old, lines) = state.withLock { ($0.counters, $0.lines) }
    let counters = areas.map { area in
      if let same = old.first(where: { $0.area == area }) {
        same.intake.use(definitions: definitions)
        return same
      }
      let last = old.first { $0.area.name == area.name }?.intake.end() ?? restored[area.name]
      let intake = AreaIntake(board: board, definitions: definitions)
      let headcount = Headcount(
        [area], restored: last.map { [area.name: $0] } ?? [:], sink: intake, clock: clock)
      // Nobody says it again of lines that went on meanwhile.
      for name in area.gates.flatMap(\.sensors.lines) {
        guard let line = lines[name] else { continue }
        headcount.line(name, changedTo: line.fault, at: line.time)
        // Else the next person at a turnstile would be taken for how its line was found.
        if let change = line.change { headcount.accept(change) }
      }
      return Counter(area: area, headcount: headcount, intake: intake)
    }
    for counter in old where !areas.contains(counter.area) { _ = counter.intake.end() }
    state.withLock { state in
      state.counters = counters
      state.ticking?.cancel()
      state.ticking = counters.isEmpty || state.isEnded ? nil : tickingTask()
    }
  }

  /// Ends: what changed since the last samples is told.
  func end() {
    state.withLock { state in
      state.isEnded = true
      state.ticking?.cancel()
      state.ticking = nil
    }
    for counter in counters { _ = counter.headcount.tick() }
  }

  private var counters: [Counter] { state.withLock { $0.counters } }

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
    let counters = counters
    let next = counters.compactMap { $0.headcount.tick() }.min()
    for counter in counters { counter.intake.note(counter.headcount.states) }
    return next
  }

  // MARK: What it is told

  /// A sample of any device or line; those that areas name are looked at.
  func take(_ sample: Sample) {
    for counter in counters { counter.headcount.take(sample) }
  }

  /// A change of a line.
  func accept(_ transition: LineTransition) {
    let counters = state.withLock { state in
      state.lines[transition.line]?.change = transition
      return state.counters
    }
    for counter in counters { counter.headcount.accept(transition) }
  }

  /// Edges of a line may be missing.
  func lineIsSuspect(_ name: String, at time: Timestamp) {
    for counter in counters { counter.headcount.lineIsSuspect(name, at: time) }
  }

  /// A line can't be read, or can again.
  func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    let counters = state.withLock { state in
      state.lines[name] = LineState(fault: fault, time: time)
      return state.counters
    }
    for counter in counters { counter.headcount.line(name, changedTo: fault, at: time) }
  }

  // MARK: Whoever asks

  /// All areas as they are, in the configuration's order.
  var states: [AreaState] { counters.flatMap(\.headcount.states) }

  /// An operator knows how many people are there.
  func set(
    area: String, to count: Int64, operator: String, reason: String
  ) throws(HeadcountRefusal) -> AreaState {
    guard let counter = counters.first(where: { $0.area.name == area }) else {
      throw .noArea(area)
    }
    return try counter.headcount.set(area: area, to: count, operator: `operator`, reason: reason)
  }
}

/// Where an area's count hands over what it says: adds which definitions its points go by, and
/// remembers the newest sample for the count that stands in for it after a reload.
private final class AreaIntake: SampleSink {
  private struct State {
    var definitions: UInt32
    var newest: Sample?
    var isEnded = false
  }

  private let board: HealthBoard
  private let state: Monitor<State>

  init(board: HealthBoard, definitions: UInt32) {
    self.board = board
    state = Monitor(State(definitions: definitions))
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
      state.newest = sample
      board.accept(sample, of: .area, news: sample, definitions: state.definitions)
    }
  }

  func accept(_ event: Event) {
    state.withLock { state in
      guard !state.isEnded else { return }
      board.accept(event)
    }
  }

  /// What is lost, if anything is.
  func note(_ areas: [AreaState]) {
    state.withLock { state in
      guard !state.isEnded else { return }
      for area in areas {
        let words = area.faults.map { "\($0.source): \($0.reason)" }
        board.input(
          .area, area.name, changedTo: words.isEmpty ? nil : words.joined(separator: ", "))
      }
    }
  }
}
