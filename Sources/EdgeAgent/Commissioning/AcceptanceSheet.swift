internal import Glibc
internal import Telemetry

/// A site acceptance sheet: what was read of every point, and whether it arrives. For paper, and
/// for a program.
struct AcceptanceSheet {
  /// Whether the newest sample of each point was acknowledged, as a running agent says.
  struct Deliveries: Equatable {
    var destinations: [String]
    /// By device and point.
    var points: [String: [String: [String: Bool]]]

    init(_ fields: JSONFields) throws(PayloadError) {
      destinations = try fields.array("destinations").map(\.text)
      points = [:]
      for object in try fields.objects("points") {
        let delivered = try object.fields("delivered")
        let device = try object.string("device")
        let point = try object.string("point")
        for destination in destinations {
          points[device, default: [:]][point, default: [:]][destination] =
            try delivered.bool(destination)
        }
      }
    }

    func of(_ device: String, _ point: String) -> [String: Bool] {
      points[device]?[point] ?? [:]
    }

    /// Those that lack the newest sample of a point, in configured order.
    func missing(_ device: String, _ point: String) -> [String] {
      let delivered = of(device, point)
      return destinations.filter { delivered[$0] != true }
    }
  }

  var gateway: GatewayConfiguration
  /// Unix milliseconds.
  var time: Int64
  /// Of the agent that was asked; `nil` if none runs.
  var process: Int?
  var probe: ProbeReport
  /// `nil` if no agent runs.
  var deliveries: Deliveries?

  /// Whether every point is good, and delivered where an agent runs.
  var isGood: Bool {
    probe.isGood && names.allSatisfy { deliveries?.missing($0, $1).isEmpty ?? true }
  }

  /// Of every point, by device and name.
  private var names: [(String, String)] {
    probe.points.map { ($0.device, $0.name) } + probe.inputs.map { ($0.device, $0.name) }
  }

  /// For paper.
  var lines: [String] {
    var table = TextTable(
      "DEVICE", "POINT", "LOCATION", "RAW", "VALUE", "UNIT", "RANGE", "QUALITY", "DELIVERED")
    for point in probe.points {
      table.add(
        point.device, point.name, point.location ?? "", point.registerWords(atMost: 4),
        point.valueText, point.measure ?? "", point.range?.joined(separator: "…") ?? "",
        point.quality, deliveredText(point.device, point.name))
    }
    for input in probe.inputs {
      table.add(
        input.device, input.name, input.location ?? "", input.place ?? input.kind.rawValue,
        input.valueText, input.measure ?? "", input.range?.joined(separator: "…") ?? "",
        input.quality, deliveredText(input.device, input.name))
    }
    return Array([head, table.lines, foot, signatures].joined(separator: [""]))
  }

  private var head: [String] {
    let name = gateway.name.map { " (\($0))" } ?? ""
    return [
      "SITE ACCEPTANCE SHEET",
      terminalSafe("gateway  \(gateway.id)\(name)"),
      terminalSafe("mine     \(gateway.mine), region \(gateway.region)"),
      "date     \(dateText(time)) UTC",
      "agent    edge-agent \(productVersion), "
        + (process.map { "process \($0)" } ?? "not running"),
    ]
  }

  private var foot: [String] {
    var lines = [probe.countLine]
    if let deliveries {
      let delivered = names.count { deliveries.missing($0, $1).isEmpty }
      lines[0] += "; \(delivered) delivered"
      lines.append(
        terminalSafe(
          "delivered: the newest reading that is stored was acknowledged by "
            + deliveries.destinations.joined(separator: ", ")))
    }
    return lines
  }

  private var signatures: [String] {
    let line = String(repeating: "_", count: 28)
    return [
      "remarks       \(line)\(line)", "",
      "installed by  \(line)  date \(line.prefix(14))", "",
      "accepted by   \(line)  date \(line.prefix(14))",
    ]
  }

  private func deliveredText(_ device: String, _ point: String) -> String {
    guard let deliveries else { return "not running" }
    let missing = deliveries.missing(device, point)
    if missing.isEmpty { return "yes" }
    if missing.count == deliveries.destinations.count { return "no" }
    return "not to " + missing.joined(separator: ", ")
  }

  /// For a program: one object.
  var json: [UInt8] {
    var json = JSONWriter(capacity: 16 << 10)
    json.beginObject()
    json.member("v", ControlProtocol.version)
    json.member("gateway", gateway.id)
    json.member("mine", gateway.mine)
    json.member("region", gateway.region)
    if let name = gateway.name { json.member("name", name) }
    json.member("time", time)
    json.member("agent", productVersion)
    json.key("process")
    if let process { json.int(process) } else { json.null() }
    if let deliveries {
      json.key("destinations")
      json.beginArray()
      for destination in deliveries.destinations { json.string(destination) }
      json.endArray()
    }
    probe.writeMembers(into: &json) { device, point, json in
      json.key("delivered")
      guard let deliveries else { return json.string("not running") }
      json.beginObject()
      let delivered = deliveries.of(device, point)
      for destination in deliveries.destinations {
        json.member(destination, delivered[destination] ?? false)
      }
      json.endObject()
    }
    json.endObject()
    return json.bytes
  }
}
