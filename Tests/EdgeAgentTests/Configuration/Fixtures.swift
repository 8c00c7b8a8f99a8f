import ConfigurationFile
import Foundation

@testable import EdgeAgent

/// The configurations in Tests/Fixtures, and the boards that the package ships.
enum Fixtures {
  static let root = URL(filePath: #filePath).appending(path: "../../../..").standardized
  static let folder = root.appending(path: "Tests/Fixtures/configurations")
  static let invalid = names(in: "invalid")
  static let valid = names(in: "valid")
  /// Broken board files and profiles first, then the shipped ones.
  static let boards = BoardDirectories([
    folder.appending(path: "boards").path, root.appending(path: "boards").path,
  ])

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: name)))
  }

  static func load(_ bytes: [UInt8]) throws(ConfigurationProblems) -> AgentConfiguration {
    try AgentConfiguration.load(bytes, file: "FILE", boards: boards)
  }

  static func load(text: String) throws(ConfigurationProblems) -> AgentConfiguration {
    try load(Array(text.utf8))
  }

  /// The lines of a load's problems, with the folders' names in place of this machine's paths.
  static func lines(_ body: () throws(ConfigurationProblems) -> AgentConfiguration) -> [String] {
    do throws(ConfigurationProblems) {
      _ = try body()
      return []
    } catch {
      return error.lines.map { line in
        zip(boards.paths, ["BOARDS", "SHIPPED"]).reduce(line) {
          $0.replacingOccurrences(of: $1.0, with: $1.1)
        }
      }
    }
  }

  private static func names(in folder: String) -> [String] {
    let path = self.folder.appending(path: folder).path
    let files = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
  }
}
