/// The tree's own rules. Each gives what breaks it, and nothing for a tidy tree.
enum Rules {
  static let linesMax = 400
  static let columnsMax = 100

  /// Full Foundation brings 40 MB of ICU into a static program, and its small part 7 MB.
  static func foundation(_ file: SourceFile) -> [String] {
    problems(file, "imports Foundation") { $0.contains(/^\s*(@?\w+ )*import (\w+ )?Foundation/) }
  }

  /// What ends the program, or writes past the log, needs a reason beside it.
  static func bluntCalls(_ file: SourceFile) -> [String] {
    // What commands print is what they are for; the two tools are for reading on a terminal.
    let mayPrint = ["/Commands/", "Sources/MineSimulator/", "Sources/EdgeReceive/"]
      .contains { file.path.contains($0) }
    return file.lines.indices.flatMap { index -> [String] in
      guard !file.isExplained(index) else { return [] }
      let code = file.code(index)
      var words: [String] = []
      if code.contains(/\btry!/) { words.append("try!") }
      if code.contains(/\bas!/) { words.append("as!") }
      if code.contains(/\bfatalError\(/) { words.append("fatalError") }
      if !mayPrint, code.contains(/(^|[^\w.])print\(/) { words.append("print") }
      return words.map { file.problem(index, "\($0) without a comment that says why") }
    }
  }

  static func size(_ file: SourceFile) -> [String] {
    file.lines.count <= linesMax
      ? [] : ["\(file.path): has \(file.lines.count) lines; at most \(linesMax) are expected"]
  }

  static func columns(_ file: SourceFile) -> [String] {
    file.lines.indices.filter { file.lines[$0].count > columnsMax }.map {
      file.problem($0, "has \(file.lines[$0].count) columns; at most \(columnsMax) are expected")
    }
  }

  /// What is left to do is an issue, not a comment.
  static func leftovers(_ file: SourceFile) -> [String] {
    // Put together, so that this line does not break its own rule.
    let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
    return file.lines.indices.flatMap { index in
      let found = file.lines[index].split { !$0.isLetter }.map(String.init)
      return words.filter(found.contains).map { file.problem(index, "says \($0)") }
    }
  }

  /// A C module's folder stands in the folder of the Swift that wraps it, and nothing else imports
  /// it: what is learnt about a C library has one place.
  static func cModules(_ files: [SourceFile]) -> [String] {
    files.flatMap { file in
      file.lines.indices.flatMap { index -> [String] in
        guard let match = file.lines[index].firstMatch(of: /^\s*(\w+ )*import (C[A-Z]\w*)/) else {
          return []
        }
        let module = String(match.2)
        let home = files.lazy.map(\.folder).first {
          $0.hasSuffix("/" + module) || $0.hasSuffix("/\(module)/include")
        }
        guard let home else { return [file.problem(index, "\(module) has no folder")] }
        let room = home.split(separator: "/").prefix { $0 != module }.joined(separator: "/")
        guard !file.path.hasPrefix(room + "/") else { return [] }
        return [file.problem(index, "imports \(module), which is for \(room) only")]
      }
    }
  }

  /// Words of closed lists that a document has no table row for.
  static func undocumented(_ words: [String], in document: SourceFile) -> [String] {
    let rows = document.lines.filter { $0.hasPrefix("| `") }
    return words.filter { word in
      !rows.contains { row in
        row.split(separator: "|").first.map { $0.contains("`\(word)`") } ?? false
      }
    }
  }

  /// The raw values of the enum of strings of this name.
  static func rawValues(of name: String, in file: SourceFile) -> [String] {
    guard let start = file.lines.firstIndex(where: { $0.contains("enum \(name): String") }) else {
      return []
    }
    return file.lines[start...].prefix { $0 != "}" }.compactMap { line in
      line.firstMatch(of: /^  case (\w+)(?: = "(.*)")?$/).map { String($0.2 ?? $0.1) }
    }
  }

  private static func problems(
    _ file: SourceFile, _ what: String, _ isWrong: (Substring) -> Bool
  ) -> [String] {
    file.lines.indices.filter { isWrong(file.code($0)) }.map { file.problem($0, what) }
  }
}
