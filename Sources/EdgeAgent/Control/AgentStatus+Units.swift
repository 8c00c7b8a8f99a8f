internal import Drivers
internal import Telemetry

extension JSONWriter {
  /// Writes the members of a bus that tell of its line and of each unit.
  mutating func writeUnits(
    of statistics: ModbusBusStatistics, _ bus: ModbusBusDefinition, at now: Timestamp
  ) {
    key("use")
    if let share = statistics.use.share(at: now.monotonic) {
      double((share * 1000).rounded() / 10)
    } else {
      null()
    }
    key("units")
    beginArray()
    for unit in statistics.units {
      beginObject()
      write(unit, at: now, devices: bus.devices.filter { $0.unit == unit.unit }.map(\.name))
      endObject()
    }
    endArray()
  }

  private mutating func write(_ unit: UnitStatistics, at now: Timestamp, devices: [String]) {
    member("unit", unit.unit)
    key("devices")
    beginArray()
    for device in devices { string(device) }
    endArray()
    member("answers", unit.answers)
    member("timeouts", unit.timeouts)
    member("wrong-checksums", unit.wrongChecksums)
    member("bad-answers", unit.badAnswers)
    key("exceptions")
    beginObject()
    for (code, count) in unit.exceptions { member(code == 0 ? "other" : "\(code)", count) }
    endObject()
    if let half = unit.turnarounds.quantile(0.5), let nearlyAll = unit.turnarounds.quantile(0.99) {
      key("turnaround")
      beginObject()
      member("p50", half)
      member("p99", nearlyAll)
      endObject()
    }
    if let failure = unit.lastFailure {
      key("last-failure")
      beginObject()
      member("reason", "\(failure.reason)")
      // As the clock stands now: it may have been set meanwhile.
      member("time", failure.time.monotonic + now.offset)
      member("age", max(0, now.monotonic - failure.time.monotonic))
      endObject()
    }
    key("back-off")
    guard let rest = unit.rest else { return null() }
    beginObject()
    member("timeouts", rest.timeouts)
    member("again", max(0, rest.end - now.monotonic))
    endObject()
  }
}
