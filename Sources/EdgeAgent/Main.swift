internal import ArgumentParser

/// The first frame on the stack. Synchronous on purpose: signals have to be masked while there is
/// one thread only (an async main has a pool by then, and SIGHUP killed the process).
@main
enum Main {
  static func main() {
    EdgeAgentCommand.main()
  }
}

/// `edge-agent`.
struct EdgeAgentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edge-agent",
    abstract: "Reads a mine's devices, keeps every reading, and delivers it over MQTT.",
    version: productVersion,
    subcommands: [
      RunCommand.self, CheckCommand.self, ProbeCommand.self, ScanCommand.self, StatusCommand.self,
      HeadcountCommand.self, JournalCommand.self,
    ])
}

/// The agent's version, as in CHANGELOG.md.
let productVersion = "0.1.0"

/// Exit statuses beyond 0 and 1, from sysexits.h, so that a service manager can tell them apart.
enum ExitStatus {
  /// The configuration is wrong: a restart won't help.
  static let configuration = ExitCode(78)
  /// There is no store.
  static let noStore = ExitCode(66)
  /// Standard output can't be written.
  static let outputFailed = ExitCode(74)
  /// No agent answers.
  static let notRunning = ExitCode(69)
  /// Another agent holds the store.
  static let storeHeld = ExitCode(75)
}

/// Options that every command has.
struct ConfigurationOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: "The configuration file.", completion: .file())
  var configuration = "/etc/edge-agent/agent.yaml"
}
