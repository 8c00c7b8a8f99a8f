internal import Drivers
internal import Telemetry

extension ProbeReport {
  /// A point of a GPIO line or of an area: nothing is asked over a wire, so there are no registers
  /// and no unit.
  struct Input: Equatable {
    enum Kind: String, CaseIterable {
      case line, area
    }

    var kind: Kind
    /// The line or the area.
    var device: String
    /// The point.
    var name: String
    /// Of a line: where it was found on the board; `nil` where it was not.
    var place: String?
    /// The unit of measure.
    var measure: String?
    var location: String?
    /// The limits as the configuration prints them.
    var range: [String]?
    /// `good` or a reason.
    var quality: String
    /// As payloads print it.
    var value: JSONValue?
    /// What was read and is not trusted.
    var raw: JSONValue?
    /// Milliseconds since a running agent read it; `nil` for one that was read now.
    var age: Int64?
    /// What is wrong, in words.
    var problem: String?

    var isGood: Bool { quality == "good" }
  }
}

extension ProbeReport.Input {
  /// What became of a point when it was last due.
  init(
    _ kind: Kind, device: String, _ point: PointDescription, _ outcome: Outcome, age: Int64? = nil,
    place: String? = nil, problem: String? = nil
  ) {
    self.kind = kind
    self.device = device
    name = point.name
    self.place = place
    measure = point.unit?.rawValue
    location = point.location
    range = point.range?.texts
    self.age = age
    self.problem = problem
    switch outcome {
    case .good(let value):
      quality = "good"
      self.value = JSONValue(value)
    case .bad(let reason, let raw):
      quality = "\(reason)"
      self.raw = raw.map { JSONValue($0) }
    }
  }

  /// In brackets if it was read and is not trusted.
  var valueText: String { value?.text ?? raw.map { "(\($0.text))" } ?? "-" }
}

extension ProbeReport {
  /// The newest readings of lines and areas that a running agent has; nothing has to be asked.
  static func inputs(
    _ names: Set<String>, of parts: AgentStatus.Parts, _ snapshot: HealthBoard.Snapshot
  ) -> [Input] {
    let statistics = parts.lines?.statistics ?? [:]
    let now = snapshot.report.time
    func input(
      _ kind: Input.Kind, _ device: String, _ points: [PointDescription]
    ) -> [Input] {
      let readings = snapshot.readings.readings(of: device)
      let fault = snapshot.report.parts.first {
        $0.kind.rawValue == kind.rawValue && $0.name == device
      }?.fault
      return points.map { point in
        let reading = readings[point.name]
        return Input(
          kind, device: device, point, reading?.outcome ?? .bad(.notRead),
          age: reading.map { max(0, now.monotonic - $0.time.monotonic) } ?? 0,
          place: statistics[device]?.place, problem: fault)
      }
    }
    return parts.configuration.lines.filter { names.contains($0.name) }
      .flatMap { input(.line, $0.name, $0.points) }
      + parts.configuration.areas.filter { names.contains($0.name) }
      .flatMap { input(.area, $0.name, $0.points) }
  }
}

// MARK: - For a human

extension ProbeReport {
  var inputTable: TextTable {
    var table = TextTable("INPUT", "POINT", "PLACE", "VALUE", "MEASURE", "QUALITY", "AGE")
    for input in inputs {
      table.add(
        input.device, input.name, input.place ?? (input.kind == .area ? "area" : "-"),
        input.valueText, input.measure ?? "", input.quality, input.age.map(span) ?? "now")
    }
    return table
  }

  /// What is wrong, once for each line or area.
  var inputProblemLines: [String] {
    var seen: Set<String> = []
    return inputs.compactMap { input in
      guard let problem = input.problem, seen.insert(input.device).inserted else { return nil }
      return terminalSafe("\(input.kind.rawValue) \(input.device): \(problem)")
    }
  }
}

// MARK: - For a program

extension ProbeReport.Input {
  func writeMembers(into json: inout JSONWriter) {
    json.member("device", device)
    json.member("point", name)
    json.member("kind", kind.rawValue)
    if let place { json.member("place", place) }
    if let measure { json.member("unit", measure) }
    if let location { json.member("location", location) }
    if let range {
      json.key("range")
      json.beginArray()
      for limit in range { json.raw(limit.utf8) }
      json.endArray()
    }
    json.member("quality", quality)
    if let value { json.member("value", scalar: value) }
    if let raw { json.member("raw", scalar: raw) }
    if let age { json.member("age", age) }
    if let problem { json.member("problem", problem) }
  }

  init(_ fields: JSONFields) throws(PayloadError) {
    device = try fields.string("device")
    name = try fields.string("point")
    kind = try fields.word("kind")
    place = try fields.optionalString("place")
    measure = try fields.optionalString("unit")
    location = try fields.optionalString("location")
    range = fields.members["range"] == nil ? nil : try fields.array("range").map(\.text)
    quality = try fields.string("quality")
    value = fields.members["value"]
    raw = fields.members["raw"]
    age = try fields.optionalInteger("age")
    problem = try fields.optionalString("problem")
  }
}
