internal import ArgumentParser
internal import ConfigurationFile
internal import Telemetry

/// Where a running agent listens: options of the commands that ask it and read no more of the
/// configuration.
struct ControlSocketOptions: ParsableArguments {
  @OptionGroup var options: ConfigurationOptions
  @Option(help: "The agent's control socket, in place of the configuration's.")
  var socket: String?

  /// A file that nobody could run by still says where the agent listens that runs; a file that says
  /// nothing leaves the default.
  var path: String {
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
