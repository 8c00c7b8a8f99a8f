internal import ConfigurationFile
internal import Telemetry

extension Scenario {
  /// The sections `buses` and `devices` of an agent's configuration that reads this scenario: one
  /// bus a station.
  func agentConfiguration() -> String {
    var lines = ["buses:"]
    for station in stations {
      let timeout = station.timeoutMilliseconds.map {
        ", timeout: " + durationText(milliseconds: $0)
      }
      lines.append("  \(station.name): { \(Self.way(station))\(timeout ?? "") }")
    }
    lines.append("devices:")
    for device in devices {
      lines += [
        "  \(device.name):",
        "    bus: \(stations[device.station].name)",
        "    unit: \(device.unit)",
        "    every: \(durationText(milliseconds: device.everyMilliseconds))",
        "    points:",
      ]
      for (point, notes) in zip(device.points, device.notes) {
        lines.append("      \(point.name): { \(Self.members(point, notes)) }")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func way(_ station: Station) -> String {
    guard let line = station.line else {
      return "tcp: { host: 127.0.0.1, port: \(station.port) }"
    }
    let settings = line.settings
    return "rtu: { port: \(quoted(line.link ?? "")), baud: \(settings.baud), "
      + "parity: \(settings.parity.rawValue), stop-bits: \(settings.stopBits) }"
  }

  private static func members(_ point: SimulatedPoint, _ notes: PointNotes) -> String {
    var members = ["\(point.table.rawValue): \(point.address)"]
    if point.type != .bool { members.append("type: \(point.type.rawValue)") }
    if let text = point.text { members.append("length: \(text.registers)") }
    if point.type.addressCount > 1 || point.order != .abcd {
      members.append("order: \(point.order.rawValue)")
    }
    if let scale = point.scale { members.append("scale: \(scale)") }
    if let states = notes.states {
      let entries = states.sorted { $0.key < $1.key }.map { "\($0.key): \(quoted($0.value))" }
      members.append("enum: { \(entries.joined(separator: ", ")) }")
    }
    // The agent wants a unit for every number that is no state.
    let isNumber = point.type != .bool && point.type != .string && notes.states == nil
    if let unit = notes.unit ?? (isNumber ? .dimensionless : nil) {
      members.append("unit: \(quoted(unit.rawValue))")
    }
    if let range = notes.range {
      members.append("range: [\(range.map(\.description).joined(separator: ", "))]")
    }
    if let location = notes.location { members.append("location: \(quoted(location))") }
    return members.joined(separator: ", ")
  }

  /// A double-quoted YAML scalar: `%CH4` may not stand bare.
  private static func quoted(_ text: String) -> String {
    let escaped = text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
    return "\"" + String(escaped) + "\""
  }
}
