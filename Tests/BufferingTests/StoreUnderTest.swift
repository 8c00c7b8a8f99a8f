import LinuxSystem
import Telemetry
import TestSupport

@testable import Buffering

/// A store on a simulated disk, with small segments so that roll-over is reached.
struct StoreUnderTest {
  static let province = DestinationName("province")
  static let boot = BootID(rawValue: 0x3D1F_0C52)
  static let definitions = Array(#"{"v":1}"#.utf8)

  let store: JournalStore
  let clock: ManualClock
  let definitions: UInt32
  var journal: Journal { store.journal }

  static func settings(
    segments: Int = 8, segmentBytes: Int = 32 * 1024,
    destinations: [DestinationName] = [province], definitions: [UInt8] = definitions,
    boot: BootID = boot
  ) -> JournalSettings {
    var settings = JournalSettings(
      directory: "store", dataBytes: segments * segmentBytes,
      eventsBytes: segments * segmentBytes, commitMilliseconds: 1000,
      destinations: destinations, definitions: definitions, agentVersion: "test", boot: boot)
    settings.segmentBytes = segmentBytes
    return settings
  }

  init(
    _ disk: any Storage, _ settings: JournalSettings = settings(),
    clock: ManualClock = ManualClock()
  ) throws {
    self.clock = clock
    definitions = settings.definitionsDigest
    store = try JournalStore(settings, storage: disk, clock: clock)
  }

  /// Appends `count` samples, a batch each, a second apart.
  func append(_ count: Int, using generator: inout SeededGenerator) throws {
    for _ in 0..<count {
      clock.advance(by: 1000)
      var appended = 0
      let sample = RandomSamples.sample(at: clock.now(), using: &generator)
      try store.append(
        [DefinedSample(sample, definitions: definitions)], appended: &appended)
    }
  }

  func batches(_ stream: StreamName, for destination: DestinationName = province) -> [Batch] {
    let reader = journal.reader(of: stream, for: destination, from: .start)
    var batches: [Batch] = []
    while let next = reader.next(before: nil) { batches.append(next.batch) }
    return batches
  }

  /// The events of a type, with their details as JSON text.
  func events(_ type: String) -> [String] {
    batches(.events).flatMap { batch -> [StoredEvent] in
      if case .events(let events) = batch.body { events } else { [] }
    }
    .filter { $0.type == type }
    .map { String(decoding: $0.details, as: UTF8.self) }
  }
}

extension Batch {
  var seq: UInt64 { identity.seq }
}
