internal import ArgumentParser
internal import Drivers
internal import Telemetry

/// `edge-agent check`.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Validate the configuration and print what it plans.",
    discussion: "Asks no device and no broker. Exits with 78 if the configuration is wrong.")

  @OptionGroup var options: ConfigurationOptions
  @Flag(help: "Print the plan as JSON.") var json = false

  func run() throws {
    let configuration = try AgentConfiguration.loadOrExit(options.configuration)
    let room = StorageSpace.bytes(for: configuration.storage)
    let plan = AgentPlan(
      configuration, time: .ofThisMachine(), roomBytes: room,
      ports: SerialPortFindings(configuration.buses), findings: LineFindings(configuration.lines))
    OutputLines.write([json ? plan.json : plan.text])
  }
}
