internal import ArgumentParser
internal import Buffering
internal import ConfigurationFile
internal import Telemetry

/// `edge-agent journal`.
struct JournalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "journal", abstract: "Look into a store: verify, stats, dump.",
    discussion: """
      Prints JSON lines. Changes nothing and takes no lock, so it may run beside the agent; what \
      an agent is writing at the moment is no damage. Reads as whoever may read the files. Exits \
      with 66 if there is no store.
      """,
    subcommands: [
      JournalVerifyCommand.self, JournalStatsCommand.self, JournalDumpCommand.self,
    ])
}

/// What every look into a store needs.
struct StoreArguments: ParsableArguments {
  @Argument(help: "The store's directory.", completion: .directory)
  var directory: String
  @Option(help: "Only this stream: data or events.")
  var stream: StreamChoice?

  /// The streams that are asked for.
  var streams: [StreamName] { stream.map { [$0.name] } ?? StreamName.allCases }

  /// The store, or why there is none and exit 66.
  func open() throws -> StoreInspection {
    do throws(InspectionError) {
      return try StoreInspection(directory: directory)
    } catch {
      Log.error(error.description)
      throw ExitStatus.noStore
    }
  }
}

/// A stream as it is named on the command line.
enum StreamChoice: String, ExpressibleByArgument, CaseIterable {
  case data
  case events

  var name: StreamName {
    switch self {
    case .data: .data
    case .events: .events
    }
  }
}

/// The configuration that says what a store does not know itself.
struct StoreOwner: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: """
      The configuration that the store belongs to. Without it that in \
      \(AgentConfiguration.defaultPath) is used if it names the store.
      """, completion: .file())
  var configuration: String?

  /// The owner of the store in `directory`; `nil` if nothing says who that is.
  func configuration(of directory: String) throws -> AgentConfiguration? {
    if let configuration { return try AgentConfiguration.loadOrExit(configuration) }
    let path = AgentConfiguration.defaultPath
    let boards = BoardDirectories(forConfiguration: path)
    // Nobody asked for it: one that is wrong or unreadable is not the matter here.
    let usual = try? AgentConfiguration.load(path: path, boards: boards)
    guard let usual, Self.trimmed(usual.storage.directory) == Self.trimmed(directory) else {
      return nil
    }
    return usual
  }

  private static func trimmed(_ path: String) -> Substring {
    var path = path[...]
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}

extension JSONWriter {
  /// A member with three decimals, or null.
  mutating func member(_ name: String, _ number: Double?) {
    key(name)
    guard let number, number.magnitude < 1e15 else { return null() }
    double((number * 1000).rounded() / 1000)
  }

  /// A member that is an integer, or null.
  mutating func member(_ name: String, _ number: Int64?) {
    key(name)
    if let number { int(number) } else { null() }
  }

  /// The members of a run of batches.
  mutating func members(of run: BatchRun) {
    member("store", hexadecimal(run.store, digits: 16))
    member("epoch", run.epoch)
    member("from-seq", run.seqs.lowerBound)
    member("to-seq", run.seqs.upperBound)
  }
}
