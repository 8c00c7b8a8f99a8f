import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Compact coding")
struct SampleCodingTests {
  static let context = BatchContext(
    boot: StoreUnderTest.boot, offset: 1_760_000_000_000, clock: .synced)
  static let header = SegmentHeader(
    stream: .data, generation: 4, store: 0xABCD, epoch: 9, firstSeq: 100, definitions: 5)

  /// A segment of format version 2 as it is written batch by batch.
  struct Written {
    var encoder = BatchEncoder(seed: SampleCodingTests.header.frameSeed)
    var writer = ByteWriter()
    var batches: [[DefinedSample]] = []
    /// Where each batch's frames begin.
    var starts: [Int] = []
    var contexts: [BatchContext] = []

    init() { writer.space(SegmentHeader.bytes) }

    mutating func append(_ batch: [DefinedSample], _ context: BatchContext = context) {
      let key = BatchKey(epoch: 9, seq: 100 + UInt64(batches.count))
      starts.append(writer.count)
      encoder.write(batch[...], key: key, context: context, to: &writer)
      batches.append(batch)
      contexts.append(context)
    }
  }

  /// What is read of a segment's bytes, by seq; `nil` for a batch that is known and can't be read.
  static func read(_ bytes: [UInt8]) -> [(seq: UInt64, content: BatchDecoder.Content?)] {
    var finder = FrameFinder(header)
    var decoder = BatchDecoder(header)
    var offset = SegmentHeader.bytes
    var read: [(UInt64, BatchDecoder.Content?)] = []
    bytes.withUnsafeBytes { bytes in
      while let (frame, start) = finder.next(bytes, from: offset) {
        offset = start + frame.bytes
        let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
        if let taken = decoder.take(frame.kind, body) {
          read.append((taken.key.seq, try? taken.content?.get()))
        }
      }
    }
    return read
  }

  static func check(
    _ content: BatchDecoder.Content?, _ written: Written, _ index: Int, _ comment: Comment
  ) {
    guard let content, case .samples(let samples) = content.body else {
      Issue.record(comment)
      return
    }
    let batch = written.batches[index].map(\.sample)
    #expect(content.context == written.contexts[index], comment)
    #expect(samples.map(\.device) == batch.map(\.device), comment)
    #expect(samples.map(\.monotonic) == batch.map(\.time.monotonic), comment)
    // As text, which has every bit: what is no number is equal to nothing.
    #expect(samples.map(text) == batch.map { text($0) }, comment)
  }

  private static func text(_ sample: StoredSample) -> [String] { text(sample.outcomes) }
  private static func text(_ sample: Sample) -> [String] { text(sample.outcomes) }
  private static func text(_ outcomes: [PointOutcome]) -> [String] {
    outcomes.map { "\($0.point) \(BatchLine.text($0.outcome))" }
  }

