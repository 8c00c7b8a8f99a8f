import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("What stands in a frame")
struct CodecTests {
  @Test("CRC-32C of 123456789 is the check value of RFC 3720's polynomial")
  func crcCheckValue() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
  }

  @Test("A CRC does not depend on how the bytes are cut", arguments: 0..<20)
  func crcInPieces(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let bytes = (0..<Int.random(in: 1...200, using: &generator)).map { _ in
      UInt8.random(in: 0...255, using: &generator)
    }
    let cut = Int.random(in: 0...bytes.count, using: &generator)
    var pieces = CRC32C()
    bytes[..<cut].withUnsafeBytes { pieces.update($0) }
    bytes[cut...].withUnsafeBytes { pieces.update($0) }
    #expect(pieces.value == CRC32C.checksum(bytes))
  }

  @Test("Every bad reason has a code of its own that reads back")
  func reasonCodes() {
    let codes = BadReason.all.map(\.code)
    #expect(Set(codes).count == codes.count)
    #expect(codes.map { BadReason(code: $0) } == BadReason.all)
    #expect(BadReason(code: 0) == nil)
    #expect(BadReason(code: 200) == nil)
  }

  @Test("A frame of an earlier generation cannot be read as one of the next")
  func generations() {
    let header = SegmentHeader(
      stream: .data, generation: 7, store: 1, epoch: 1, firstSeq: 1, definitions: 0)
    var later = header
    later.generation = 8
    var writer = ByteWriter()
    Frame.append(.key, to: &writer, seed: header.frameSeed) { $0.raw([1, 2, 3, 4, 5]) }
    func isFrame(_ seed: UInt32) -> Bool {
      writer.bytes.withUnsafeBytes {
        if case .frame = Frame.read($0, at: 0, seed: seed, key: nil) { true } else { false }
      }
    }
    #expect(isFrame(header.frameSeed))
    #expect(!isFrame(later.frameSeed))
  }

  @Test("A changed bit anywhere in a frame makes it invalid", arguments: 0..<30)
  func bitFlips(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var writer = ByteWriter()
    let length = Bool.random(using: &generator) ? 61 : 400
    Frame.append(.key, to: &writer, seed: 99) { writer in
      writer.raw((0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
    var bytes = writer.bytes
    let bit = Int.random(in: 0..<bytes.count * 8, using: &generator)
    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    let reading = bytes.withUnsafeBytes { Frame.read($0, at: 0, seed: 99, key: 99) }
    if case .frame = reading { Issue.record("bit \(bit) went unnoticed") }
  }

  @Test("A segment header with any byte changed is refused", arguments: 0..<64)
  func header(seed: UInt64) throws {
    let header = SegmentHeader(
      stream: .events, generation: 3, store: 0xABCD, epoch: 9, firstSeq: 77, definitions: 5)
    var bytes = header.encoded()
    #expect(try SegmentHeader.decode(bytes) == header)
    var generator = SeededGenerator(seed: seed)
    // Magic to checksum; what follows is padding.
    bytes[Int.random(in: 0..<48, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
    let changed = bytes
    #expect { try SegmentHeader.decode(changed) } throws: { error in
      if case SegmentHeaderError.malformed = error { true } else { false }
    }
  }

  @Test("Damaged bytes are refused, never read beyond their end", arguments: 0..<200)
  func garbage(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
      UInt8.random(in: 0...255, using: &generator)
    }
    let device = DeviceSchema(name: "d", points: ["a", "b"])
    bytes.withUnsafeBytes { bytes in
      var samples = ByteReader(bytes)
      _ = try? BatchCodec.readSamples(&samples, devices: [device, nil])
      var events = ByteReader(bytes)
      _ = try? BatchCodec.readEvents(&events)
      var cursors = ByteReader(bytes)
      _ = try? AckSet(&cursors)
    }
  }
}
