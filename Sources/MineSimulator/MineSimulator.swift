internal import ArgumentParser
internal import ConfigurationFile

@main
struct MineSimulator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mine-simulator",
    abstract: "Plays a mine: Modbus TCP and RTU slaves with signals and scripted faults.",
    subcommands: [Run.self, PrintAgentConfiguration.self])
}

/// What both commands read.
struct ScenarioOptions: ParsableArguments {
  @Argument(help: "The scenario file.", completion: .file(extensions: ["yaml"]))
  var scenario: String

  @Option(help: "The i-th station listens on this port + i, instead of its own.")
  var portsFrom: UInt16?

  @Option(help: "Links to serial stations are made here, by their names, not where they say.")
  var portsDirectory: String?

  /// The scenario with the ports that were asked for; prints all problems and exits with 78 if it
  /// has any.
  func load() throws -> Scenario {
    let scenario: Scenario
    do throws(ConfigurationProblems) {
      scenario = try Scenario.load(path: self.scenario)
    } catch {
      for line in error.lines { StandardStream.error.write(line + "\n") }
      throw ExitStatus.wrongConfiguration
    }
    return try listening(try linked(scenario))
  }

  private func linked(_ scenario: Scenario) throws -> Scenario {
    var scenario = scenario
    for index in scenario.stations.indices where scenario.stations[index].line != nil {
      let name = scenario.stations[index].name
      if let portsDirectory {
        guard portsDirectory.hasPrefix("/") else {
          throw ValidationError("--ports-directory \(portsDirectory): a path from / is expected")
        }
        scenario.stations[index].line?.link = "\(portsDirectory)/\(name)"
      } else if scenario.stations[index].line?.link == nil {
        throw ValidationError("the station \(name) has no link; --ports-directory is expected")
      }
    }
    return scenario
  }

  private func listening(_ scenario: Scenario) throws -> Scenario {
    guard let portsFrom else { return scenario }
    guard let moved = scenario.listening(portsFrom: portsFrom) else {
      throw ValidationError(
        "--ports-from \(portsFrom): \(scenario.stations.count) stations do not fit below 65536")
    }
    return moved
  }
}

extension Scenario {
  /// The same with consecutive ports; `nil` if they do not all fit.
  func listening(portsFrom first: UInt16) -> Scenario? {
    guard first > 0, Int(first) + stations.count - 1 <= Int(UInt16.max) else { return nil }
    var scenario = self
    for index in stations.indices { scenario.stations[index].port = first + UInt16(index) }
    return scenario
  }
}
