import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("A store as others read it, and of an earlier version", .ownThread)
struct StoredElsewhereTests {
  static let reader = "\(Programs.sourceTree)/Tests/Python/read_journal.py"
  static let version1 = "\(Programs.sourceTree)/Tests/Fixtures/stores/version-1"

  static func settings(_ directory: String) -> JournalSettings {
    var settings = StoreUnderTest.settings(segments: 8, segmentBytes: 16 * 1024)
    settings.directory = directory
    settings.eventsBytes = 32 * 1024
    return settings
  }

  /// What the reader in Python prints of a store, and what it complains of.
  static func linesInPython(_ directory: String) throws -> (lines: [String], errors: String) {
    let python = try ChildProcess("python3", [reader, directory])
    #expect(try python.waitForEnd(within: 120) == 0)
    return (python.output.split(separator: "\n").map(String.init), python.errors)
  }

  @Test("A reader in Python that knows only the format's description reads the same, bit for bit")
  func python() throws {
    let directory = try TemporaryDirectory()
    let settings = Self.settings(directory.path + "/store")
    let clock = ManualClock()
    var generator = SeededGenerator(seed: 21)
    var walks = RandomWalks()
    for _ in 0..<3 {
      let test = try StoreUnderTest(DiskStorage(), settings, clock: clock)
      for _ in 0..<150 {
        clock.advance(by: .random(in: 0...900, using: &generator))
        let samples = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
          DefinedSample(
            walks.sample(at: clock.now(), using: &generator), definitions: test.definitions)
        }
        var appended = 0
        try test.store.append(samples, appended: &appended)
      }
    }
    let test = try StoreUnderTest(DiskStorage(), settings, clock: clock)
    let expected = (test.batches(.events) + test.batches(.data)).map(BatchLine.text)
    let (lines, errors) = try Self.linesInPython(settings.directory)
    #expect(expected.count > 450)
    #expect(lines == expected)
    #expect(errors == "")
  }

  @Test("Both readers read a store of version 1, and it is left behind as it was")
  func earlierVersion() throws {
    let expected = try String(decoding: bytes(of: Self.version1 + "/expected.jsonl"), as: UTF8.self)
      .split(separator: "\n").map(String.init)
    let (lines, errors) = try Self.linesInPython(Self.version1 + "/store")
    #expect(lines == expected)
    #expect(errors == "")

    let directory = try TemporaryDirectory()
    let copy = directory.path + "/store"
    #expect(
      try ChildProcess("cp", ["-r", Self.version1 + "/store", copy]).waitForEnd(within: 10) == 0)
    let before = try bytes(of: copy + "/data/00000002.seg")
    let test = try StoreUnderTest(DiskStorage(), Self.settings(copy))
    var generator = SeededGenerator(seed: 1)
    try test.append(20, using: &generator)
    let batches = (test.batches(.events) + test.batches(.data)).filter { $0.identity.epoch <= 2 }
    #expect(batches.map(BatchLine.text) == expected)
    #expect(test.batches(.data).filter { $0.identity.epoch == 3 }.count == 20)
    #expect(try bytes(of: copy + "/data/00000002.seg") == before)
  }

  @Test("A segment of a later version is told from a damaged one")
  func laterVersion() throws {
    var header = SampleCodingTests.header
    header.version = 3
    #expect(throws: SegmentHeaderError.newerVersion(found: 3, known: 2)) {
      try SegmentHeader.decode(header.encoded())
    }
  }

  private func bytes(of path: String) throws -> [UInt8] {
    let file = try DiskStorage().open(path, creating: false)
    return try file.read(file.size(), at: 0)
  }
}
