internal import ConfigurationFile
internal import Drivers
internal import MQTT
internal import Telemetry

/// What a configuration makes the agent do, for a technician to read before he drives home. Pure.
struct AgentPlan {
  let configuration: AgentConfiguration
  let buses: [BusPlan]
  /// What the machine that makes the plan knows of the time; `nil` where that is of no interest.
  let time: TimeState?
  let store: StorePlan
  /// What the machine that makes the plan has in the serial ports' places.
  let ports: SerialPortFindings
  /// What it has of the GPIO lines.
  let findings: LineFindings

  /// `roomBytes` is what the store's file system has for it, if that is known.
  init(
    _ configuration: AgentConfiguration, time: TimeState? = nil, roomBytes: Int64? = nil,
    ports: SerialPortFindings = SerialPortFindings(), findings: LineFindings = LineFindings()
  ) {
    self.configuration = configuration
    self.time = time
    self.ports = ports
    self.findings = findings
    buses = configuration.buses.map(BusPlan.init)
    store = StorePlan(
      configuration.storage, buses: buses,
      samples: configuration.lines.map(StorePlan.Samples.init)
        + configuration.areas.map(StorePlan.Samples.init),
      destinations: configuration.uplinks.count, roomBytes: roomBytes)
  }

  // MARK: Text

  /// Lines for a terminal.
  var text: String {
    let gateway = configuration.gateway
    let storage = configuration.storage
    var lines = [
      "gateway \(gateway.id): mine \(gateway.mine), region \(gateway.region), "
        + "mode \(gateway.mode.rawValue), board \(gateway.board)",
      "store \(storage.directory): data \(Self.size(storage.dataBytes)), "
        + "synced every \(Self.duration(storage.commitMilliseconds)); "
        + "events \(Self.size(storage.eventBytes)), synced at once",
    ]
    lines += store.lines
    if let time { lines.append("clock of this machine: \(time.words)") }
    lines += configuration.uplinks.map(Self.line)
    for (definition, plan) in zip(configuration.buses, buses) {
      let others = configuration.buses.filter {
        $0.name != definition.name
          && Self.way($0.endpoint).lowercased() == Self.way(definition.endpoint).lowercased()
      }
      lines += self.lines(definition, plan, sharedWith: others.map(\.name))
    }
    lines += configuration.lines.flatMap { self.lines(of: $0) }
    lines += configuration.areas.flatMap { self.lines(of: $0) }
    lines.append(counts)
    return lines.joined(separator: "\n")
  }

  private var counts: String {
    let devices = configuration.buses.reduce(0) { $0 + $1.devices.count }
    let points = configuration.deviceDescriptions.reduce(0) { $0 + $1.points.count }
    let (lines, areas) = (configuration.lines.count, configuration.areas.count)
    var counts = [Self.count(buses.count, "bus", "buses"), Self.count(devices, "device")]
    if lines > 0 { counts.append(Self.count(lines, "line")) }
    if areas > 0 { counts.append(Self.count(areas, "area")) }
    return (counts + [Self.count(points, "point")]).joined(separator: ", ")
  }

  private static func line(_ uplink: UplinkConfiguration) -> String {
    let brokers = uplink.brokerURLs.joined(separator: ", ")
    let trust = uplink.tls.map { tls in
      ", trusting \(tls.caFile ?? "the system's authorities"), "
        + (tls.identity.map { "shows \($0.certificateFile)" } ?? "shows no certificate")
    }
    let rate: String =
      switch uplink.historyRate {
      case .unlimited: "unlimited"
      case .bytesPerSecond(let bytes): "\(size(bytes))/s"
      }
    return
      "destination \(uplink.name): \(brokers)\(trust ?? ""), "
      + "MQTT \(uplink.protocolVersion.rawValue), "
      + "topics \(uplink.topicPrefix)/…, history \(rate), "
      + "at most \(uplink.historySharePercent) % of the window"
  }

  private func lines(
    _ definition: ModbusBusDefinition, _ plan: BusPlan, sharedWith others: [String]
  ) -> [String] {
    var lines = [
      "bus \(plan.bus): \(Self.way(definition.endpoint)), "
        + "timeout \(Self.duration(plan.timeoutMilliseconds)), "
        + definition.manners.words.map { $0 + ", " }.joined()
        + Self.count(plan.devices.count, "device")
    ]
    lines += warnings(of: definition).map { "  WARNING: \($0)" }
    if !others.isEmpty {
      lines.append(
        "  shares its station with \(others.joined(separator: ", ")), a connection each at the "
          + "same time: one that takes fewer drops the older or refuses the newer")
    }
    for (device, planned) in zip(definition.devices, plan.devices) {
      lines.append("  \(device.name), unit \(device.unit)" + Self.manners(of: device))
      lines += planned.requests.map { request in
        let last = Int(request.address) + request.count - 1
        let names = request.points.map { device.points[$0].description.name }
        return "    every \(Self.duration(request.everyMilliseconds))"
          + (request.isSafety ? ", safety: " : ": ")
          + "\(request.table.rawValue) \(request.address)…\(last) → "
          + names.joined(separator: ", ") + " " + BusForecast.cost(of: request, to: planned)
      }
    }
    return lines + BusForecast(plan: plan).lines
  }

