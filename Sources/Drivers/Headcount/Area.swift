internal import Telemetry

/// One area: its gates, its sources and what is to be said of them. Pure; time is given.
struct Area: Sendable {
  /// Something for the sink.
  enum Output: Sendable, Hashable {
    case sample(Sample)
    case event(Event)
  }

  /// So many changes a second are reported at once: a line that flutters is no crowd.
  static let mostChanges = 10
  private static let second: Int64 = 1000
  /// The same thing is told at most so often; what comes in between is told then.
  static let quietMilliseconds: Int64 = 1000

  private struct Notice: Sendable {
    var told: Int64
    var pending: HeadcountDetail?
  }

  let definition: AreaDefinition
  private let schema: DeviceSchema
  private(set) var gates: [Gate]
  /// Never below 0.
  private(set) var balance: Int64 = 0
  private(set) var sources: CountSources
  private var outputs: [Output] = []
  private var notices: [String: Notice] = [:]
  private var nextDue: Int64
  private var isChanged = false
  /// When the newest sample is of.
  private var newest: Timestamp?
  /// The second that changes are reported in, and how many were.
  private var burst: (start: Int64, changes: Int) = (.min / 2, 0)

  /// - Parameters:
  ///   - restored: The newest sample that is known from before.
  ///   - isDamaged: Whether there may have been a newer one that can't be read any more.
  init(
    _ definition: AreaDefinition, restored: Sample?, isDamaged: Bool = false, at start: Timestamp
  ) {
    self.definition = definition
    schema = DeviceSchema(name: definition.name, points: definition.points.map(\.name))
    sources = CountSources(definition, at: start.monotonic)
    nextDue = start.monotonic
    gates = definition.gates.map { gate in
      Gate(gate, balance: restored.flatMap { Self.number(gate.name, in: $0) } ?? 0)
    }
    guard !gates.isEmpty else { return }
    let known = restored.flatMap { Self.number(AreaPoint.balance, in: $0) }
    balance = max(0, known ?? 0)
    tell(
      HeadcountDetail(
        state: known == nil ? .began : .resumed, count: balance,
        reason: isDamaged ? "damaged" : nil), isDamaged ? .warning : .info, at: start)
  }

  /// A point's value, trusted or not.
  private static func number(_ point: String, in sample: Sample) -> Int64? {
    guard let index = sample.device.points.firstIndex(of: point),
      let outcome = sample.outcomes.first(where: { $0.point == index })?.outcome
    else { return nil }
    let value: Value? =
      switch outcome {
      case .good(let value): value
      case .bad(_, let raw): raw
      }
    switch value {
    case .int(let number): return number
    case .uint(let number): return Int64(exactly: number)
    default: return nil
    }
  }

  /// A change of a line.
  mutating func take(_ transition: LineTransition) {
    for index in gates.indices where uses(index, transition.line) {
      let verdict = gates[index].take(line: transition.line, isActive: transition.isActive)
      count(verdict, at: index, transition.time)
    }
    report(at: transition.time)
  }

