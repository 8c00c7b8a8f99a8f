internal import Telemetry

/// All that is known of how the parts are doing, and what is seen of that. Pure.
struct HealthState {
  struct PartKey: Hashable {
    var kind: HealthReport.Part.Kind
    var name: String
  }

  /// In the configuration's order.
  var parts: [HealthReport.Part] = []
  /// Index into `parts`.
  var places: [PartKey: Int] = [:]
  /// Of configured devices only.
  var devices: [String: DeviceCondition] = [:]
  var busOfDevice: [String: String] = [:]
  /// Of configured lines and areas only.
  var inputs: [String: InputCondition] = [:]
  var readings = NewestReadings()
  var storeFault: String?
  /// Unix milliseconds since when `storeFault` (or its absence) has held.
  var storeSince: Int64
  /// Since when (wall time) a bus's loop does not turn. What was known of it before stands beside
  /// and holds again when it turns: a loop that is stuck can't tell.
  var stuckBuses: [String: Int64] = [:]
  /// Since when (wall time) the loop that reads the lines does not turn.
  var linesStuckSince: Int64?
  /// Since when (wall time) the store's loop does not turn.
  var storeStuckSince: Int64?
  /// What wall and monotonic time differed by when it was last looked at.
  private var offset: Int64
  /// Told when something changed.
  var listener: (@Sendable () -> Void)?

  init(at now: Timestamp) {
    storeSince = now.wall
    offset = now.offset
  }

  /// Follows the wall clock: what is known since when has lasted as long as before when the clock
  /// is set, by 56 years where it began in 1970.
  mutating func follow(_ now: Timestamp) {
    let step = now.offset - offset
    // What a clock drifts that is kept in step is left to add up.
    guard step.magnitude > Self.largestDriftMilliseconds else { return }
    offset = now.offset
    for place in parts.indices { parts[place].since += step }
    storeSince += step
    storeStuckSince = storeStuckSince.map { $0 + step }
    linesStuckSince = linesStuckSince.map { $0 + step }
    stuckBuses = stuckBuses.mapValues { $0 + step }
  }

  private static let largestDriftMilliseconds: UInt64 = 1000

  /// The parts, buses with what is known of them besides what they told: what their devices say
  /// of them, and that they are stuck.
  var partsAsSeen: [HealthReport.Part] {
    let tallies = tallies
    return parts.map { part in
      var part = part
      if part.kind == .line, let since = linesStuckSince {
        part.fault = StuckFault.lines
        part.since = since
      }
      guard part.kind == .bus else { return part }
      let tally = tallies[part.name] ?? BusTally()
      part.newestValue = tally.newestValue
      if let since = stuckBuses[part.name] {
        part.fault = StuckFault.bus
        part.since = since
      } else if part.fault == nil || part.fault == DeviceCondition.starting,
        let silence = tally.silence
      {
        part.fault = silence.fault
        part.since = silence.since
      }
      return part
    }
  }

  /// By the bus's name.
  private var tallies: [String: BusTally] {
    var tallies: [String: BusTally] = [:]
    for part in parts where part.kind == .device {
      guard let bus = busOfDevice[part.name] else { continue }
      tallies[bus, default: BusTally()].take(part)
    }
    return tallies
  }

  /// Buses that have a connection, whether or not anything answers on it.
  var connectedBuses: Set<String> {
    let connected = parts.filter {
      $0.kind == .bus && $0.fault == nil && stuckBuses[$0.name] == nil
    }
    return Set(connected.map(\.name))
  }

  mutating func setFault(
    ofDeviceAt place: Int, to fault: String?, keepsSince: Bool, at now: Int64
  ) {
    let bus = busOfDevice[parts[place].name]
    let wasSilent = bus.flatMap { tallies[$0]?.silence } != nil
    parts[place].fault = fault
    if !keepsSince { parts[place].since = now }
    // A bus's health begins where its silence ends.
    guard wasSilent, let bus, tallies[bus]?.silence == nil,
      let place = places[PartKey(kind: .bus, name: bus)], parts[place].fault == nil
    else { return }
    parts[place].since = now
  }

  func isBusOpen(of device: String) -> Bool {
    guard let bus = busOfDevice[device], let place = places[PartKey(kind: .bus, name: bus)] else {
      return false
    }
    return parts[place].fault == nil
  }

  /// When the store's fault, or its health, began.
  var storeSinceAsSeen: Int64 { storeStuckSince ?? storeSince }

  mutating func report(at now: Timestamp) -> HealthReport {
    follow(now)
    return HealthReport(
      time: now, parts: partsAsSeen,
      storeFault: storeStuckSince == nil ? storeFault : StuckFault.store)
  }
}

/// Faults of loops that do not turn; the words are those of docs/payloads.md.
enum StuckFault {
  static let bus = "bus-stuck"
  static let store = "store-stuck"
  static let lines = "lines-stuck"
}