  private static func way(_ endpoint: ModbusEndpoint) -> String {
    switch endpoint {
    case .tcp(let host, let port): "tcp \(self.endpoint(host, port))"
    case .rtu(let line):
      "rtu \(line.path), \(line.baud) Bd, \(line.dataBits) data bits, "
        + "\(line.parity == .none ? "no" : line.parity.rawValue) parity, "
        + count(line.stopBits, "stop bit")
        + (line.direction.map { ", \($0.words)" } ?? "") + (line.echoes ? ", echo" : "")
    case .rtuOverTCP(let server):
      "rtu over tcp \(self.endpoint(server.host, server.port))"
        + (server.baud.map { ", \($0) Bd" } ?? "") + (server.echoes ? ", echo" : "")
    }
  }

  private static func manners(of device: ModbusDevice) -> String {
    [("turnaround", device.turnaroundMilliseconds), ("pause", device.pauseMilliseconds)]
      .filter { $0.1 > 0 }.map { ", \($0.0) \(duration($0.1))" }.joined()
  }

  /// What is wrong with a bus's line, whatever is asked over it.
  private func warnings(of bus: ModbusBusDefinition) -> [String] {
    var warnings: [String] = []
    if case .rtu(let line) = bus.endpoint, line.dataBits < 8 {
      warnings.append("\(line.dataBits) data bits cut every byte from 0x80 on; Modbus RTU needs 8")
    }
    return warnings + [ports.warnings[bus.name]].compactMap(\.self)
  }

  /// An IPv6 address in brackets, so that its port can be told from it.
  private static func endpoint(_ host: String, _ port: UInt16) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  private static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
    "\(number) \(number == 1 ? one : many ?? one + "s")"
  }

  static func duration(_ milliseconds: Int64) -> String {
    let units: [(Int64, String)] = [(60_000, "min"), (1000, "s"), (1, "ms")]
    let unit = units.first { milliseconds % $0.0 == 0 } ?? (1, "ms")
    return "\(milliseconds / unit.0) \(unit.1)"
  }

  private static func size(_ bytes: Int64) -> String {
    let units: [(Int64, String)] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")]
    let unit = units.first { bytes % $0.0 == 0 } ?? (1, "B")
    return "\(bytes / unit.0) \(unit.1)"
  }

  // MARK: JSON

  /// One JSON object: gateway, store, destinations, buses with devices and requests, lines, areas.
  var json: String {
    var json = JSONWriter()
    json.beginObject()
    json.member("gateway", configuration.gateway.id)
    json.member("store", configuration.storage.directory)
    if let time {
      json.key("clock")
      json.beginObject()
      json.member("state", time.clock.rawValue)
      TimeState.write(time.realTimeClocks, into: &json)
      json.endObject()
    }
    store.write(to: &json)
    json.key("destinations")
    json.beginArray()
    for uplink in configuration.uplinks {
      json.beginObject()
      json.member("name", uplink.name)
      json.key("brokers")
      json.beginArray()
      for url in uplink.brokerURLs { json.string(url) }
      json.endArray()
      json.member("topics", uplink.topicPrefix)
      json.endObject()
    }
    json.endArray()
    json.key("buses")
    json.beginArray()
    for (definition, plan) in zip(configuration.buses, buses) {
      write(definition, plan, to: &json)
    }
    json.endArray()
    writeLines(to: &json)
    json.endObject()
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private func write(
    _ definition: ModbusBusDefinition, _ plan: BusPlan, to json: inout JSONWriter
  ) {
    json.beginObject()
    json.member("name", plan.bus)
    json.member("timeout-ms", plan.timeoutMilliseconds)
    BusForecast(plan: plan).write(to: &json, after: warnings(of: definition))
    json.key("devices")
    json.beginArray()
    for (device, planned) in zip(definition.devices, plan.devices) {
      json.beginObject()
      json.member("name", device.name)
      json.member("unit", device.unit)
      json.key("requests")
      json.beginArray()
      for request in planned.requests {
        json.beginObject()
        json.member("table", request.table.rawValue)
        json.member("address", request.address)
        json.member("count", request.count)
        json.member("every-ms", request.everyMilliseconds)
        json.member("bus-time-us", planned.microseconds(of: request))
        if request.isSafety { json.member("priority", "safety") }
        json.key("points")
        json.beginArray()
        for point in request.points { json.string(device.points[point].description.name) }
        json.endArray()
        json.endObject()
      }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}
