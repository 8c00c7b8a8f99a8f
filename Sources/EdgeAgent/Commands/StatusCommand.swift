internal import ArgumentParser
internal import ConfigurationFile
internal import Glibc
internal import Telemetry

/// `edge-agent status`.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Ask the running agent how it is doing.",
    discussion: """
      Exits with 0 if everything is well, 1 if something is not, 69 if no agent answers. Of the \
      configuration only control.socket is used: the rest may be wrong.
      """)

  @OptionGroup var options: ConfigurationOptions
  @Option(help: "The agent's control socket, in place of the configuration's.")
  var socket: String?
  @Flag(help: "Print the agent's answer as JSON.") var json = false

  func run() throws {
    let client = ControlClient(path: socketPath())
    let line: [UInt8]
    do throws(ControlFailure) {
      line = try client.ask(ControlProtocol.request("status"))
    } catch {
      Log.error(error.description)
      throw ExitStatus.notRunning
    }
    let report: StatusReport
    do throws(PayloadError) {
      report = try StatusReport(line)
    } catch {
      Log.error(
        ControlFailure.notUnderstood(path: client.path, reason: error.description).description)
      throw ExitStatus.notRunning
    }
    OutputLines.write(json ? [String(decoding: line, as: UTF8.self)] : report.lines)
    if !report.isHealthy { throw ExitCode.failure }
  }

  /// A file that nobody could run by still says where the agent listens that runs; a file that says
  /// nothing leaves the default.
  private func socketPath() -> String {
    if let socket { return socket }
    let log = ProblemLog()
    let decoder = SectionDecoder(
      boards: BoardDirectories(forConfiguration: options.configuration), log: log)
    let root = ConfigurationDocument.load(path: options.configuration, log: log)
    // Unknown keys and the like are the business of `check`.
    if let found = root?.mapping({ decoder.control($0.take("control")) }) { return found }
    var reason = "\(options.configuration): does not say where"
    do throws(ConfigurationProblems) {
      try log.check()
    } catch {
      reason = error.lines.first ?? reason
    }
    let path = SectionDecoder.defaultControlSocket
    Log.notice("\(reason); asking at \(path), another can be given with --socket")
    return path
  }
}
