/// A frame of format version 1: mark and length in four bytes, checksum, body whose first byte is
/// the kind; padded to 4 bytes. Read only.
enum FrameVersion1 {
  private static let mark: UInt32 = 0xF1 << 24
  private static let headerBytes = 8
  static let alignment = 4

  /// Reads the frame at `offset`; its body is given without the kind.
  static func read(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, seed: UInt32
  ) -> Frame.Reading {
    guard offset + headerBytes <= bytes.count else { return .needs(headerBytes) }
    guard let length = length(bytes, at: offset) else { return .invalid }
    let total = (headerBytes + length + alignment - 1) / alignment * alignment
    guard offset + total <= bytes.count else { return .needs(total) }
    let start = offset + headerBytes
    guard let kind = kind(bytes[start]) else { return .invalid }
    let stored = UInt32(
      littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
    var crc = CRC32C(seed: seed)
    crc.update(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 4]))
    crc.update(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
    guard crc.value == stored else { return .invalid }
    return .frame(
      Frame.Found(kind: kind, body: start + 1..<start + length, bytes: total, checksum: stored))
  }

  /// Whether mark and length of a frame stand here.
  static func mayBegin(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    offset + headerBytes <= bytes.count && length(bytes, at: offset) != nil
  }

  /// Of a body; `nil` if what stands here is no frame.
  private static func length(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int? {
    let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    let length = Int(word & 0xFF_FFFF)
    guard word & 0xFF00_0000 == mark, length > 0, length <= Frame.largestBody else { return nil }
    return length
  }

  /// Each batch of version 1 needs no other.
  private static func kind(_ byte: UInt8) -> Frame.Kind? {
    switch byte {
    case 1: .key
    case 2: .device
    default: nil
    }
  }
}
