internal import Telemetry

/// Dates and collects what a bus tells of its devices. The samples of a point leave it in the order
/// of their times, each later than the one before.
struct BusReports {
  typealias Report = ModbusBusStateMachine.Report

  private struct Device {
    let schema: DeviceSchema
    let decoders: [RegisterDecoder]
    /// The time of each point's last sample, in monotonic milliseconds.
    var newest: [Int64]
    var watch = DeviceWatch()
  }

  private let definitions: [ModbusDevice]
  private var devices: [Device]
  private var reports: [Report] = []

  init(_ definitions: [ModbusDevice]) {
    self.definitions = definitions
    devices = definitions.map { device in
      Device(
        schema: DeviceSchema(name: device.name, points: device.points.map(\.description.name)),
        decoders: device.points.map(RegisterDecoder.init),
        newest: [Int64](repeating: .min, count: device.points.count))
    }
  }

  /// Hands over what was reported since the last call.
  mutating func take() -> [Report] {
    defer { reports.removeAll(keepingCapacity: true) }
    return reports
  }

  /// The answer to `request` came at `now`.
  mutating func addValues(
    _ words: [UInt16], to request: PlannedRequest, of index: Int, at now: Timestamp
  ) {
    // Not the device: a second reference to its times would have them copied when they change.
    let decoders = devices[index].decoders
    let outcomes = request.points.map { point in
      let definition = definitions[index].points[point]
      let start = Int(definition.address) - Int(request.address)
      let words = words[start..<start + definition.type.addressCount]
      return PointOutcome(point: point, outcome: decoders[point].outcome(of: words))
    }
    add(outcomes, of: index, time: now)
    if let change = devices[index].watch.recordValues() {
      addEvent(.device(change), from: devices[index].schema.name, .info, at: now)
    }
  }

  /// A request that was due at `due` (monotonic milliseconds) failed at `now`.
  /// - Parameter time: What its sample is to bear.
  mutating func addFailure(
    _ reason: BadReason, of request: PlannedRequest, of index: Int, dueAt due: Int64,
    time: Timestamp, at now: Timestamp
  ) {
    addBad(reason, of: request, of: index, time: time)
    if let change = devices[index].watch.recordFailure(dueAt: due, reason: reason) {
      addEvent(.device(change), from: devices[index].schema.name, .warning, at: now)
    }
  }

  /// Cycles of a request passed without being asked.
  /// - Parameter reason: Why the cycle that was due at a monotonic time was not.
  mutating func addMissed(
    _ missed: MissedCycles, of request: PlannedRequest, of index: Int, at now: Timestamp,
    reason: (Int64) -> BadReason
  ) {
    let limit = ModbusBusStateMachine.reportedMissedCycles(every: missed.every)
    let (older, newest) = missed.split(newest: limit)
    if let last = older.last {
      let span = GapSpan.time(from: now.moved(to: older.first).wall, to: now.moved(to: last).wall)
      let gap = GapDetail(stream: .data, span: span, count: older.count, reason: .notRead)
      addEvent(.gap(gap), from: devices[index].schema.name, .warning, at: now)
    }
    for time in newest.times {
      addBad(reason(time), of: request, of: index, time: now.moved(to: time))
    }
  }

  mutating func addEvent(
    _ detail: EventDetail, from source: String, _ severity: Severity, at now: Timestamp
  ) {
    reports.append(
      .event(Event(time: now, severity: severity, source: source, detail: detail)))
  }

  private mutating func addBad(
    _ reason: BadReason, of request: PlannedRequest, of index: Int, time: Timestamp
  ) {
    add(
      request.points.map { PointOutcome(point: $0, outcome: .bad(reason)) }, of: index, time: time)
  }

  private mutating func add(_ outcomes: [PointOutcome], of index: Int, time: Timestamp) {
    let newest = outcomes.reduce(.min) { max($0, devices[index].newest[$1.point]) }
    // A cycle may be due before the answer to the one before it came, and fail then. Its due time
    // would lie before a value that receivers have.
    let time = time.monotonic > newest ? time : time.moved(to: newest + 1)
    for outcome in outcomes { devices[index].newest[outcome.point] = time.monotonic }
    reports.append(
      .sample(Sample(device: devices[index].schema, time: time, outcomes: outcomes)))
  }
}

extension Timestamp {
  /// The same belief of the wall clock at another monotonic time.
  func moved(to time: Int64) -> Timestamp { advanced(by: time - monotonic) }
}
