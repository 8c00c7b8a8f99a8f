import LinuxSystem
import Telemetry
import TestSupport

@testable import Buffering

/// A gap event as it is read back from a store.
struct StoredGap: Hashable {
  var stream: String
  var reason: String
  /// What is missing, where the gap speaks of batches.
  var seqs: ClosedRange<UInt64>?
  /// What is missing, where the gap speaks of time: wall time in Unix milliseconds.
  var times: ClosedRange<Int64>?
  var count: Int?

  /// `details` as a stored event has them: JSON members without braces.
  init(details: String) {
    func text(_ key: String) -> Substring? {
      let parts = details.split(separator: "\"\(key)\":", omittingEmptySubsequences: false)
      return parts.count > 1 ? parts[1] : nil
    }
    func word(_ key: String) -> String {
      (text(key)?.dropFirst().prefix { $0 != "\"" }).map(String.init) ?? ""
    }
    func number<Number: FixedWidthInteger>(_ key: String) -> Number? {
      text(key).flatMap { Number($0.prefix { $0.isNumber }) }
    }
    stream = word("stream")
    reason = word("reason")
    count = number("count")
    if let from: UInt64 = number("from-seq"), let to: UInt64 = number("to-seq") {
      seqs = from...to
    }
    if let from: Int64 = number("from"), let to: Int64 = number("to") { times = from...to }
  }
}

extension StoreUnderTest {
  var gaps: [StoredGap] { events("gap").map(StoredGap.init(details:)) }

  func gaps(_ reason: GapReason) -> [StoredGap] { gaps.filter { $0.reason == reason.rawValue } }

  /// All seqs that gaps with this reason name.
  func explained(by reason: GapReason) -> [UInt64] {
    gaps(reason).compactMap(\.seqs).flatMap(Array.init)
  }

  var seqs: [UInt64] { batches(.data).map(\.seq) }

  /// Samples that can be read.
  var sampleCount: Int {
    batches(.data).reduce(0) { count, batch in
      if case .samples(let samples) = batch.body { count + samples.count } else { count }
    }
  }

  var newestSeq: UInt64 {
    journal.newest(of: .data)?.seq ?? 0
  }

  var segmentCount: Int { journal.index(of: .data).withLock { $0.segments.count } }

  /// A sample of `device`, a second after the one before, every point with the same value.
  func sample(_ value: Int = 0, of device: DeviceSchema = RandomSamples.devices[1]) -> DefinedSample
  {
    clock.advance(by: 1000)
    let outcomes = device.points.indices.map {
      PointOutcome(point: $0, outcome: .good(.int(Int64(value))))
    }
    return DefinedSample(
      Sample(device: device, time: clock.now(), outcomes: outcomes), definitions: definitions)
  }

  /// Appends one sample as a batch of its own.
  func append(_ sample: DefinedSample) throws {
    var appended = 0
    try store.append([sample], appended: &appended)
  }

  /// Appends batches until the data stream has this many segments.
  func fill(segments: Int) throws {
    while segmentCount < segments { try append(sample()) }
  }

  /// Marks a batch of the running epoch as delivered.
  func acknowledge(_ seq: UInt64) {
    let identity = BatchIdentity(
      store: journal.store, stream: .data, epoch: journal.epoch, seq: seq)
    journal.acknowledge(identity, by: Self.province)
  }

  /// Ends the epoch in order.
  func end() throws {
    try store.close(reason: "test")
    try store.seal()
  }
}

extension SimulatedDisk {
  /// The segment files of the data stream, by name.
  var dataSegments: [String] { paths.filter { $0.hasPrefix("store/data/") } }
}
