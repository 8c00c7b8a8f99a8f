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
  /// Whether who was there when the gates began to count is known to nobody, until it is set.
  private var isUnknown = false
  private var outputs: [Output] = []
  private var notices: [String: Notice] = [:]
  private var nextDue: Int64
  private var isChanged = false
  /// When the newest sample is of.
  private var newest: Timestamp?
  /// The second that changes are reported in, and how many were.
  private var burst: (start: Int64, changes: Int) = (.min / 2, 0)

  /// - Parameters:
  ///   - restored: the newest sample that is known from before.
  ///   - reason: how the time before ended; without a sample: why there may have been one.
  init(_ definition: AreaDefinition, restored: Sample?, reason: String?, at start: Timestamp) {
    self.definition = definition
    schema = DeviceSchema(name: definition.name, points: definition.points.map(\.name))
    sources = CountSources(definition, at: start.monotonic)
    nextDue = start.monotonic
    gates = definition.gates.map { gate in
      let past = restored.flatMap { Self.outcome(of: gate.name, in: $0) }
      return Gate(gate, balance: past.flatMap(Self.number) ?? 0)
    }
    guard !gates.isEmpty else { return }
    let past = restored.flatMap { Self.outcome(of: AreaPoint.balance, in: $0) }
    let known = past.flatMap(Self.number)
    balance = max(0, known ?? 0)
    // An area that had no gates began without people; what was not known before still is not.
    let isDamaged = reason == PastEnding.damaged
    let doubt =
      restored == nil || (past == nil && isDamaged)
      ? reason : past == nil ? nil : "\(BadReason.notRead)"
    isUnknown = known == nil && doubt != nil
    tell(
      HeadcountDetail(
        state: known == nil ? .began : .resumed, count: isUnknown ? nil : balance,
        reason: known == nil ? doubt : reason),
      PastEnding.isTrusted(known == nil ? doubt : reason) ? .info : .warning, at: start)
  }

  /// A point of a sample that an area of that name wrote, and no other device.
  private static func outcome(of point: String, in sample: Sample) -> Outcome? {
    guard sample.device.points.first == AreaPoint.count,
      let index = sample.device.points.firstIndex(of: point)
    else { return nil }
    return sample.outcomes.first { $0.point == index }?.outcome
  }

  /// A point's value, trusted or not.
  private static func number(in outcome: Outcome) -> Int64? {
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

  /// The lines' loop is stuck, or turns again: what its gates know stays, for the edges that came
  /// meanwhile.
  mutating func lines(areStuck: Bool, at time: Timestamp) {
    sources.lines(areStuck: areStuck, at: time.monotonic)
    watch(at: time)
    report(at: time)
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
    let previous = isUnknown ? nil : balance
    balance = count
    isUnknown = false
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
    let fault = lines ?? sources.fault(ofLines: nil, at: now)
    return outcome(number, unless: fault ?? (isUnknown ? .notRead : nil))
  }

  /// What gates counted. Without a number where it is not known, so that no start takes it for one.
  private func counted(_ number: Int64, unless fault: BadReason?) -> Outcome {
    isUnknown ? .bad(fault ?? .notRead) : outcome(number, unless: fault)
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
      all.append(counted(balance, unless: sources.fault(ofLines: lines, at: now)))
      for gate in gates {
        let fault = sources.fault(ofLines: gate.definition.sensors.lines, at: now)
        all.append(counted(gate.balance, unless: fault))
      }
    }
    if !definition.reported.isEmpty {
      all.append(outcome(sources.reported, unless: sources.fault(ofLines: nil, at: now)))
    }
    return all.enumerated().map { PointOutcome(point: $0.offset, outcome: $0.element) }
  }

  /// The area as it is.
  func state(at now: Int64) -> AreaState {
    let balanceFaults =
      isUnknown ? [AreaState.Fault(source: AreaPoint.balance, reason: .notRead)] : []
    return AreaState(
      name: definition.name, count: count(at: now), balance: gates.isEmpty ? nil : balance,
      gates: gates.map { .init(name: $0.definition.name, balance: $0.balance) },
      reported: sources.reported, quota: definition.quota, ageMilliseconds: sources.age(at: now),
      faults: sources.all.compactMap { source in
        sources.fault(of: source, at: now).map { .init(source: source.name, reason: $0) }
      } + balanceFaults)
  }
}
