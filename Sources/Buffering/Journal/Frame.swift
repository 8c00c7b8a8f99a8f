/// One frame of a segment, format version 2: a byte with mark and kind, the length, checksum, body.
/// Frames follow each other without a gap.
///
/// A key and a device are checked with the segment's seed. The batches that build on a key are
/// checked with that key's checksum in its place: where the key is lost, none of them is a frame.
enum Frame {
  /// In the high half of the first byte.
  private static let mark: UInt8 = 0xB0
  private static let markMask: UInt8 = 0xF0
  /// In the first byte: three bytes of length and a check byte follow, not one byte.
  private static let longFlag: UInt8 = 0x08
  /// The check byte of a long header is the exclusive or of the three and this. A search through
  /// bytes that are no frames would else compute checksums over half a megabyte again and again.
  private static let lengthCheck: UInt8 = 0x5A
  private static let checksumBytes = 4
  private static let shortHeaderBytes = 2 + checksumBytes
  private static let longHeaderBytes = 5 + checksumBytes
  /// No frame is shorter.
  static let fewestBytes = shortHeaderBytes + 1
  /// A dictionary entry for the largest device that a configuration file of 1 MiB can hold stays
  /// below this; a length beyond it is damage.
  static let largestBody = 1 << 20

  /// What a body is.
  enum Kind: UInt8 {
    /// A batch that needs no other.
    case key = 1
    /// An entry of the segment's dictionary.
    case device = 2
    /// A batch that builds on all batches since the last key.
    case delta = 3
  }

  /// A frame that was found whole.
  struct Found: Hashable {
    var kind: Kind
    /// Where its body stands in the bytes that were looked at.
    var body: Range<Int>
    /// Its length with header and padding.
    var bytes: Int
    var checksum: UInt32
  }

  /// What stands at some place.
  enum Reading {
    case frame(Found)
    /// The frame, if it is one, goes on beyond the bytes at hand: this many are needed.
    case needs(Int)
    /// No frame: never written, torn or damaged.
    case invalid
  }

  /// Appends a frame around what `body` writes; returns its checksum.
  @discardableResult
  static func append(
    _ kind: Kind, to writer: inout ByteWriter, seed: UInt32, body: (inout ByteWriter) -> Void
  ) -> UInt32 {
    let start = writer.count
    writer.space(longHeaderBytes)
    body(&writer)
    let length = writer.count - start - longHeaderBytes
    let head: Int
    if length <= 0xFF {
      head = 2
      writer.remove(longHeaderBytes - shortHeaderBytes, at: start)
      writer.overwrite(mark | kind.rawValue, at: start)
      writer.overwrite(UInt8(length), at: start + 1)
    } else {
      head = 5
      let low = UInt8(truncatingIfNeeded: length)
      let middle = UInt8(truncatingIfNeeded: length >> 8)
      let high = UInt8(truncatingIfNeeded: length >> 16)
      writer.overwrite(mark | longFlag | kind.rawValue, at: start)
      writer.overwrite(low, at: start + 1)
      writer.overwrite(middle, at: start + 2)
      writer.overwrite(high, at: start + 3)
      writer.overwrite(low ^ middle ^ high ^ lengthCheck, at: start + 4)
    }
    let checksum = writer.bytes.withUnsafeBytes { bytes in
      Self.checksum(UnsafeRawBufferPointer(rebasing: bytes[start...]), head: head, seed: seed)
    }
    writer.overwrite(checksum, at: start + head)
    return checksum
  }

  /// Reads the frame at `offset`. `key` is the checksum of the key that deltas build on.
  static func read(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, seed: UInt32, key: UInt32?
  ) -> Reading {
    guard offset + fewestBytes <= bytes.count else { return .needs(fewestBytes) }
    guard let (kind, head, length) = header(bytes, at: offset) else { return .invalid }
    let total = head + checksumBytes + length
    guard offset + total <= bytes.count else { return .needs(total) }
    guard let seed = kind == .delta ? key : seed else { return .invalid }
    let stored = UInt32(
      littleEndian: bytes.loadUnaligned(fromByteOffset: offset + head, as: UInt32.self))
    let frame = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + total])
    guard checksum(frame, head: head, seed: seed) == stored else { return .invalid }
    let body = offset + head + checksumBytes..<offset + total
    return .frame(Found(kind: kind, body: body, bytes: total, checksum: stored))
  }

  /// Whether the header of a frame stands here that builds on no other.
  static func mayBeginAlone(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    guard offset + fewestBytes <= bytes.count, let header = header(bytes, at: offset) else {
      return false
    }
    return header.kind != .delta
      && offset + header.bytes + checksumBytes + header.length <= bytes.count
  }

  /// A frame's kind, the bytes before its checksum, and the length of its body; `nil` if what
  /// stands here is none's. `fewestBytes` of it have to be there.
  private static func header(
    _ bytes: UnsafeRawBufferPointer, at offset: Int
  ) -> (kind: Kind, bytes: Int, length: Int)? {
    let first = bytes[offset]
    guard isMark(first), let kind = Kind(rawValue: first & ~markMask & ~longFlag) else {
      return nil
    }
    var head = 2
    var length = Int(bytes[offset + 1])
    if first & longFlag != 0 {
      let (low, middle, high) = (bytes[offset + 1], bytes[offset + 2], bytes[offset + 3])
      guard low ^ middle ^ high ^ lengthCheck == bytes[offset + 4] else { return nil }
      head = 5
      length = Int(low) | Int(middle) << 8 | Int(high) << 16
    }
    guard length > 0, length <= largestBody else { return nil }
    return (kind, head, length)
  }

  static func isMark(_ byte: UInt8) -> Bool { byte & markMask == mark }

  /// Over head and body; `frame` is all of the frame.
  private static func checksum(
    _ frame: UnsafeRawBufferPointer, head: Int, seed: UInt32
  ) -> UInt32 {
    var crc = CRC32C(seed: seed)
    crc.update(UnsafeRawBufferPointer(rebasing: frame[..<head]))
    crc.update(UnsafeRawBufferPointer(rebasing: frame[(head + checksumBytes)...]))
    return crc.value
  }
}
