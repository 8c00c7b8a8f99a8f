/// Reading configuration files: bytes to a tree to whatever a schema makes of it.
public enum ConfigurationDocument {
  /// Reads a file and decodes it. Throws every problem that the file has.
  /// - Parameters:
  ///   - path: The file; problems name it as given here.
  ///   - decode: Makes the result of the root; returns `nil` only after a problem was reported.
  public static func decode<Result>(
    path: String, _ decode: (ConfigurationValue) -> Result?
  ) throws(ConfigurationProblems) -> Result {
    let log = ProblemLog()
    return try result(load(path: path, log: log).flatMap(decode), path, log)
  }

  /// Decodes bytes that are at hand already; otherwise the same.
  public static func decode<Result>(
    _ bytes: [UInt8], file: String, _ decode: (ConfigurationValue) -> Result?
  ) throws(ConfigurationProblems) -> Result {
    let log = ProblemLog()
    return try result(parse(bytes, file: file, log: log).flatMap(decode), file, log)
  }

  /// Reads a file into a tree; `nil` if nothing of it can be decoded. For configurations that
  /// consist of several files: their problems end in one log.
  public static func load(path: String, log: ProblemLog) -> ConfigurationValue? {
    log.begin(file: path)
    do throws(FileRefusal) {
      return parse(try BoundedFile.read(path: path), file: path, log: log)
    } catch {
      log.add(
        ConfigurationProblem(
          file: path, position: .start, path: "", what: error.what, expected: error.expected))
      return nil
    }
  }

  /// Makes a tree of bytes; `nil` if nothing of them can be decoded.
  public static func parse(
    _ bytes: [UInt8], file: String, log: ProblemLog
  ) -> ConfigurationValue? {
    log.begin(file: file)
    func report(_ position: TextPosition, _ what: String, _ expected: String) {
      log.add(
        ConfigurationProblem(
          file: file, position: position, path: "", what: what, expected: expected))
    }
    guard bytes.count <= BoundedFile.maximumBytes else {
      let limit = sizeText(Int64(BoundedFile.maximumBytes))
      report(.start, "is larger than \(limit)", "a configuration is at most that large")
      return nil
    }
    let textProblems = TextCheck.problems(in: bytes)
    for problem in textProblems { report(problem.position, problem.what, problem.expected) }
    // YAML of a text with such faults would only repeat them in other words.
    guard textProblems.isEmpty, let root = YAMLTree.parse(bytes, report: report) else {
      return nil
    }
    return ConfigurationValue(node: root, keyPosition: nil, path: [], file: file, log: log)
  }

  private static func result<Result>(
    _ decoded: Result?, _ file: String, _ log: ProblemLog
  ) throws(ConfigurationProblems) -> Result {
    try log.check()
    guard let decoded else {
      // A schema that drops a value without a word has a fault itself; never pass that over.
      let problem = ConfigurationProblem(
        file: file, position: .start, path: "", what: "can't be decoded", expected: nil)
      throw ConfigurationProblems(problems: [problem], omitted: 0)
    }
    return decoded
  }
}
