internal import Drivers
internal import Telemetry

// What a plan says of GPIO inputs, and of areas whose people are counted.

extension AgentPlan {
  /// Lines for a terminal.
  func lines(of line: LineDefinition) -> [String] {
    var words = [Self.place(of: line)]
    words += active(of: line)
    if line.bias != .asIs { words.append(line.bias == .none ? "no pull" : line.bias.rawValue) }
    if line.debounceMilliseconds > 0 {
      words.append("debounce \(Self.duration(line.debounceMilliseconds))")
    }
    words += Self.words(of: line)
    words.append("every \(Self.duration(line.everyMilliseconds))")
    let points = line.points.map(\.name).joined(separator: ", ")
    let found = findings.places[line.name].map { ["  found: \($0)"] } ?? []
    return ["line \(line.name): \(words.joined(separator: ", ")) → \(points)"] + found
      + warnings(of: line).map { "  WARNING: \($0)" }
  }

  /// What is to be said of a line, and what the machine lacks.
  private func warnings(of line: LineDefinition) -> [String] {
    var warnings: [String] = []
    if line.address.isNumbered {
      warnings.append(
        "the kernel may give the chip's number to another one: its label, or the line's name, stays"
      )
    }
    if let ofBoard = ofBoard(line), configuration.linesWithActive.contains(line.name) {
      let level = Self.level(line.isActiveLow)
      if ofBoard.isActiveLow != line.isActiveLow {
        warnings.append(
          "active: \(level) turns the input round, of which the board file says "
            + "\(Self.level(ofBoard.isActiveLow)): see that true is what you mean")
      } else if line.isActiveLow {
        warnings.append(
          "active: \(level) is what the board file says already: it turns nothing round")
      }
    }
    return warnings + (findings.warnings[line.name].map { [$0] } ?? [])
  }

  /// What the board file says of the line, if it is named as on the case.
  private func ofBoard(_ line: LineDefinition) -> BoardDescription.Line? {
    line.label.flatMap { configuration.board.lines[$0] }
  }

  private static func level(_ isActiveLow: Bool) -> String {
    (isActiveLow ? ActiveLevel.low : .high).rawValue
  }

  /// Which level is the active one, unless it is the usual; and where that comes from.
  private func active(of line: LineDefinition) -> [String] {
    let words = "active \(Self.level(line.isActiveLow))"
    guard let ofBoard = ofBoard(line) else { return line.isActiveLow ? [words] : [] }
    guard ofBoard.isActiveLow == line.isActiveLow else {
      return ["\(words) (the board file: \(Self.level(ofBoard.isActiveLow)))"]
    }
    return line.isActiveLow ? ["\(words) (as the board file)"] : []
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
      + Self.advice(on: area).map { "  \($0)" }
  }

  /// Of one gate the name says nothing; of several it says whose balance goes on.
  private static func advice(on area: AreaDefinition) -> [String] {
    let named = area.gates.enumerated().filter { $0.element.name == "gate-\($0.offset + 1)" }
      .map(\.element.name)
    guard area.gates.count > 1, let last = named.last else { return [] }
    guard named.count > 1 else {
      return [
        "\(last) is named by position: without a name of its own it changes balances when the list "
          + "changes"
      ]
    }
    return [
      "\(named.dropLast().joined(separator: ", ")) and \(last) are named by position: without "
        + "names of their own they change balances when the list changes"
    ]
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
    json.member("active", Self.level(line.isActiveLow))
    json.member("bias", line.bias.rawValue)
    json.member("debounce-ms", line.debounceMilliseconds)
    json.member("every-ms", line.everyMilliseconds)
    switch line.purpose {
    case .level: json.member("purpose", "level")
    case .count(let edges, let meter):
      json.member("purpose", meter == nil ? "count" : "meter")
      json.member("edges", edges.rawValue)
      if let meter { write(meter, of: line, to: &json) }
    case .frequency(let scale):
      json.member("purpose", "frequency")
      json.key("hz")
      Self.write([scale.hertz.lower, scale.hertz.upper], to: &json)
      json.key("value")
      Self.write([scale.atLowest, scale.atHighest], to: &json)
      if let unit = line.points.first?.unit { json.member("unit", unit.rawValue) }
      json.member("margin-hz", scale.marginHertz)
      json.member("window-ms", scale.windowMilliseconds)
    }
    write(line.points, to: &json)
    if let place = findings.places[line.name] { json.member("found", place) }
    write(warnings: warnings(of: line), to: &json)
    json.endObject()
  }

  private func write(_ meter: PulseMeter, of line: LineDefinition, to json: inout JSONWriter) {
    json.key("pulse")
    json.beginObject()
    json.key("value")
    json.value(
      .decimal(
        mantissa: meter.valuePerPulse.mantissa, decimals: meter.valuePerPulse.decimals))
    if let unit = line.points.first(where: { $0.name == LinePoint.total })?.unit {
      json.member("unit", unit.rawValue)
    }
    json.endObject()
  }

  private static func write(_ numbers: [Double], to json: inout JSONWriter) {
    json.beginArray()
    for number in numbers { json.double(number) }
    json.endArray()
  }

  private func write(warnings: [String], to json: inout JSONWriter) {
    json.key("warnings")
    json.beginArray()
    for warning in warnings { json.string(warning) }
    json.endArray()
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
    write(warnings: Self.advice(on: area), to: &json)
    json.endObject()
  }

  private func write(_ points: [PointDescription], to json: inout JSONWriter) {
    json.key("points")
    json.beginArray()
    for point in points { json.string(point.name) }
    json.endArray()
  }
}
