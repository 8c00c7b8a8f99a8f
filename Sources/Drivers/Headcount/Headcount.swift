internal import LinuxSystem
public import Telemetry

/// Counts the people in areas, from gates and from what devices state. Calls may come from any
/// thread. The sink is called without a lock held, so it may call back, and in the order of what
/// happened, so that the newest sample of an area is the one to go on from.
public final class Headcount: Sendable {
  /// The largest number that a source may state or an operator set: far more than any mine has, and
  /// small enough that no sum overflows.
  public static let mostPersons: Int64 = 1_000_000

  /// The longest time that a change which came too soon after another waits for its sample.
  static let idleMilliseconds: Int64 = 1000

  private struct State {
    var areas: [Area]
    /// What the sink has to get, while another thread hands over what came before.
    var outbox: [Area.Output] = []
    var isHandingOver = false
  }

  private let state: Monitor<State>
  private let sink: any SampleSink
  private let clock: any TimeSource
  /// The areas that a line or a device is a source of.
  private let areasOfLine: [String: [Int]]
  private let areasOfDevice: [String: [Int]]

  /// Begins to count.
  /// - Parameters:
  ///   - restored: The newest sample of each area that the journal has, by its name.
  ///   - damaged: Areas of which there may have been a newer one that can't be read any more.
  ///   - reason: How the time before ended, for the events that tell that a balance goes on.
  ///   - doubt: Why the journal may have lost an area's samples. Of an area without one, what the
  ///     gates say is not known then until it is set; with `nil` it is a new area, with nobody in.
  public init(
    _ areas: [AreaDefinition], restored: [String: Sample], damaged: Set<String> = [],
    reason: String? = nil, doubt: String? = nil, sink: any SampleSink, clock: any TimeSource
  ) {
    let start = clock.now()
    state = Monitor(
      State(
        areas: areas.map { area in
          let sample = restored[area.name]
          let reason = sample == nil ? doubt : reason
          return Area(
            area, restored: sample,
            reason: damaged.contains(area.name) ? PastEnding.damaged : reason, at: start)
        }))
    (self.sink, self.clock) = (sink, clock)
    areasOfLine = Self.index(areas) { Set($0.gates.flatMap(\.sensors.lines)) }
    areasOfDevice = Self.index(areas) { Set($0.reported.map(\.device)) }
    change(areas.indices) { _ in }
  }

  private static func index(
    _ areas: [AreaDefinition], by names: (AreaDefinition) -> Set<String>
  ) -> [String: [Int]] {
    var index: [String: [Int]] = [:]
    for (number, area) in areas.enumerated() {
      for name in names(area) { index[name, default: []].append(number) }
    }
    return index
  }

  /// A change of a line.
  public func accept(_ transition: LineTransition) {
    change(areasOfLine[transition.line] ?? []) { $0.take(transition) }
  }

  /// A line can't be read, or can again.
  public func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    change(areasOfLine[name] ?? []) { $0.line(name, changedTo: fault, at: time) }
  }

  /// Nobody reads the lines, or somebody does again.
  public func lines(areStuck: Bool, at time: Timestamp) {
    change(Set(areasOfLine.values.flatMap(\.self)).sorted()) {
      $0.lines(areStuck: areStuck, at: time)
    }
  }

  /// Edges of a line may be missing.
  public func lineIsSuspect(_ name: String, at time: Timestamp) {
    change(areasOfLine[name] ?? []) { $0.suspect(line: name, at: time) }
  }

  /// A sample of any device; those that areas name are looked at.
  public func take(_ sample: Sample) {
    guard let areas = areasOfDevice[sample.device.name] else { return }
    change(areas) { $0.take(sample, at: clock.now()) }
  }

  /// An operator knows how many people are there: what the gates say is `count` from now on.
  /// - Returns: the area as it is then, and the balance that it had just before.
  public func set(
    area: String, to count: Int64, operator: String, reason: String
  ) throws(HeadcountRefusal) -> (state: AreaState, previous: Int64) {
    guard (0...Self.mostPersons).contains(count) else { throw .outOfRange(count) }
    let found = state.withLock { state in
      state.areas.firstIndex { $0.definition.name == area }
        .map { (index: $0, hasGates: !state.areas[$0].gates.isEmpty) }
    }
    guard let found else { throw .noArea(area) }
    guard found.hasGates else { throw .noGates(area) }
    var answer: (state: AreaState, previous: Int64)?
    change([found.index]) { area in
      let now = clock.now()
      let previous = area.balance
      area.set(to: count, operator: `operator`, reason: reason, at: now)
      answer = (area.state(at: now.monotonic), previous)
    }
    guard let answer else { throw .noArea(area) }
    return answer
  }

  /// Emits the samples that are due.
  /// - Returns: when to be called next, in milliseconds of the monotonic clock; `nil`: there are no
  ///   areas.
  public func tick() -> Int64? {
    let all = state.withLock { Array($0.areas.indices) }
    change(all) { $0.tick(at: clock.now()) }
    let now = clock.monotonic
    return state.withLock { state in
      // Meanwhile a line may leave something to be said, which nobody is woken up for.
      state.areas.map(\.wakeTime).min().map { min($0, now + Self.idleMilliseconds) }
    }
  }

  /// Says what changed and still waits for its sample: who goes on from it goes on where this ends.
  public func end() {
    let all = state.withLock { Array($0.areas.indices) }
    change(all) { $0.end(at: clock.now()) }
  }

  /// All areas as they are, in the order of their definitions.
  public var states: [AreaState] {
    let now = clock.monotonic
    return state.withLock { state in state.areas.map { $0.state(at: now) } }
  }

  /// Changes areas, then hands over what they have to say, unless another thread does.
  private func change(_ indices: some Sequence<Int>, _ body: (inout Area) -> Void) {
    let isFirst = state.withLock { state in
      for index in indices {
        body(&state.areas[index])
        state.outbox += state.areas[index].takeOutputs()
      }
      guard !state.isHandingOver, !state.outbox.isEmpty else { return false }
      state.isHandingOver = true
      return true
    }
    guard isFirst else { return }
    while let outputs = nextOutputs() {
      for output in outputs {
        switch output {
        case .sample(let sample): sink.accept(sample)
        case .event(let event): sink.accept(event)
        }
      }
    }
  }

  private func nextOutputs() -> [Area.Output]? {
    state.withLock { state in
      guard !state.outbox.isEmpty else {
        state.isHandingOver = false
        return nil
      }
      defer { state.outbox = [] }
      return state.outbox
    }
  }
}
