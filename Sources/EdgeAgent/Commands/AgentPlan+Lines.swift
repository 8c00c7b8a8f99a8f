internal import Drivers
internal import Telemetry

// What a plan says of GPIO inputs, and of areas whose people are counted.

extension AgentPlan {
  /// Lines for a terminal.
  func lines(of line: LineDefinition) -> [String] {
    var words = [Self.place(of: line)]
    if line.isActiveLow { words.append("active low") }
    if line.bias != .asIs { words.append(line.bias == .none ? "no pull" : line.bias.rawValue) }
    if line.debounceMilliseconds > 0 {
      words.append("debounce \(Self.duration(line.debounceMilliseconds))")
    }
    words += Self.words(of: line)
    words.append("every \(Self.duration(line.everyMilliseconds))")
    let points = line.points.map(\.name).joined(separator: ", ")
    let found = findings.places[line.name].map { ["  found: \($0)"] } ?? []
    let problem = findings.warnings[line.name].map { [$0] } ?? []
    return ["line \(line.name): \(words.joined(separator: ", ")) → \(points)"] + found
      + (warnings(of: line) + problem).map { "  WARNING: \($0)" }
  }

  /// What is to be said of a line whatever the machine has.
  private func warnings(of line: LineDefinition) -> [String] {
    guard line.address.isNumbered else { return [] }
    return [
      "the kernel may give the chip's number to another one: its label, or the line's name, stays"
    ]
  }

  private static func place(of line: LineDefinition) -> String {
    line.label.map { "\($0), \(line.address.words)" } ?? line.address.words
  }

  private static func words(of line: LineDefinition) -> [String] {
    switch line.purpose {
    case .level: return []
    case .count(let edges, let meter):
      let counted = edges == .both ? "counts both edges" : "counts \(edges.rawValue) edges"
      guard let meter else { return [counted] }
      let unit = line.points.first { $0.name == LinePoint.total }?.unit?.rawValue ?? ""
      let value = Value.decimal(
        mantissa: meter.valuePerPulse.mantissa, decimals: meter.valuePerPulse.decimals)
      return [counted, "\(value) \(unit) each"]
    case .frequency(let scale):
      let unit = line.points.first?.unit?.rawValue ?? ""
      return [
        "\(plainText(scale.hertz.lower))…\(plainText(scale.hertz.upper)) Hz are "
          + "\(plainText(scale.atLowest))…\(plainText(scale.atHighest)) \(unit)",
        "margin \(plainText(scale.marginHertz)) Hz",
        "window \(duration(scale.windowMilliseconds))",
      ]
    }
  }

  /// Lines for a terminal.
  func lines(of area: AreaDefinition) -> [String] {
    var words = area.gates.map { gate in
      switch gate.sensors {
      case .turnstile(let enter, let leave):
        let lines = [enter.map { "in \($0)" }, leave.map { "out \($0)" }].compactMap(\.self)
        return "\(gate.name) (\(lines.joined(separator: ", ")))"
      case .beams(let outer, let inner): return "\(gate.name) (beams \(outer), \(inner))"
      }
    }
    words += area.reported.map { "\($0.device).\($0.point)" }
    words.append(area.quota.map { "quota \($0)" } ?? "no quota")
    words.append("every \(Self.duration(area.everyMilliseconds))")
    let points = area.points.map(\.name).joined(separator: ", ")
    return ["area \(area.name): \(words.joined(separator: ", ")) → \(points)"]
  }

  // MARK: JSON

  /// Writes the members `lines` and `areas`.
  func writeLines(to json: inout JSONWriter) {
    json.key("lines")
    json.beginArray()
    for line in configuration.lines { write(line, to: &json) }
    json.endArray()
    json.key("areas")
    json.beginArray()
    for area in configuration.areas { write(area, to: &json) }
    json.endArray()
  }

  private func write(_ line: LineDefinition, to json: inout JSONWriter) {
    json.beginObject()
    json.member("name", line.name)
    if let label = line.label { json.member("label", label) }
    switch line.address {
    case .offset(let chip, let offset):
      json.member("chip", chip)
      json.member("offset", offset)
    case .name(let name, let chip):
      if let chip { json.member("chip", chip) }
      json.member("line-name", name)
    }
    json.member("active", (line.isActiveLow ? ActiveLevel.low : .high).rawValue)
    json.member("bias", line.bias.rawValue)
    json.member("debounce-ms", line.debounceMilliseconds)
    json.member("every-ms", line.everyMilliseconds)
    switch line.purpose {
    case .level: json.member("purpose", "level")
    case .count(let edges, let meter):
      json.member("purpose", meter == nil ? "count" : "meter")
      json.member("edges", edges.rawValue)
    case .frequency(let scale):
      json.member("purpose", "frequency")
      json.member("margin-hz", scale.marginHertz)
      json.member("window-ms", scale.windowMilliseconds)
    }
    write(line.points, to: &json)
    if let place = findings.places[line.name] { json.member("found", place) }
    json.key("warnings")
    json.beginArray()
    for warning in warnings(of: line) { json.string(warning) }
    json.endArray()
    if let problem = findings.warnings[line.name] { json.member("problem", problem) }
    json.endObject()
  }

  private func write(_ area: AreaDefinition, to json: inout JSONWriter) {
    json.beginObject()
    json.member("name", area.name)
    json.member("every-ms", area.everyMilliseconds)
    if let quota = area.quota { json.member("quota", quota) }
    json.key("gates")
    json.beginArray()
    for gate in area.gates {
      json.beginObject()
      json.member("name", gate.name)
      switch gate.sensors {
      case .turnstile(let enter, let leave):
        if let enter { json.member("in", enter) }
        if let leave { json.member("out", leave) }
      case .beams(let outer, let inner):
        json.key("beams")
        json.beginArray()
        json.string(outer)
        json.string(inner)
        json.endArray()
      }
      json.endObject()
    }
    json.endArray()
    json.key("reported")
    json.beginArray()
    for point in area.reported { json.string("\(point.device).\(point.point)") }
    json.endArray()
    write(area.points, to: &json)
    json.endObject()
  }

  private func write(_ points: [PointDescription], to json: inout JSONWriter) {
    json.key("points")
    json.beginArray()
    for point in points { json.string(point.name) }
    json.endArray()
  }
}
