/// One frame of a segment: mark and length, checksum, body; little-endian; padded to 4 bytes.
enum Frame {
  /// In the highest byte of the length. Recovery tries every fourth byte of what may be a megabyte
  /// of stale frames; without a mark every other word of them looks like a length, and each costs a
  /// checksum over as many bytes.
  static let markByte: UInt8 = 0xF1
  private static let mark = UInt32(markByte) << 24
  /// Length and checksum.
  static let headerBytes = 8
  static let alignment = 4
  /// A dictionary entry for the largest device that a configuration file of 1 MiB can hold stays
  /// below this; a length beyond it is damage.
  static let largestBody = 1 << 20

  /// What the first byte of a body says.
  enum Kind: UInt8 {
    case batch = 1
    case device = 2
  }

  /// Appends a frame around what `body` writes.
  static func append(to writer: inout ByteWriter, seed: UInt32, body: (inout ByteWriter) -> Void) {
    let start = writer.count
    writer.fixed(UInt32(0))
    writer.fixed(UInt32(0))
    body(&writer)
    let length = writer.count - start - headerBytes
    writer.overwrite(mark | UInt32(length), at: start)
    let checksum = writer.bytes.withUnsafeBytes { bytes in
      Self.checksum(
        UnsafeRawBufferPointer(rebasing: bytes[start..<writer.count]), length: length, seed: seed)
    }
    writer.overwrite(checksum, at: start + 4)
    writer.pad(to: alignment)
  }

  /// What stands at the start of `bytes`.
  enum Reading {
    /// A frame: the range of its body, and its length with header and padding.
    case frame(body: Range<Int>, bytes: Int)
    /// The frame, if it is one, goes on beyond the bytes at hand: this many are needed.
    case needs(Int)
    /// No frame: never written, torn or damaged.
    case invalid
  }

  /// Reads the frame at `offset`.
  static func read(_ bytes: UnsafeRawBufferPointer, at offset: Int, seed: UInt32) -> Reading {
    guard offset + headerBytes <= bytes.count else { return .needs(headerBytes) }
    let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    let length = Int(word & 0xFF_FFFF)
    guard word & 0xFF00_0000 == mark, length > 0, length <= largestBody else { return .invalid }
    let total = (headerBytes + length + alignment - 1) / alignment * alignment
    guard offset + total <= bytes.count else { return .needs(total) }
    guard Kind(rawValue: bytes[offset + headerBytes]) != nil else { return .invalid }
    let stored = UInt32(
      littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
    let frame = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + headerBytes + length])
    guard checksum(frame, length: length, seed: seed) == stored else { return .invalid }
    let start = offset + headerBytes
    return .frame(body: start..<start + length, bytes: total)
  }

  /// Over length and body; `frame` begins with its header.
  private static func checksum(
    _ frame: UnsafeRawBufferPointer, length: Int, seed: UInt32
  ) -> UInt32 {
    var crc = CRC32C(seed: seed)
    crc.update(UnsafeRawBufferPointer(rebasing: frame[..<4]))
    crc.update(UnsafeRawBufferPointer(rebasing: frame[headerBytes..<headerBytes + length]))
    return crc.value
  }
}
