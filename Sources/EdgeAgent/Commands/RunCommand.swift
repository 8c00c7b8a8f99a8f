internal import ArgumentParser
internal import ConfigurationFile
internal import Glibc
internal import LinuxSystem

/// `edge-agent run`.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run in the foreground until SIGTERM or SIGINT.",
    discussion: """
      Exits with 0 after an orderly stop, 78 if the configuration is wrong, 75 if another agent \
      holds the store.
      """)

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    Signals.mask()
    let configuration = try AgentConfiguration.loadOrExit(options.configuration)
    Log.neverWait()
    let agent: Agent
    do throws(AgentError) {
      agent = try Signals.whileStarting { () throws(AgentError) in
        try Agent(configuration, clock: KernelClock())
      }
      try agent.start()
    } catch {
      Log.error(error.description)
      if case .storeHeld = error { throw ExitStatus.storeHeld }
      throw ExitCode.failure
    }
    if let warning = StorageSpace.warning(configuration.storage) {
      Log.write(.warning, warning, of: .part("store"))
    }
    Log.notice("edge-agent \(productVersion) runs as \(configuration.gateway.id)")

    let signal = Supervisor(agent, service: ServiceManager()).run {
      Self.reload(agent, from: options.configuration)
    }
    // A second one does not wait for what the first one began.
    Signals.unmask()
    let isOrderly = agent.stop(reason: Signals.name(of: signal))
    Log.tellAllSuppressed()
    Log.notice(isOrderly ? "stopped" : "stopped; not every part ended in its time")
    // A thread may still sit in a C call: nothing may wait for it now, and the journal is synced.
    _exit(EXIT_SUCCESS)
  }
}

extension RunCommand {
  /// A file that is wrong changes nothing and says why.
  private static func reload(_ agent: Agent, from path: String) {
    do throws(ConfigurationProblems) {
      let boards = BoardDirectories(forConfiguration: path)
      let problem = agent.reload(try AgentConfiguration.load(path: path, boards: boards))
      if let problem {
        Log.write(.error, "reload: \(problem); nothing changed", of: .request("reload"))
      } else {
        Log.write(.notice, "reloaded \(path)", of: .request("reload"))
      }
    } catch {
      let lines = error.lines + ["reload: \(path) is wrong; nothing changed"]
      Log.write(.error, lines, of: .request("reload"))
    }
  }
}

extension AgentConfiguration {
  /// The configuration, or every problem of it on standard error and exit 78.
  static func loadOrExit(_ path: String) throws -> AgentConfiguration {
    do throws(ConfigurationProblems) {
      return try load(path: path, boards: BoardDirectories(forConfiguration: path))
    } catch {
      for line in error.lines { Log.error(line) }
      throw ExitStatus.configuration
    }
  }
}
