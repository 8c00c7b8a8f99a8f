import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Frames of a segment that was used before")
struct StaleFrameTests {
  static let segmentBytes = 1 << 18

  static var settings: JournalSettings {
    var settings = StoreUnderTest.settings(segments: 2, segmentBytes: segmentBytes)
    settings.eventsBytes = 2 * segmentBytes
    return settings
  }

  /// A data stream of two files whose last segment, just begun, has this generation.
  func storage(generation: UInt64) throws -> MemoryStorage {
    let storage = MemoryStorage()
    let test = try StoreUnderTest(storage, Self.settings)
    let device = DeviceSchema(name: "contacts", points: (0..<16).map { "d\($0)" })
    var seq: UInt64 = 0
    var generator = SeededGenerator(seed: 1)
    while test.journal.end(of: .data).generation < generation {
      let samples = (0..<64).map { _ in
        test.sample(.random(in: 0...(.max), using: &generator), of: device)
      }
      var appended = 0
      try test.store.append(samples, appended: &appended)
      seq += 1
      test.acknowledge(seq)
    }
    return storage
  }

  /// How long it takes to scan a segment that is full of valid frames, in a file never used before.
  func scanOfValidFrames() throws -> Duration {
    let file = try storage(generation: 2).open("store/data/00000001.seg", creating: false)
    let bytes = try file.read(Self.segmentBytes, at: 0)
    let header = try #require(try SegmentHeader.decode(Array(bytes[..<SegmentHeader.bytes])))
    var scan: SegmentScan?
    let duration = ContinuousClock().measure {
      scan = bytes.withUnsafeBytes { SegmentScan($0, header) }
    }
    #expect((scan?.end ?? 0) > Self.segmentBytes * 9 / 10)
    return duration
  }

  @Test("Opening a store whose last segment is full of them costs a few scans of valid frames")
  func openingStaysQuick() throws {
    let valid = try scanOfValidFrames()
    // The stream has gone round: all but the first frame of its last segment is stale.
    let storage = try storage(generation: 4)
    let opening = try ContinuousClock().measure {
      _ = try StoreUnderTest(storage, Self.settings)
    }
    // A checksum at every word makes it tens of thousands of times the work.
    #expect(opening < valid * 1000, "opening took \(opening), scanning valid frames \(valid)")
  }
}
