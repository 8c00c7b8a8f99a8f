internal import ArgumentParser
internal import Glibc
internal import LinuxSystem

/// Exit codes of sysexits.h.
enum ExitStatus {
  static let wrongConfiguration = ExitCode(78)
  static let systemFailure = ExitCode(71)
}

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serves a scenario until SIGTERM or SIGINT.",
    discussion: "Prints one line `ready` when all listeners listen; faults are timed from then.")

  @OptionGroup var options: ScenarioOptions

  @Option(help: "Append what was really answered to this file, as JSON lines.")
  var truth: String?

  @Option(help: "Stop after this many seconds.")
  var seconds: Double?

  func validate() throws {
    if let seconds, !(seconds > 0 && seconds <= 30 * 86_400) {
      throw ValidationError("--seconds \(seconds): more than 0 and at most 30 days are expected")
    }
  }

  func run() throws {
    let scenario = try options.load()
    do throws(SystemError) {
      let stop = try EventFD()
      try StopSignals.forward(to: stop)
      let server = try MineServer(scenario, truth: try truth.map(GroundTruth.init))
      try server.run(until: stop, seconds: seconds) {
        StandardStream.output.write("ready\n")
      }
    } catch {
      StandardStream.error.write("mine-simulator: \(error)\n")
      throw ExitStatus.systemFailure
    }
  }
}

struct PrintAgentConfiguration: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agent-configuration",
    abstract: "Prints the buses and devices of an agent's configuration that match a scenario.")

  @OptionGroup var options: ScenarioOptions

  func run() throws {
    StandardStream.output.write(try options.load().agentConfiguration())
  }
}

/// SIGTERM and SIGINT as something to poll for.
enum StopSignals {
  /// Masks the signals in this thread, and so in all that it starts, and has a thread wait for
  /// them. Call it before there is any other thread.
  static func forward(to stop: EventFD) throws(SystemError) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    // A client that is gone shows in the result of the call.
    signal(SIGPIPE, SIG_IGN)
    let waited = signals
    try Thread.start(named: "signals") {
      var signals = waited
      var number: Int32 = 0
      // Fails only for a set that holds no valid signal.
      while sigwait(&signals, &number) != 0 {}
      stop.signal()
    }
  }
}
