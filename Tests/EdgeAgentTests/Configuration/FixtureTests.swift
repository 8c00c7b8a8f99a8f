import ConfigurationFile
import Foundation
import Testing
import TestSupport

@testable import EdgeAgent

@Suite("Configuration fixtures")
struct FixtureTests {
  @Test("An invalid file is refused with exactly the expected lines", arguments: Fixtures.invalid)
  func refusal(_ name: String) throws {
    let bytes = try Fixtures.bytes("invalid/\(name).yaml")
    let expected = try Fixtures.bytes("invalid/\(name).expected")
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in try Fixtures.load(bytes) }
    #expect(lines.map { $0 + "\n" }.joined() == String(decoding: expected, as: UTF8.self))
    #expect(!lines.isEmpty)
  }

  @Test("A valid file loads", arguments: Fixtures.valid)
  func acceptance(_ name: String) throws {
    _ = try Fixtures.load(try Fixtures.bytes("valid/\(name).yaml"))
  }

  @Test("There are fixtures at all")
  func count() {
    #expect(Fixtures.invalid.count >= 30)
    #expect(Fixtures.valid.count >= 2)
  }

  @Test("Every prefix of a valid file is accepted or refused in words")
  func truncation() throws {
    let bytes = try Fixtures.bytes("valid/contract.yaml")
    var refused = 0
    for length in 0..<bytes.count {
      refused += try judge(Array(bytes[..<length])) ? 0 : 1
    }
    #expect(refused > bytes.count / 2)
  }

  @Test("Every damaged file is accepted or refused in words", arguments: 0..<4)
  func damage(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let bytes = try Fixtures.bytes("valid/contract.yaml")
    var refused = 0
    for _ in 0..<250 {
      var damaged = bytes
      for _ in 0...Int.random(in: 0..<3, using: &generator) {
        let index = Int.random(in: damaged.indices, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1:
          damaged[index] =
            Array("{}[]:,&*!|>'\"#%\n -?0".utf8).randomElement(using: &generator) ?? 0
        default: damaged.remove(at: index)
        }
      }
      refused += try judge(damaged) ? 0 : 1
    }
    #expect(refused > 50)
  }

  /// Loads, and checks the form of the refusal; true if the file was accepted.
  private func judge(_ bytes: [UInt8]) throws -> Bool {
    do throws(ConfigurationProblems) {
      _ = try Fixtures.load(bytes)
      return true
    } catch {
      try #require(!error.problems.isEmpty)
      for line in error.lines {
        #expect(line.contains(/^[^:]+:[0-9]+:[0-9]+: ./))
        #expect(!line.contains { $0.isNewline })
      }
      return false
    }
  }
}
