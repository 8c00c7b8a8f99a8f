import ConfigurationFile
import Foundation
import Testing
import TestSupport

/// The lines of a document's problems when nothing is decoded of it.
private func problems(_ bytes: [UInt8]) -> [String] {
  do throws(ConfigurationProblems) {
    _ = try ConfigurationDocument.decode(bytes, file: "f") { $0.node }
    return []
  } catch {
    return error.lines
  }
}

private func problems(_ text: String) -> [String] { problems(Array(text.utf8)) }

private func problems(file: String) -> [String] {
  do throws(ConfigurationProblems) {
    _ = try ConfigurationDocument.decode(path: file) { $0.node }
    return []
  } catch {
    return error.lines.map { $0.replacingOccurrences(of: file, with: "f") }
  }
}

/// A directory that is removed with its content.
private func withDirectory(_ body: (String) throws -> Void) throws {
  let path = FileManager.default.temporaryDirectory.path + "/configuration-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: path) }
  try body(path)
}

/// Far above what a bounded reader takes on a busy machine under a sanitizer, far below what
/// libyaml takes for 200,000 brackets (over a minute).
private let soon = Duration.seconds(15)

@Suite("Documents")
struct DocumentTests {
  @Test("Files that are none are refused without waiting for them")
  func files() throws {
    try withDirectory { directory in
      #expect(
        problems(file: directory + "/none") == [
          "f:1:1: can't be read: No such file or directory; a readable file is expected"
        ])
      #expect(problems(file: directory) == ["f:1:1: is a directory; a file is expected"])
      let fifo = directory + "/fifo"
      try #require(mkfifo(fifo, 0o600) == 0)
      #expect(problems(file: fifo) == ["f:1:1: is not a regular file; a file is expected"])
      #expect(problems(file: "/dev/zero") == ["f:1:1: is not a regular file; a file is expected"])
      let empty = directory + "/empty"
      try Data().write(to: URL(filePath: empty))
      #expect(problems(file: empty) == ["f:1:1: the file is empty; settings are expected"])
      let good = directory + "/good"
      try Data("a: 1\n".utf8).write(to: URL(filePath: good))
      #expect(problems(file: good) == [])
    }
    #expect(problems(file: "") != [])
    #expect(problems("").isEmpty == false)
  }

  @Test("A file over the limit is refused at once and not read")
  func largeFile() throws {
    try withDirectory { directory in
      for size in [100_000_000, 1_048_577] {
        let path = directory + "/large-\(size)"
        try Data().write(to: URL(filePath: path))
        try #require(truncate(path, off_t(size)) == 0)
        let time = ContinuousClock().measure {
          #expect(
            problems(file: path) == [
              "f:1:1: is larger than 1MiB; a configuration is at most that large"
            ])
        }
        #expect(time < soon)
      }
    }
  }

  @Test("A file of the largest size is read")
  func largestFile() throws {
    let head = Array("a: 1\n#".utf8)
    let bytes = head + [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) - head.count)
    #expect(problems(bytes) == [])
    #expect(problems(bytes + [10]).count == 1)
  }

  @Test("Text made to keep a parser busy is refused soon")
  func hostileTexts() {
    let texts: [(name: String, text: String)] = [
      ("brackets", "a: " + String(repeating: "[", count: 200_000)),
      ("braces", String(repeating: "{", count: 200_000)),
      ("dashes", String(repeating: "- ", count: 200_000)),
      ("question marks", String(repeating: "? ", count: 200_000)),
      ("lines of brackets", "a: " + String(repeating: "[\n", count: 100_000)),
      ("elements", "a: [" + String(repeating: "1,", count: 500_000) + "]"),
      ("indents", (0..<1000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()),
      ("keys", (0..<100_000).map { "k\($0):\n" }.joined()),
      ("quotes", String(repeating: "\"", count: 1_000_000)),
      ("anchors", String(repeating: "- &a b\n", count: 40_000)),
      ("tags", String(repeating: "- !a b\n", count: 40_000)),
      ("directives", String(repeating: "%TAG ! a\n", count: 100_000)),
      ("tabs", String(repeating: "\t\n", count: 500_000)),
      ("documents", String(repeating: "---\n", count: 200_000)),
    ]
    for (name, text) in texts {
      let time = ContinuousClock().measure { #expect(!problems(text).isEmpty, "\(name)") }
      #expect(time < soon, "\(name) took \(time)")
    }
  }

  @Test("Aliases are refused before anything could expand")
  func billionLaughs() {
    let letters = Array("abcdefghijk")
    let rows = zip(letters, letters.dropFirst()).map { previous, letter in
      "\(letter): &\(letter) [" + Array(repeating: "*\(previous)", count: 9).joined(separator: ",")
        + "]\n"
    }
    let time = ContinuousClock().measure {
      #expect(problems("a: &a [lol]\n" + rows.joined()).count == 101)
    }
    #expect(time < soon)
  }

  @Test("Lines may end in CR LF and a file may begin with a byte order mark")
  func lineEnds() {
    #expect(problems("a: 1\r\nb: 2\r\n") == [])
    #expect(problems([0xEF, 0xBB, 0xBF] + Array("a: 1\n".utf8)) == [])
    #expect(
      problems([0xEF, 0xBB, 0xBF] + Array("a: \u{7}\n".utf8)) == [
        "f:1:4: control character 0x7; plain text is expected"
      ])
    #expect(problems("%YAML 1.1\n---\na: 1\n...\n") == [])
  }

  @Test("The first byte that is not UTF-8 is named with its place")
  func invalidUTF8() {
    #expect(
      problems(Array("a: 煤\nb: 矿".utf8) + [0xED, 0xA0, 0x80]) == [
        "f:2:5: byte 0xED is not UTF-8; the file has to be saved as UTF-8"
      ])
  }

  @Test("Positions count from 1 and a Chinese character is one column")
  func positions() throws {
    let node = try ConfigurationDocument.decode(Array("名: [矿, 2]\nb:\n  c: 3\n".utf8), file: "f") {
      $0.node
    }
    guard case .mapping(let members) = node.content,
      case .sequence(let list) = members[0].value.content
    else {
      Issue.record("no mapping with a list")
      return
    }
    #expect(members.map(\.key) == ["名", "b"])
    #expect(
      list.map(\.position) == [TextPosition(line: 1, column: 5), TextPosition(line: 1, column: 8)])
    #expect(members[1].keyPosition == TextPosition(line: 2, column: 1))
    #expect(members[1].value.position == TextPosition(line: 3, column: 3))
  }

  @Test("Any bytes at all are accepted or refused in lines", arguments: 0..<8)
  func anyBytes(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let pieces = [
      "a", ": ", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&x", "*x", "!t", "|", ">",
      "'", "\"", "#", "?", "\\u2028", "煤", "\t", "\u{85}", "\r", "---\n", "...\n", "%", "\u{FEFF}",
    ]
    var refused = 0
    for _ in 0..<500 {
      let count = Int.random(in: 0..<30, using: &generator)
      let text = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
      let lines = problems(text)
      refused += lines.isEmpty ? 0 : 1
      for line in lines {
        #expect(line.contains(/^f:[0-9]+:[0-9]+: ./) && !line.contains { $0.isNewline }, "\(text)")
      }
    }
    #expect(refused > 100 && refused < 500)
  }
}
