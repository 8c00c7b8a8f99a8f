internal import ArgumentParser
internal import Telemetry

/// `edge-agent status`.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Ask the running agent how it is doing.",
    discussion: """
      Exits with 0 if everything is well, 1 if something is not, 69 if no agent answers. Of the \
      configuration only control.socket is used: the rest may be wrong.
      """)

  @OptionGroup var agent: ControlSocketOptions
  @Flag(help: "Print the agent's answer as JSON.") var json = false

  func run() throws {
    let client = ControlClient(path: agent.path)
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
}
