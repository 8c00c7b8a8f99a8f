internal import ArgumentParser
internal import ConfigurationFile
internal import Drivers
internal import Telemetry

/// `edge-agent scan`.
struct ScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Ask which units answer on a bus.",
    discussion: """
      A first pass asks each unit for a holding register with a time-out of 100 ms, a second one \
      those that were silent for an input register with the bus's own. An exception is an answer, \
      but for a gateway's about a unit behind it. Beside a running agent that one asks, between \
      its own requests. Exits with 0 if a unit answers, 1 if none does or it broke off, 69 if \
      an agent runs that can't be asked, 78 if the configuration is wrong.
      """)

  @OptionGroup var options: ConfigurationOptions
  @Argument(help: "The bus, as the configuration names it.")
  var bus: String
  @Option(help: "The units: numbers and ranges of 1-247, with commas between.")
  var units = "1-247"
  // A negative number is told what is expected, too.
  @Option(
    parsing: .unconditional, help: "The second pass's time-out in ms, in place of the bus's.")
  var timeout: Int64?
  @Flag(help: "Show every byte of units for which any came.") var trace = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if UnitList.units(units) == nil {
      throw ValidationError("--units \(units): numbers and ranges of 1-247 are expected")
    }
    if let timeout, !UnitList.timeouts.contains(timeout) {
      throw ValidationError("--timeout \(timeout): \(UnitList.timeoutWords) is expected")
    }
  }

  func run() throws {
    let configuration = try AgentConfiguration.loadOrExit(options.configuration)
    guard let definition = configuration.buses.first(where: { $0.name == bus }) else {
      let known = configuration.buses.map(\.name)
      throw ValidationError(
        "\(options.configuration) has no bus \(bus)\(knownNames(like: bus, among: known))")
    }
    let report = try scan(definition, configuration)
    if json {
      var json = JSONWriter(capacity: 16 << 10)
      json.beginObject()
      json.member("v", ControlProtocol.version)
      report.writeMembers(into: &json)
      json.endObject()
      OutputLines.write([String(decoding: json.bytes, as: UTF8.self)])
    } else {
      OutputLines.write(report.lines)
    }
    if !report.isGood { throw ExitCode.failure }
  }

  private func scan(
    _ definition: ModbusBusDefinition, _ configuration: AgentConfiguration
  ) throws -> ScanReport {
    var progress = ProgressLine()
    defer { progress.clear() }
    let numbers = UnitList.units(units) ?? []
    let request = ControlProtocol.request("scan") { json in
      json.member("bus", bus)
      json.key("units")
      json.beginArray()
      for number in numbers { json.int(number) }
      json.endArray()
      if let timeout { json.member("timeout", timeout) }
      json.member("trace", trace)
    }
    guard let agent = try RunningAgent.begin(request, of: configuration) else {
      let scan = BusScan(
        definition, units: numbers, timeoutMilliseconds: timeout, isTraced: trace)
      let done = DirectVisit.perform(.scan(scan), on: definition) { errand in
        guard case .scan(let scan) = errand else { return }
        let found = scan.found.filter(\.isAnswer).map { "\($0.unit)" }.joined(separator: ", ")
        let asked = errand.progress
        progress.show("\(asked.done) of \(asked.total) questions; found: \(found)")
      }
      guard case .scan(let scan) = done else { throw ExitCode.failure }
      return ScanReport(scan, of: definition)
    }
    let fields = try agent.wait { asked, all in
      progress.show("the agent has asked \(asked) of \(all) questions")
    }
    do throws(PayloadError) {
      return try ScanReport(fields)
    } catch {
      Log.error("the agent's answer: \(error)")
      throw ExitStatus.notRunning
    }
  }
}
