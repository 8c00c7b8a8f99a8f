import Telemetry

extension TruthReport {
  /// Compares what was delivered with what was served. `stretches` account for values that are
  /// missing, and so do the `rules` by which points are reported, and readings that say `timeout`,
  /// of which `givenUp` has the times.
  init(
    truth: Truth, delivered: [DevicePoint: [DeliveredValue]], stretches: [MissingStretch],
    rules: [DevicePoint: ReportRule] = [:], givenUp: [DevicePoint: [Int64]] = [:]
  ) {
    faults = truth.faults
    malformedLineCount = truth.malformedCount
    malformedLines = truth.malformed
    unchecked = Set(delivered.keys.map(\.device)).subtracting(truth.devices).sorted()

    let points = Set(truth.values.keys).union(delivered.keys)
      .filter { truth.devices.contains($0.device) }.sorted()
    for point in points {
      let values = truth.values[point] ?? []
      let matching = ValueMatching(served: values, delivered: delivered[point] ?? [])
      let reports = rules[point].map { ReportedValues($0, delivered[point] ?? []) }
      late += values.count { $0.isLate }
      add(matching, of: point, stretches, reports, GivenUpReadings(givenUp[point] ?? []))
    }
  }

  private mutating func add(
    _ matching: ValueMatching, of point: DevicePoint, _ stretches: [MissingStretch],
    _ reports: ReportedValues?, _ timeouts: GivenUpReadings
  ) {
    var timeouts = timeouts
    served += matching.matched + matching.missing.count
    delivered += matching.matched
    lateDelivered += matching.matchedLate
    for value in matching.missing {
      if let stretch = stretches.first(where: { $0.accountsFor(value) }) {
        explained[stretch.explanation, default: 0] += 1
        continue
      }
      if let reports, reports.leavesOut(value) {
        unreported += 1
        continue
      }
      if timeouts.explains(value) {
        served -= 1
        givenUp += 1
        continue
      }
      lostCount += 1
      if lost.count < Self.listLimit { lost.append(Missing(point: point, value: value)) }
    }
    inventedCount += matching.invented.count
    invented += matching.invented.prefix(Self.listLimit - invented.count).map {
      Invented(point: point, value: $0)
    }
  }
}

extension MissingStretch {
  /// Whether the value may be one that the gap speaks of. The agent's time of a value is the
  /// usual delay later than the simulator's at most, and hardly earlier.
  fileprivate func accountsFor(_ value: ServedValue) -> Bool {
    let from = time.lowerBound.subtractingReportingOverflow(ValueMatching.usual)
    let to = time.upperBound.addingReportingOverflow(ValueMatching.earliest)
    return value.time >= (from.overflow ? .min : from.partialValue)
      && value.time <= (to.overflow ? .max : to.partialValue)
  }
}
