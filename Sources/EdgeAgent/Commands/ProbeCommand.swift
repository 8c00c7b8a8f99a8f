internal import ArgumentParser
internal import ConfigurationFile
internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// `edge-agent probe`.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe", abstract: "Read every point of devices and GPIO lines once, now.",
    discussion: """
      Beside a running agent that one reads them, between its own requests; else this program asks \
      the devices itself. What is read is shown, not stored. Counts and areas are known to a \
      running agent only: without one, areas are shown if they are named. Exits with 0 if all \
      points are good, 1 if some are bad, 69 if an agent runs that can't be asked, 78 if the \
      configuration is wrong.
      """)

  @OptionGroup var options: ConfigurationOptions
  @Argument(help: "The devices, lines or areas; all of them without a name.")
  var devices: [String] = []
  @Flag(help: "Show every byte with its direction and time.") var trace = false
  @Flag(help: "Print a site acceptance sheet: also whether each point is delivered.")
  var report = false
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let configuration = try AgentConfiguration.loadOrExit(options.configuration)
    let names = try names(configuration)
    let (probe, process) = try probe(names, configuration)
    var sheet = AcceptanceSheet(
      gateway: configuration.gateway, time: KernelClock().now().wall, process: process,
      probe: probe, deliveries: nil)
    guard report else {
      OutputLines.write(json ? [object(sheet)] : probe.lines)
      if !probe.isGood { throw ExitCode.failure }
      return
    }
    if process != nil {
      sheet.deliveries = try deliveries(names, configuration)
    }
    OutputLines.write(
      json
        ? [String(decoding: sheet.json, as: UTF8.self)] : probe.transactionLines + sheet.lines)
    if !sheet.isGood { throw ExitCode.failure }
  }

  private func names(_ configuration: AgentConfiguration) throws -> Set<String> {
    let known = configuration.deviceDescriptions.map(\.name)
    for name in devices where !known.contains(name) {
      throw ValidationError(
        "\(options.configuration) has no device, line or area \(name)"
          + knownNames(like: name, among: known))
    }
    return Set(devices.isEmpty ? known : devices)
  }

  private func probe(
    _ names: Set<String>, _ configuration: AgentConfiguration
  ) throws -> (ProbeReport, process: Int?) {
    var progress = ProgressLine()
    defer { progress.clear() }
    let request = ControlProtocol.request("probe") { json in
      json.members(devices: names)
      json.member("trace", trace)
    }
    guard let agent = try RunningAgent.begin(request, of: configuration) else {
      return (directProbe(names, configuration, &progress), nil)
    }
    let fields = try agent.wait { asked, all in
      progress.show("the agent has asked \(asked) of \(all) requests")
    }
    return (try understood { () throws(PayloadError) in try ProbeReport(fields) }, agent.process)
  }

  private func directProbe(
    _ names: Set<String>, _ configuration: AgentConfiguration, _ progress: inout ProgressLine
  ) -> ProbeReport {
    var probes: [(bus: ModbusBusDefinition, probe: BusProbe)] = []
    let buses = configuration.buses.filter { bus in
      bus.devices.contains { names.contains($0.name) }
    }
    for (index, bus) in buses.enumerated() {
      let probe = BusProbe(bus, devices: names, isTraced: trace)
      let done = DirectVisit.perform(.probe(probe), on: bus) { errand in
        let asked = errand.progress
        progress.show(
          "bus \(index + 1) of \(buses.count), \(bus.name): "
            + "\(asked.done) of \(asked.total) requests")
      }
      if case .probe(let probe) = done { probes.append((bus, probe)) }
    }
    var report = ProbeReport(probes)
    let areas = Set(configuration.areas.map(\.name))
    let inputs = devices.isEmpty ? names.subtracting(areas) : names
    report.inputs = DirectInputs(inputs, of: configuration).read { progress.show($0) }
    return report
  }

  private func deliveries(
    _ names: Set<String>, _ configuration: AgentConfiguration
  ) throws -> AcceptanceSheet.Deliveries? {
    let request = ControlProtocol.request("deliveries") { $0.members(devices: names) }
    guard let fields = try RunningAgent.begin(request, of: configuration)?.wait() else {
      return nil
    }
    return try understood { () throws(PayloadError) in try AcceptanceSheet.Deliveries(fields) }
  }

  private func understood<Answer>(
    _ read: () throws(PayloadError) -> Answer
  ) throws -> Answer {
    do throws(PayloadError) {
      return try read()
    } catch {
      Log.error("the agent's answer: \(error)")
      throw ExitStatus.notRunning
    }
  }

  private func object(_ sheet: AcceptanceSheet) -> String {
    var json = JSONWriter(capacity: 16 << 10)
    json.beginObject()
    json.member("v", ControlProtocol.version)
    json.member("gateway", sheet.gateway.id)
    json.member("time", sheet.time)
    json.key("process")
    if let process = sheet.process { json.int(process) } else { json.null() }
    sheet.probe.writeMembers(into: &json)
    json.endObject()
    return String(decoding: json.bytes, as: UTF8.self)
  }
}

/// What a message about a name that nothing has ends with.
func knownNames(like name: String, among known: [String]) -> String {
  // A terminal's screen of them.
  let most = 40
  if let meant = nearest(to: name, among: known) { return "; did you mean \(meant)?" }
  guard !known.isEmpty else { return "; it has none" }
  let more = known.count > most ? " and \(known.count - most) more" : ""
  return "; known there: " + known.prefix(most).joined(separator: ", ") + more
}

extension JSONWriter {
  fileprivate mutating func members(devices: Set<String>) {
    key("devices")
    beginArray()
    for device in devices.sorted() { string(device) }
    endArray()
  }
}
