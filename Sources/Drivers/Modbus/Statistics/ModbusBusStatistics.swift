internal import Telemetry

/// What a bus counted since it began, as a whole and by unit. Bounded by the bus's units.
public struct ModbusBusStatistics: Sendable, Hashable {
  /// The bus's own counts.
  public internal(set) var counters = ModbusBusCounters()
  /// Each unit that has a device, ascending.
  public private(set) var units: [UnitStatistics]
  /// How much of its time it spends in transactions.
  public private(set) var use: BusUse

  // Index into `units` by number: looked up for each request.
  private let places: [UInt8: Int]

  /// Begins at `start`, in monotonic milliseconds.
  init(_ definition: ModbusBusDefinition, start: Int64) {
    let numbers = Set(definition.devices.map(\.unit)).sorted()
    units = numbers.map(UnitStatistics.init(unit:))
    places = Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($1, $0) })
    use = BusUse(start: start)
  }

  /// A question of the schedule ended at `now`.
  mutating func record(
    _ result: Result<ReadAnswer, TransactionError>, of unit: UInt8, _ times: TransactionTimes,
    rest: UnitStatistics.Rest?, at now: Timestamp
  ) {
    counters.record(result)
    use.record(microseconds: times.microseconds, until: now.monotonic)
    guard let place = places[unit] else { return }
    units[place].record(result, turnaround: times.turnaround, at: now)
    // Nearly always there is nothing to change.
    if units[place].rest != rest { units[place].rest = rest }
  }

  /// A question of somebody else's ended at `now`.
  mutating func recordVisit(_ times: TransactionTimes, at now: Timestamp) {
    use.record(microseconds: times.microseconds, until: now.monotonic)
  }
}

/// What a transaction took.
struct TransactionTimes: Sendable, Hashable {
  /// All of it, in microseconds.
  var microseconds: Int64
  /// From the end of the request to the answer; `nil` without one.
  var turnaround: Int64?
}

extension ModbusBusCounters {
  fileprivate mutating func record(_ result: Result<ReadAnswer, TransactionError>) {
    requests += 1
    switch result {
    case .failure(.timeout): timeouts += 1
    case .failure(.badAnswer): badAnswers += 1
    case .failure(.wrongChecksum), .failure(.noise): wrongChecksums += 1
    case .success, .failure(.closed), .failure(.closedBefore), .failure(.staleConnection): break
    }
  }
}

extension Duration {
  /// Rounded down.
  var microseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }
}
