internal import Telemetry

/// The first block of a segment file: says whose frames follow.
struct SegmentHeader: Hashable {
  /// A block of its own, so that writing it never touches a page that holds frames.
  static let bytes = 4096
  /// What is written.
  static let currentVersion: UInt16 = 2
  private static let checkedBytes = 44
  private static let magic = Array("EDGESEG\u{0A}".utf8)

  /// How its frames are written.
  var version = Self.currentVersion
  /// The stream that the segment belongs to.
  var stream: StreamName
  /// Grows with each segment that a stream begins; never used twice, not even in the same file.
  var generation: UInt64
  /// The store that wrote it.
  var store: UInt64
  /// Epoch and seq of the first batch that may follow.
  var epoch: UInt32
  var firstSeq: UInt64
  /// Digest of the point definitions that all its batches refer to; 0 for events.
  var definitions: UInt32

  /// Seeds the checksum of every frame, so that what a file held before it was recycled can't be
  /// read as the segment's own.
  var frameSeed: UInt32 {
    // Asked for with every frame.
    withUnsafeBytes(of: (store.littleEndian, generation.littleEndian)) { bytes in
      var crc = CRC32C()
      crc.update(bytes)
      return crc.value
    }
  }

  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: Self.bytes)
    writer.raw(Self.magic)
    writer.fixed(version)
    writer.fixed(stream.rawValue)
    writer.fixed(UInt8(0))
    writer.fixed(epoch)
    writer.fixed(generation)
    writer.fixed(store)
    writer.fixed(firstSeq)
    writer.fixed(definitions)
    writer.fixed(CRC32C.checksum(writer.bytes))
    writer.pad(to: Self.bytes)
    return writer.bytes
  }

  /// `nil` for a block of zeros: a file that was prepared and not yet begun.
  static func decode(_ bytes: [UInt8]) throws(SegmentHeaderError) -> SegmentHeader? {
    if bytes.allSatisfy({ $0 == 0 }) { return nil }
    // Copied out of the closure: typed throws do not pass through withUnsafeBytes in every
    // toolchain.
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(SegmentHeaderError) in try parse(buffer) }
    }
    return try result.get()
  }

  private static func parse(
    _ bytes: UnsafeRawBufferPointer
  ) throws(SegmentHeaderError) -> SegmentHeader {
    guard bytes.starts(with: magic) else {
      throw .malformed(
        MalformedBytes(description: "not a segment: its first bytes are not EDGESEG"))
    }
    let header: SegmentHeader
    do throws(MalformedBytes) {
      header = try parseChecked(bytes)
    } catch {
      throw .malformed(error)
    }
    // Only what is whole can say so: every version has its checksum in the same place.
    guard header.version <= currentVersion else {
      throw .newerVersion(found: header.version, known: currentVersion)
    }
    return header
  }

  private static func parseChecked(
    _ bytes: UnsafeRawBufferPointer
  ) throws(MalformedBytes) -> SegmentHeader {
    var tail = ByteReader(bytes, at: checkedBytes)
    let checksum = try tail.fixed(UInt32.self)
    var crc = CRC32C()
    crc.update(UnsafeRawBufferPointer(rebasing: bytes[..<checkedBytes]))
    guard checksum == crc.value else {
      throw MalformedBytes(description: "a segment header whose checksum is wrong")
    }
    var reader = ByteReader(bytes, at: magic.count)
    let version = try reader.fixed(UInt16.self)
    guard version > 0, let stream = StreamName(rawValue: try reader.fixed(UInt8.self)) else {
      throw MalformedBytes(description: "a segment header of no known version or stream")
    }
    _ = try reader.fixed(UInt8.self)
    let epoch = try reader.fixed(UInt32.self)
    let generation = try reader.fixedOrdinal()
    let store = try reader.fixed(UInt64.self)
    let firstSeq = try reader.fixedOrdinal()
    return SegmentHeader(
      version: version, stream: stream, generation: generation, store: store, epoch: epoch,
      firstSeq: firstSeq, definitions: try reader.fixed(UInt32.self))
  }
}

/// Why a segment's header could not be read.
enum SegmentHeaderError: Error, Hashable, CustomStringConvertible {
  /// It is damaged, or no segment's.
  case malformed(MalformedBytes)
  /// A later version of the agent wrote it. The file is whole: leave it as it is.
  case newerVersion(found: UInt16, known: UInt16)

  var description: String {
    switch self {
    case .malformed(let error): error.description
    case .newerVersion(let found, let known):
      "format version \(found); this agent reads versions up to \(known)"
    }
  }
}
