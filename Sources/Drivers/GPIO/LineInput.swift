internal import Telemetry

/// What becomes of one line's edges and readings: samples, events and transitions. Pure: who owns
/// the line's descriptor tells it what happened, in the order of time, and takes the outputs.
struct LineInput: Sendable {
  /// How long a level may differ from what the last edge said before an edge is taken for lost:
  /// one that came while the level was read is there long before.
  static let confirmationMilliseconds: Int64 = 20
  /// A count that changes is reported at once, but no more often.
  static let countMilliseconds: Int64 = 1000

  /// Why there is no value.
  enum State: Sendable, Hashable {
    /// Not requested yet.
    case unknown
    case well
    case failed(BadReason)
  }

  let definition: LineDefinition
  let schema: DeviceSchema
  /// What is known; who requests the line adds `consumer` and `place`.
  var statistics = LineStatistics()

  var state = State.unknown
  /// What is made of the edges, by the purpose: of a contact the first, of a count the second
  /// and of a meter also the third, of a frequency the last.
  var chatter: ChatterLimit?
  var counter: EdgeCounter?
  var pulses: PulseTotal?
  var frequency: FrequencyInput?
  var outputs: [LineOutput] = []
  var losses: EdgeLossReport
  /// Of a count: when it was last reported, and whether it changed since.
  var countReported: Int64?
  var isCountChanged = false

  /// When the newest sample is of.
  var newest: Timestamp?

  private var debounce: Debounce
  private var sequence = EdgeSequence()
  /// The level before debounce, and since when.
  private var raw: LineChange?
  private var opened: Timestamp?
  /// Since when the level that is read differs from `raw` without an edge that says why.
  private var differsSince: Int64?

  /// - Parameters:
  ///   - total: of a count: what it was when it ended; `nil` if none is known.
  ///   - totalReason: how it ended, for the event that says so; without a total: why there may
  ///     have been one.
  init(
    _ definition: LineDefinition, total: UInt64? = nil, totalReason: String? = nil,
    at start: Timestamp
  ) {
    self.definition = definition
    schema = DeviceSchema(name: definition.name, points: definition.points.map(\.name))
    debounce = Debounce(milliseconds: definition.debounceMilliseconds)
    losses = EdgeLossReport(isOfGate: definition.needsEdges)
    let points = definition.points
    switch definition.purpose {
    case .level: chatter = ChatterLimit()
    case .count(let edges, let meter):
      counter = EdgeCounter(edges, total: total ?? 0)
      pulses = meter.map { meter in
        PulseTotal(
          meter, edges: edges,
          decimals: points.first { $0.name == LinePoint.rate }?.decimals, at: start.monotonic)
      }
      beginCount(at: total, reason: totalReason, at: start)
    case .frequency(let scale):
      frequency = FrequencyInput(scale, points: points, at: start.monotonic)
    }
  }

  /// The line was requested, for both edges, and then read. Edges that came in between may be taken
  /// afterwards.
  /// - Parameter lack: What it can't do though it can be read, in words.
  mutating func open(
    isActive: Bool, isDebouncedByKernel: Bool, lack: String? = nil, at time: Timestamp
  ) {
    let change = LineChange(isActive: isActive, time: time)
    debounce = Debounce(
      milliseconds: isDebouncedByKernel ? 0 : definition.debounceMilliseconds)
    debounce.begin(isActive: isActive)
    sequence = EdgeSequence()
    (raw, opened, differsSince) = (change, time, nil)
    beginReckoning(isActive: isActive, at: time)
    statistics.isActive = isActive
    let hadFault = statistics.fault != nil
    statistics.fault = lack
    state = .well
    outputs.append(.fault(nil))
    if hadFault {
      tell(LineDetail(state: .recovered, count: statistics.total), .info, at: time)
    }
    transition(change)
    sample(at: time)
    guard let lack else { return }
    tell(LineDetail(state: .failed, reason: lack, count: statistics.total), .warning, at: time)
  }

  /// The line can't be requested or read.
  mutating func fail(_ reason: BadReason, text: String, at time: Timestamp) {
    settleDebounce(at: time)
    leave(at: time)
    // The reason first, for programs; people read on.
    let words = "\(reason): \(text)"
    let isOtherReason = state != .failed(reason)
    let isNews = isOtherReason || statistics.fault != words
    statistics.isActive = nil
    statistics.fault = words
    raw = nil
    debounce = Debounce(milliseconds: 0)
    if isOtherReason {
      state = .failed(reason)
      if chatter != nil { chatter = ChatterLimit() }
      outputs.append(.fault(reason))
    }
    // Who holds it now, or what the machine has now, is told though its samples stay the same.
    if isNews {
      tell(LineDetail(state: .failed, reason: words, count: statistics.total), .warning, at: time)
    }
    if isOtherReason { sample(at: time) }
  }

