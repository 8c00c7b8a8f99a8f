internal import ArgumentParser
internal import ConfigurationFile

@main
struct MineSimulator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mine-simulator",
    abstract: "Plays a mine: Modbus TCP slaves with signals and scripted faults, on 127.0.0.1.",
    subcommands: [Run.self, PrintAgentConfiguration.self])
}

/// What both commands read.
struct ScenarioOptions: ParsableArguments {
  @Argument(help: "The scenario file.", completion: .file(extensions: ["yaml"]))
  var scenario: String

  @Option(help: "The i-th station listens on this port + i, instead of its own.")
  var portsFrom: UInt16?

  /// The scenario with the ports that were asked for; prints all problems and exits with 78 if it
  /// has any.
  func load() throws -> Scenario {
    var scenario: Scenario
    do throws(ConfigurationProblems) {
      scenario = try Scenario.load(path: self.scenario)
    } catch {
      for line in error.lines { StandardStream.error.write(line + "\n") }
      throw ExitStatus.wrongConfiguration
    }
    guard let portsFrom else { return scenario }
    guard scenario.listen(portsFrom: portsFrom) else {
      throw ValidationError(
        "--ports-from \(portsFrom): \(scenario.stations.count) stations do not fit below 65536")
    }
    return scenario
  }
}

extension Scenario {
  /// Gives the stations consecutive ports; returns false if they do not all fit.
  mutating func listen(portsFrom first: UInt16) -> Bool {
    guard first > 0, Int(first) + stations.count - 1 <= Int(UInt16.max) else { return false }
    for index in stations.indices { stations[index].port = first + UInt16(index) }
    return true
  }
}
