import Foundation
import TestSupport

/// A text file of the tree, for rules to look at.
struct SourceFile: Sendable {
  /// Its path from the top of the tree, such as `Sources/MQTT/MQTTError.swift`.
  var path: String
  var lines: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // The newline at the end begins no line.
    if lines.last?.isEmpty == true { lines.removeLast() }
  }

  var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }

  /// A line's place with what is wrong there, as compilers print it.
  func problem(_ index: Int, _ what: String) -> String { "\(path):\(index + 1): \(what)" }

  /// The line without what follows `//`, so that words in comments are not taken for calls. A `//`
  /// in a string ends the line, too: then a rule sees less, never more.
  func code(_ index: Int) -> Substring {
    let line = lines[index]
    return line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line[...]
  }

  /// Whether a comment on this line or the one before says why.
  func isExplained(_ index: Int) -> Bool {
    func isReason(_ line: String) -> Bool {
      line.firstRange(of: "//").map { !line[$0.lowerBound...].hasPrefix("///") } ?? false
    }
    return isReason(lines[index]) || (index > 0 && isReason(lines[index - 1]))
  }
}

/// The files of the tree.
enum Tree {
  static let sources = files(in: "Sources")
  static let tests = files(in: "Tests")
  static let all = sources + tests + files(in: "docs") + files(in: "scripts") + files(in: "boards")

  static let swiftAndC = (sources + tests).filter { file in
    [".swift", ".c", ".h", ".modulemap"].contains { file.path.hasSuffix($0) }
  }

  static func file(_ path: String) -> SourceFile {
    SourceFile(path: path, text: text(of: Programs.sourceTree + "/" + path))
  }

  private static func files(in folder: String) -> [SourceFile] {
    let root = Programs.sourceTree + "/" + folder
    let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return names.sorted().compactMap { name in
      guard let data = FileManager.default.contents(atPath: root + "/" + name),
        let text = String(data: data, encoding: .utf8)
      else { return nil }
      return SourceFile(path: folder + "/" + name, text: text)
    }
  }
}
