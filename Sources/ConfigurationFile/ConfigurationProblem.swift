/// One thing that is wrong with a configuration file.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
  /// The file, as it was named to the program.
  public var file: String
  /// Where it is wrong; 1:1 for the file as a whole.
  public var position: TextPosition
  /// The keys that lead there, such as `devices.return-air.unit`; empty for the whole file.
  public var path: String
  /// What is wrong.
  public var what: String
  /// What is expected instead, where `what` does not say so already.
  public var expected: String?

  /// `FILE:LINE:COLUMN: KEY.PATH: what is wrong; what is expected`, always one line.
  public var description: String {
    let place = "\(printable(file)):\(position.line):\(position.column): "
    let setting = path.isEmpty ? "" : path + ": "
    return place + setting + what + (expected.map { "; " + $0 } ?? "")
  }
}

/// Everything that is wrong with a configuration, sorted by file and line.
public struct ConfigurationProblems: Error, Sendable, Hashable, CustomStringConvertible {
  /// The problems; the main file's first.
  public var problems: [ConfigurationProblem]
  /// How many more there were than are listed.
  public var omitted: Int

  /// One line a problem, ready for standard error.
  public var lines: [String] {
    problems.map(\.description)
      + (omitted > 0 ? ["\(omitted) more problems are not listed"] : [])
  }

  /// The lines, joined.
  public var description: String { lines.joined(separator: "\n") }
}

/// Collects problems while files are read. Reading goes on after a problem, so that a technician
/// sees all of them at once.
public final class ProblemLog {
  /// Nobody mends more at a time, and a hostile file must not fill memory with messages.
  public static let capacity = 200

  private var entries: [(file: Int, problem: ConfigurationProblem)] = []
  private var files: [String] = []
  private var known: Set<ConfigurationProblem> = []
  private var omitted = 0

  /// Begins with no problem.
  public init() {}

  /// Whether nothing is wrong so far.
  public var isEmpty: Bool { entries.isEmpty }

  /// Notes a problem, once also if a file that several others use reports it for each of them;
  /// beyond `capacity` it is only counted, and the problem is not even made: finding the nearest
  /// name for each of 100,000 keys would take minutes.
  public func add(_ makeProblem: @autoclosure () -> ConfigurationProblem) {
    guard entries.count < Self.capacity else {
      omitted += 1
      return
    }
    let problem = makeProblem()
    guard known.insert(problem).inserted else { return }
    entries.append((order(of: problem.file), problem))
  }

  /// Fixes a file's place in the order of the report: first begun, first listed.
  func begin(file: String) { _ = order(of: file) }

  private func order(of file: String) -> Int {
    if let index = files.firstIndex(of: file) { return index }
    files.append(file)
    return files.count - 1
  }

  /// Throws all problems, if there are any.
  public func check() throws(ConfigurationProblems) {
    guard !entries.isEmpty else { return }
    // The standard library's sort is stable: problems of one place stay in their order.
    let sorted = entries.sorted {
      ($0.file, $0.problem.position) < ($1.file, $1.problem.position)
    }
    throw ConfigurationProblems(problems: sorted.map(\.problem), omitted: omitted)
  }
}

/// `text` with control characters and line breaks escaped, so that a message stays one line and
/// can't move a terminal's cursor.
public func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Longer texts are cut in messages: a line has to stay readable in a journal.
private let quotedLimit = 60

/// `text` in quotes, printable and cut to a length that fits a message.
func quoted(_ text: String) -> String {
  let scalars = text.unicodeScalars
  guard scalars.count > quotedLimit else { return "\"" + printable(text) + "\"" }
  return "\"" + printable(String(scalars.prefix(quotedLimit))) + "…\""
}