  /// Batches of samples in which each point goes its own way, with jumps between all types.
  static func random(batches count: Int, seed: UInt64) -> Written {
    var generator = SeededGenerator(seed: seed)
    var walks = RandomWalks()
    var written = Written()
    var context = context
    var time: Int64 = 1_000_000
    for _ in 0..<count {
      if Int.random(in: 0..<20, using: &generator) == 0 {
        context.offset += .random(in: -5000...5000, using: &generator)
      }
      if Int.random(in: 0..<60, using: &generator) == 0 {
        context.clock = context.clock == .synced ? .unsynced : .synced
      }
      let batch = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
        time += .random(in: -20...2000, using: &generator)
        let stamp = Timestamp(monotonic: time, offset: context.offset, clock: context.clock)
        return DefinedSample(walks.sample(at: stamp, using: &generator), definitions: 5)
      }
      written.append(batch, context)
    }
    return written
  }

  @Test("Any samples come back bit for bit, whatever their points were before", arguments: 0..<40)
  func roundTrip(seed: UInt64) {
    let written = Self.random(batches: 150, seed: seed)
    let read = Self.read(written.writer.bytes)
    let all = Array(UInt64(100)..<250)
    #expect(read.map(\.seq) == all)
    for (index, batch) in read.enumerated() {
      Self.check(batch.content, written, index, "seed \(seed), batch \(index)")
    }
  }

  @Test("A changed byte costs what builds on it, and no batch reads as another", arguments: 0..<40)
  func damage(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let written = Self.random(batches: 150, seed: seed)
    var bytes = written.writer.bytes
    let place = Int.random(in: SegmentHeader.bytes..<bytes.count, using: &generator)
    bytes[place] ^= .random(in: 1...255, using: &generator)
    var good: Set<Int> = []
    for batch in Self.read(bytes) where batch.content != nil {
      let index = Int(batch.seq) - 100
      guard written.batches.indices.contains(index) else {
        Issue.record("seed \(seed): a batch \(batch.seq) that was never written")
        continue
      }
      good.insert(index)
      Self.check(batch.content, written, index, "seed \(seed), batch \(index)")
    }
    let hit = (written.starts.lastIndex { $0 <= place }) ?? 0
    #expect(good.isSuperset(of: 0..<hit), "seed \(seed)")
    #expect(!good.contains(hit) || good.count == 150, "seed \(seed)")
  }

  @Test("Any bytes in a frame are read or refused, never read beyond", arguments: 0..<300)
  func garbage(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let written = Self.random(batches: 3, seed: seed)
    var decoder = BatchDecoder(Self.header)
    var finder = FrameFinder(Self.header)
    var offset = SegmentHeader.bytes
    written.writer.bytes.withUnsafeBytes { bytes in
      while let (frame, start) = finder.next(bytes, from: offset) {
        offset = start + frame.bytes
        var body = Array(bytes[frame.body])
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: body.removeLast(Int.random(in: 0...body.count, using: &generator))
        case 1:
          for _ in 0..<3 where !body.isEmpty {
            let index = body.indices.randomElement(using: &generator) ?? 0
            body[index] = .random(in: 0...255, using: &generator)
          }
        case 2: body = body.map { _ in .random(in: 0...255, using: &generator) }
        default: break
        }
        _ = body.withUnsafeBytes { decoder.take(frame.kind, $0) }
      }
    }
  }

  @Test("What builds on a lost batch is known by its seq, up to the next key")
  func lostDelta() {
    let device = DeviceSchema(name: "d", points: (0..<16).map { "p\($0)" })
    var written = Written()
    for index in 0..<200 {
      let outcomes = (0..<16).map { point in
        PointOutcome(point: point, outcome: .good(.float32(.pi * Float(index + point))))
      }
      let time = Timestamp(monotonic: Int64(index) * 1000, offset: 0, clock: .synced)
      let sample = Sample(device: device, time: time, outcomes: outcomes)
      written.append([DefinedSample(sample, definitions: 5)])
    }
    var bytes = written.writer.bytes
    bytes[written.starts[10] + 20] ^= 1
    let read = Self.read(bytes)
    let readable = Array(UInt64(100)..<300).filter { $0 != 110 }
    #expect(read.map(\.seq) == readable)
    let unread = read.filter { $0.content == nil }.map(\.seq)
    #expect(unread.first == 111)
    #expect(unread == Array(111...110 + UInt64(unread.count)))
    // 16 floats are 80 bytes at most, and a key follows after 4096.
    #expect(unread.count > 30 && unread.count < 80, "\(unread.count)")
  }

  @Test("A lost dictionary entry costs what lies before its repetition, and no more")
  func lostEntry() {
    let device = DeviceSchema(name: "d", points: (0..<16).map { "p\($0)" })
    var generator = SeededGenerator(seed: 1)
    var written = Written()
    while written.writer.count < 300 * 1024 {
      let outcomes = (0..<16).map { point in
        PointOutcome(
          point: point, outcome: .good(.float32(.random(in: 0...1, using: &generator))))
      }
      let time = Timestamp(
        monotonic: Int64(written.batches.count) * 1000, offset: 0, clock: .synced)
      let sample = Sample(device: device, time: time, outcomes: outcomes)
      written.append([DefinedSample(sample, definitions: 5)])
    }
    var bytes = written.writer.bytes
    bytes[written.starts[0] + 8] ^= 1
    let read = Self.read(bytes)
    let unread = read.filter { $0.content == nil }
    #expect(read.count == written.batches.count)
    #expect(!unread.isEmpty)
    #expect(unread.count < read.count / 3)
    #expect(read.suffix(read.count / 2).allSatisfy { $0.content != nil })
  }
}
