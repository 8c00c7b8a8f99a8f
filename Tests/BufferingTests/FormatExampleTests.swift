import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("The example in docs/journal-format.md")
struct FormatExampleTests {
  static let document = "\(Programs.sourceTree)/docs/journal-format.md"
  static let header = SegmentHeader(
    stream: .data, generation: 7, store: 0x0123_4567_89AB_CDEF, epoch: 3, firstSeq: 41,
    definitions: 0xE8A3_BAFD)

  /// The fenced blocks of a language, without comments.
  static func blocks(_ language: String) throws -> [[String]] {
    let file = try DiskStorage().open(document, creating: false)
    let text = String(decoding: try file.read(file.size(), at: 0), as: UTF8.self)
    var blocks: [[String]] = []
    var isInside = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```\(language)" {
        blocks.append([])
        isInside = true
      } else if line.hasPrefix("```") {
        isInside = false
      } else if isInside {
        blocks[blocks.count - 1].append(String(line))
      }
    }
    return blocks
  }

  /// The bytes that the document shows: the header's first ones, then the frames.
  static func shown() throws -> (header: [UInt8], frames: [UInt8]) {
    let bytes = try blocks("hex").map { lines in
      lines.flatMap { line in
        (line.split(separator: "#", omittingEmptySubsequences: false).first ?? "")
          .split(separator: " ").map { UInt8($0, radix: 16) ?? 0 }
      }
    }
    return (bytes[0], Array(bytes[1...].joined()))
  }

  /// What the example says, as this program writes it.
  static func written() -> [UInt8] {
    let device = DeviceSchema(name: "return-air", points: ["ch4", "wind", "fault"])
    let rows: [(time: Int64, outcomes: [Outcome])] = [
      (
        125_000,
        [.good(.float32(0.52)), .good(.decimal(mantissa: 47, decimals: 1)), .good(.bool(false))]
      ),
      (
        126_002,
        [.good(.float32(0.53)), .good(.decimal(mantissa: 46, decimals: 1)), .good(.bool(false))]
      ),
      (127_500, [.bad(.timeout), .bad(.timeout), .bad(.timeout)]),
    ]
    var encoder = BatchEncoder(seed: header.frameSeed)
    var writer = ByteWriter()
    for (index, row) in rows.enumerated() {
      let outcomes = row.outcomes.enumerated().map {
        PointOutcome(point: $0.offset, outcome: $0.element)
      }
      let time = Timestamp(monotonic: row.time, offset: 1_760_000_000_000, clock: .synced)
      let sample = Sample(device: device, time: time, outcomes: outcomes)
      encoder.write(
        [DefinedSample(sample, definitions: header.definitions)],
        key: BatchKey(epoch: 3, seq: 41 + UInt64(index)),
        context: BatchContext(
          boot: BootID(rawValue: 0x3D1F_0C52), offset: time.offset, clock: .synced),
        to: &writer)
    }
    return writer.bytes
  }

  @Test("Its bytes are those that this program writes")
  func bytes() throws {
    let (header, frames) = try Self.shown()
    #expect(header == Array(Self.header.encoded()[..<48]))
    #expect(frames == Self.written())
  }

  @Test("Its bytes read as the batches that it shows")
  func batches() throws {
    let (head, frames) = try Self.shown()
    let bytes = head + [UInt8](repeating: 0, count: SegmentHeader.bytes - head.count) + frames
    let header = try #require(try SegmentHeader.decode(Array(bytes[..<SegmentHeader.bytes])))
    var finder = FrameFinder(header)
    var decoder = BatchDecoder(header)
    var offset = SegmentHeader.bytes
    var lines: [String] = []
    try bytes.withUnsafeBytes { bytes in
      while let (frame, start) = finder.next(bytes, from: offset) {
        offset = start + frame.bytes
        let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
        guard let taken = decoder.take(frame.kind, body), let read = taken.content else { continue }
        let content = try read.get()
        lines.append(
          BatchLine.text(
            Batch(
              identity: BatchIdentity(
                store: header.store, stream: header.stream, epoch: taken.key.epoch,
                seq: taken.key.seq),
              boot: content.context.boot, offset: content.context.offset,
              clock: content.context.clock, definitions: header.definitions, isDurable: true,
              body: content.body)))
      }
    }
    #expect(try lines == Self.blocks("jsonl").flatMap { $0 })
  }
}
