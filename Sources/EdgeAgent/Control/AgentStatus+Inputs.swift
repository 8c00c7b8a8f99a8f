internal import Drivers
internal import Telemetry

extension JSONWriter {
  /// Writes the members of a line beside those that every part has.
  mutating func writeMembers(
    of line: LineDefinition, _ statistics: LineStatistics?, newest: Timestamp?, at now: Timestamp
  ) {
    writeAge(of: newest, at: now)
    if let label = line.label { member("label", label) }
    member("address", line.address.words)
    if let place = statistics?.place { member("place", place) }
    key("active")
    if let isActive = statistics?.isActive { bool(isActive) } else { null() }
    key("last-edge")
    if let edge = statistics?.lastEdge {
      int(max(0, now.monotonic - edge.monotonic))
    } else {
      null()
    }
    member("edges", statistics?.edges ?? 0)
    if line.isCount {
      key("count")
      if let total = statistics?.total { value(.uint(total)) } else { null() }
      member("suspects", statistics?.suspects ?? 0)
    }
    if let consumer = statistics?.consumer { member("consumer", consumer) }
  }

  /// Writes the member `age` of a part, by the clock that never steps.
  mutating func writeAge(of newest: Timestamp?, at now: Timestamp) {
    key("age")
    if let newest { int(max(0, now.monotonic - newest.monotonic)) } else { null() }
  }

  /// Writes the members of an area beside those that every part has.
  mutating func writeMembers(of area: AreaState) {
    switch area.count {
    case .good(let count):
      member("quality", "good")
      key("count")
      value(count)
    case .bad(let reason, let raw):
      member("quality", "\(reason)")
      if let raw {
        key("raw")
        value(raw)
      }
    }
    if let quota = area.quota { member("quota", quota) }
    if let balance = area.balance { member("balance", balance) }
    if let reported = area.reported { member("reported", reported) }
    key("gates")
    beginArray()
    for gate in area.gates {
      beginObject()
      member("name", gate.name)
      member("balance", gate.balance)
      endObject()
    }
    endArray()
    member("source-age", area.ageMilliseconds)
    key("lost")
    beginArray()
    for fault in area.faults {
      beginObject()
      member("source", fault.source)
      member("reason", "\(fault.reason)")
      endObject()
    }
    endArray()
  }
}