  /// A line can't be read, or can again: its gates begin anew.
  mutating func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    for index in gates.indices where uses(index, name) { gates[index].forget(line: name) }
    sources.line(name, changedTo: fault, at: time.monotonic)
    watch(at: time)
    report(at: time)
  }

  /// Edges of a line may be missing.
  mutating func suspect(line: String, at time: Timestamp) {
    for index in gates.indices where uses(index, line) {
      let verdict = gates[index].suspect()
      count(verdict, at: index, time)
    }
  }

  /// A sample of a device, at `now`.
  mutating func take(_ sample: Sample, at now: Timestamp) {
    let before = sources.reported
    guard sources.take(sample) else { return }
    if sources.reported != before { isChanged = true }
    watch(at: now)
    report(at: now)
  }

  /// An operator says how many people are there.
  mutating func set(to count: Int64, operator name: String, reason: String, at now: Timestamp) {
    let previous = balance
    balance = count
    for index in gates.indices { gates[index].balance = 0 }
    tell(
      HeadcountDetail(
        state: .set, count: count, previous: previous, operator: name, reason: reason), .info,
      at: now)
    sample(at: now)
  }

  /// Says what is due.
  mutating func tick(at now: Timestamp) {
    watch(at: now)
    for (key, notice) in notices where now.monotonic >= notice.told + Self.quietMilliseconds {
      notices[key] = nil
      if let pending = notice.pending { warn(pending, at: now) }
    }
    if now.monotonic >= nextDue {
      let every = max(1, definition.everyMilliseconds)
      nextDue += ((now.monotonic - nextDue) / every + 1) * every
      sample(at: now)
    }
    report(at: now)
  }

  /// Says what waits to be said.
  mutating func end(at now: Timestamp) {
    if isChanged { sample(at: now) }
  }

  /// When `tick` is to be called, in milliseconds of the monotonic clock.
  var wakeTime: Int64 {
    var time = min(nextDue, sources.deadline ?? .max)
    if isChanged { time = min(time, burst.start + Self.second) }
    for notice in notices.values where notice.pending != nil {
      time = min(time, notice.told + Self.quietMilliseconds)
    }
    return time
  }

  mutating func takeOutputs() -> [Output] {
    defer { outputs.removeAll(keepingCapacity: true) }
    return outputs
  }

  private func uses(_ gate: Int, _ line: String) -> Bool {
    gates[gate].definition.sensors.lines.contains(line)
  }

  private mutating func count(_ verdict: GateVerdict, at index: Int, _ time: Timestamp) {
    let name = gates[index].definition.name
    if verdict.passed != 0 {
      isChanged = true
      balance += verdict.passed
      if balance < 0 {
        balance = 0
        warn(HeadcountDetail(state: .belowZero, count: balance, gate: name), at: time)
      }
    }
    if let doubt = verdict.doubt {
      warn(
        HeadcountDetail(
          state: .gateSuspect, count: balance, gate: name, reason: doubt.rawValue), at: time)
    }
  }

  private mutating func watch(at time: Timestamp) {
    let changes = sources.changes(at: time.monotonic)
    for source in changes.lost {
      tell(
        HeadcountDetail(
          state: .sourceLost, count: number, lostSource: source.source,
          reason: "\(source.reason)"), .warning, at: time)
    }
    if changes.isBack {
      tell(HeadcountDetail(state: .sourceBack, count: number), .info, at: time)
    }
    if changes.isChanged { isChanged = true }
  }

  /// Tells what could come often, at most once in a while.
  private mutating func warn(_ detail: HeadcountDetail, at time: Timestamp) {
    let key = "\(detail.state) \(detail.gate ?? "")"
    if let notice = notices[key], time.monotonic < notice.told + Self.quietMilliseconds {
      notices[key]?.pending = detail
      return
    }
    notices[key] = Notice(told: time.monotonic)
    tell(detail, .warning, at: time)
  }

  private mutating func tell(_ detail: HeadcountDetail, _ severity: Severity, at time: Timestamp) {
    outputs.append(
      .event(
        Event(
          time: time, severity: severity, source: definition.name, detail: .headcount(detail))))
  }

  private mutating func report(at time: Timestamp) {
    guard isChanged else { return }
    if time.monotonic - burst.start >= Self.second { burst = (time.monotonic, 0) }
    guard burst.changes < Self.mostChanges else { return }
    burst.changes += 1
    sample(at: time)
  }

  /// Never older than the sample before: a change may come to be known just behind one.
  private mutating func sample(at time: Timestamp) {
    let time = newest.map { $0.monotonic > time.monotonic ? $0 : time } ?? time
    newest = time
    isChanged = false
    outputs.append(.sample(Sample(device: schema, time: time, outcomes: outcomes(at: time))))
  }
}

/// What an area's points are.
extension Area {
  /// The count as far as it is known; `nil` while nothing is.
  private var number: Int64? {
    guard !gates.isEmpty else { return sources.reported }
    return max(balance, sources.reported ?? 0)
  }

  /// Bad while any source is lost, and then with what was known as raw: never 0 for not knowing.
  func count(at now: Int64) -> Outcome {
    let lines = sources.fault(ofLines: definition.gates.flatMap(\.sensors.lines), at: now)
    return outcome(number, unless: lines ?? sources.fault(ofLines: nil, at: now))
  }

  private func outcome(_ number: Int64?, unless fault: BadReason?) -> Outcome {
    guard let fault else { return number.map { .good(.int($0)) } ?? .bad(.notRead) }
    return .bad(fault, raw: number.map { .int($0) })
  }

  private func outcomes(at time: Timestamp) -> [PointOutcome] {
    let now = time.monotonic
    var all = [count(at: now)]
    if let quota = definition.quota { all.append(.good(.int(quota))) }
    all.append(.good(.decimal(mantissa: sources.age(at: now) / 100, decimals: 1)))
    if !gates.isEmpty {
      let lines = definition.gates.flatMap(\.sensors.lines)
      all.append(outcome(balance, unless: sources.fault(ofLines: lines, at: now)))
      for gate in gates {
        let fault = sources.fault(ofLines: gate.definition.sensors.lines, at: now)
        all.append(outcome(gate.balance, unless: fault))
      }
    }
    if !definition.reported.isEmpty {
      all.append(outcome(sources.reported, unless: sources.fault(ofLines: nil, at: now)))
    }
    return all.enumerated().map { PointOutcome(point: $0.offset, outcome: $0.element) }
  }

  /// The area as it is.
  func state(at now: Int64) -> AreaState {
    AreaState(
      name: definition.name, count: count(at: now), balance: gates.isEmpty ? nil : balance,
      gates: gates.map { .init(name: $0.definition.name, balance: $0.balance) },
      reported: sources.reported, quota: definition.quota, ageMilliseconds: sources.age(at: now),
      faults: sources.all.compactMap { source in
        sources.fault(of: source, at: now).map { .init(source: source.name, reason: $0) }
      })
  }
}