  /// An edge that was read, with its stamp as the agent's time.
  mutating func take(_ edge: LineEdge, at time: Timestamp) {
    guard state == .well, let before = raw, let opened else { return }
    statistics.edges += 1
    differsSince = nil
    if let number = edge.sequence {
      let lost = sequence.lost(before: number)
      if lost > 0 {
        suspect(.sequenceGap, lost: lost, at: time)
        interrupt()
      }
    }
    let change = LineChange(isActive: edge.isRising, time: time, nanoseconds: edge.nanoseconds)
    raw = change
    let isEqual = change.isActive == before.isActive
    if isEqual {
      // What came while the line was opened is in the level that was read then.
      guard time.monotonic > opened.monotonic else { return }
      interrupt()
    }
    if let held = debounce.take(change) { apply(held) }
    // A pulse between them that the debounce takes out anyway is no loss.
    guard isEqual, !debounce.isShort(from: before, to: change) else { return }
    suspect(.equalEdges, at: time)
    // Gates learn of it by a transition to the level that they know already.
    if debounce.milliseconds > 0 { transition(change) }
  }

  /// All edges of one wake-up were taken; `isActive` is the line as read behind them, if it was.
  mutating func drained(isQueueFull: Bool, isActive: Bool?, at now: Timestamp) {
    guard state == .well else { return }
    if isQueueFull {
      suspect(.queueFull, at: now)
      discard()
    } else {
      commit()
    }
    look(isActive, at: now)
    flush(at: now)
  }

  /// A sample is due. Edges that are there already are to be taken before. Without a reading the
  /// level is what the edges say.
  mutating func due(isActive: Bool?, scheduled: Timestamp, at now: Timestamp) {
    guard state == .well else { return sample(at: scheduled) }
    look(isActive, at: now)
    settleDebounce(at: now)
    calm(at: now)
    sample(at: now)
    flush(at: now)
  }

  /// `wakeTime` has come. Edges that are there already are to be taken before.
  mutating func settle(isActive: Bool?, at now: Timestamp) {
    guard state == .well else { return flush(at: now) }
    look(isActive, at: now)
    settleDebounce(at: now)
    commit()
    calm(at: now)
    flush(at: now)
  }

  /// The line is not watched any more: the last sample of a count.
  mutating func end(at now: Timestamp) {
    if state == .well { settleDebounce(at: now) }
    leave(at: now)
    tellLosses(at: now, isEnd: true)
    if counter != nil { sample(at: now) }
  }

  /// When `settle` is to be called, in milliseconds of the monotonic clock; `nil`: not by itself.
  var wakeTime: Int64? {
    var times = [losses.wakeTime]
    if state == .well {
      times.append(debounce.wakeTime)
      times.append(differsSince.map { $0 + Self.confirmationMilliseconds })
      times.append(chatter?.wakeTime)
      if isCountChanged { times.append((countReported ?? 0) + Self.countMilliseconds) }
    }
    return times.compactMap { $0 }.min()
  }

  /// What there is to hand over since the last time. Who takes those of several lines at once sorts
  /// the transitions by time before it hands them over.
  mutating func takeOutputs() -> [LineOutput] {
    guard !outputs.isEmpty else { return [] }
    defer { outputs = [] }
    return outputs
  }

  private mutating func settleDebounce(at now: Timestamp) {
    if let held = debounce.settle(at: now) { apply(held) }
  }

  /// Nobody will see any more whether an edge comes that explains the level.
  private mutating func leave(at now: Timestamp) {
    if differsSince != nil { suspect(.levelDiffers, at: now) }
    differsSince = nil
  }

  /// Compares the level that was read with what the edges say. If they differ twice without an edge
  /// in between, one was lost; that there was one is certain, so it is a change like others.
  private mutating func look(_ isActive: Bool?, at now: Timestamp) {
    guard let isActive, let known = raw, isActive != known.isActive else {
      differsSince = nil
      return
    }
    guard let since = differsSince else {
      differsSince = now.monotonic
      return
    }
    guard now.monotonic - since >= Self.confirmationMilliseconds else { return }
    differsSince = nil
    let change = LineChange(isActive: isActive, time: now)
    raw = change
    interrupt()
    if let held = debounce.take(change) { apply(held) }
    suspect(.levelDiffers, at: now)
  }
}
