internal import Telemetry

/// What a line makes of a change, and what it tells.
extension LineInput {
  /// A count begins, or goes on at what is known from before.
  mutating func beginCount(at total: UInt64?, reason: String?, at start: Timestamp) {
    statistics.total = total ?? 0
    tell(
      LineDetail(
        state: total == nil ? .countBegan : .countResumed, reason: reason, count: total ?? 0),
      PastEnding.isTrusted(reason) ? .info : .warning, at: start)
  }

  /// The line has the change's level, debounced.
  mutating func apply(_ change: LineChange) {
    statistics.isActive = change.isActive
    statistics.lastEdge = change.time
    transition(change)
    if counter?.take(isActive: change.isActive) == true {
      isCountChanged = true
      statistics.total = counter?.total
    }
    pulses?.take(change)
    frequency?.take(change)
    switch chatter?.take(at: change.time.monotonic) {
    case .report: sample(at: change.time)
    case .begin:
      tell(LineDetail(state: .chattering), .warning, at: change.time)
      sample(at: change.time)
    case .suppress, nil: break
    }
  }

  /// Gates get each change of a contact or a count; a frequency tells them nothing.
  mutating func transition(_ change: LineChange) {
    guard frequency == nil else { return }
    outputs.append(
      .transition(
        LineTransition(line: definition.name, isActive: change.isActive, time: change.time)))
  }

  /// Watching begins, or begins again.
  mutating func beginReckoning(isActive: Bool, at time: Timestamp) {
    if chatter != nil { chatter = ChatterLimit() }
    counter?.begin(isActive: isActive)
    pulses?.begin(at: time.monotonic)
    frequency?.begin(at: time.monotonic)
  }

  /// No edge of this wake-up is missing.
  mutating func commit() {
    pulses?.commit()
    frequency?.commit()
  }

  /// Edges of this wake-up may be missing.
  mutating func discard() {
    pulses?.discard()
    frequency?.discard()
  }

  /// Edges may be missing before the next one.
  mutating func interrupt() {
    pulses?.interrupt()
    frequency?.interrupt()
  }

  /// A contact's changes are reported again once they are few.
  mutating func calm(at now: Timestamp) {
    guard chatter?.calm(at: now.monotonic) == true else { return }
    tell(LineDetail(state: .calm), .info, at: now)
    sample(at: now)
  }

  /// Edges may be missing. Of a frequency nobody is told: it leaves out periods that are in doubt.
  mutating func suspect(_ reason: EdgeLoss, lost: UInt64? = nil, at time: Timestamp) {
    statistics.suspects += 1
    guard frequency == nil else { return }
    // A contact's own samples show its level, so only lost changes are news.
    if counter == nil, reason == .equalEdges || reason == .levelDiffers { return }
    losses.note(reason, lost: lost)
    tellLosses(at: time)
  }

  mutating func tellLosses(at now: Timestamp, isEnd: Bool = false) {
    guard let summary = losses.take(at: now.monotonic, isEnd: isEnd) else { return }
    tell(
      LineDetail(
        state: .countSuspect, reason: summary.reason.rawValue, count: statistics.total,
        lost: summary.lost), .warning, at: now)
  }

  mutating func tell(_ detail: LineDetail, _ severity: Severity, at time: Timestamp) {
    outputs.append(
      .event(
        Event(time: time, severity: severity, source: definition.name, detail: .line(detail))))
  }

  /// What waits for its time: a changed count, and losses.
  mutating func flush(at now: Timestamp) {
    tellLosses(at: now)
    guard isCountChanged, state == .well else { return }
    if let countReported, now.monotonic < countReported + Self.countMilliseconds { return }
    sample(at: now)
  }

  /// All points of the line, each with its value or the reason why not. Always newer than the
  /// sample before, by a millisecond at least: an edge may come to be known just behind a reading,
  /// which then still had the level before it.
  mutating func sample(at time: Timestamp) {
    let time = newest.map { $0.monotonic >= time.monotonic ? $0.advanced(by: 1) : time } ?? time
    newest = time
    if counter != nil { (countReported, isCountChanged) = (time.monotonic, false) }
    outputs.append(.sample(Sample(device: schema, time: time, outcomes: outcomes(at: time))))
  }

  private func outcomes(at time: Timestamp) -> [PointOutcome] {
    if let frequency {
      let (value, hertz) =
        missingReason.map { (.bad($0), .bad($0)) } ?? frequency.outcomes(at: time.monotonic)
      return [PointOutcome(point: 0, outcome: value), PointOutcome(point: 1, outcome: hertz)]
    }
    let value = PointOutcome(point: 0, outcome: level)
    guard let counter else { return [value] }
    let count = PointOutcome(point: 1, outcome: known(.uint(counter.total)))
    guard let pulses else { return [value, count] }
    let total = known(pulses.total(of: counter.total))
    let rate = missingReason.map { .bad($0) } ?? pulses.rate(at: time.monotonic)
    return [
      value, count, PointOutcome(point: 2, outcome: total), PointOutcome(point: 3, outcome: rate),
    ]
  }

  /// What was counted stays known while the line is lost, but is not trusted then.
  private func known(_ value: Value) -> Outcome {
    missingReason.map { .bad($0, raw: value) } ?? .good(value)
  }

  /// Why nothing is known of the line; `nil` if something is.
  private var missingReason: BadReason? {
    switch state {
    case .unknown: .notRead
    case .well: nil
    case .failed(let reason): reason
    }
  }

  private var level: Outcome {
    if let reason = missingReason { return .bad(reason) }
    if let chatter, chatter.isChattering { return .bad(.chattering) }
    return statistics.isActive.map { .good(.bool($0)) } ?? .bad(.notRead)
  }
}
