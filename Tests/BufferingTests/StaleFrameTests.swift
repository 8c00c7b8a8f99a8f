import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Frames of a segment that was used before")
struct StaleFrameTests {
  static let segmentBytes = 1 << 20

  /// A data stream that has gone round, so that its last segment is all but full of stale frames.
  func storage(_ settings: JournalSettings) throws -> MemoryStorage {
    let storage = MemoryStorage()
    let test = try StoreUnderTest(storage, settings)
    let device = DeviceSchema(name: "contacts", points: (0..<16).map { "d\($0)" })
    var seq: UInt64 = 0
    func generation() -> UInt64 {
      test.journal.index(of: .data).withLock { $0.segments.last?.generation ?? 0 }
    }
    while generation() < 4 {
      let samples = (0..<64).map { _ in test.sample(0, of: device) }
      var appended = 0
      try test.store.append(samples, appended: &appended)
      seq += 1
      test.acknowledge(seq)
    }
    return storage
  }

  func contents(_ storage: MemoryStorage) throws -> [[UInt8]] {
    try storage.list("store/data").sorted().map { name in
      let file = try storage.open("store/data/" + name, creating: false)
      return try file.read(try file.size(), at: 0)
    }
  }

  func duration(_ body: () throws -> Void) rethrows -> Duration {
    try ContinuousClock().measure(body)
  }

  @Test("Opening a store whose last segment is full of them costs a few scans of valid frames")
  func openingStaysQuick() throws {
    var settings = StoreUnderTest.settings(segments: 2, segmentBytes: Self.segmentBytes)
    settings.eventsBytes = 2 * Self.segmentBytes
    let storage = try storage(settings)
    let segments = try contents(storage)
    #expect(segments.count == 2)
    var batches = 0
    let valid = try duration {
      for bytes in segments {
        let header = try #require(try SegmentHeader.decode(Array(bytes[..<SegmentHeader.bytes])))
        let scan = bytes.withUnsafeBytes { SegmentScan($0, seed: header.frameSeed) }
        batches += scan.runs.reduce(0) { $0 + $1.seqs.count }
      }
    }
    #expect(batches > 100)
    let opening = try duration { _ = try StoreUnderTest(storage, settings) }
    // A checksum at every word makes it hundreds of times the work.
    #expect(opening < valid * 50, "opening took \(opening), scanning valid frames \(valid)")
  }
}
