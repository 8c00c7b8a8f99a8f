/// Appends little-endian numbers to bytes: how everything in the journal's files is written.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  var count: Int { bytes.count }

  mutating func reset() { bytes.removeAll(keepingCapacity: true) }

  mutating func fixed(_ byte: UInt8) { bytes.append(byte) }

  mutating func fixed(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// LEB128: seven bits a byte, low ones first.
  mutating func varint(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// A signed number with its sign in the lowest bit, so that small ones of either sign are short.
  mutating func zigzag(_ number: Int64) {
    varint(UInt64(bitPattern: (number << 1) ^ (number >> 63)))
  }

  mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      varint(UInt64(utf8.count))
      bytes.append(contentsOf: utf8)
    }
  }

  mutating func blob(_ blob: some Collection<UInt8>) {
    varint(UInt64(blob.count))
    bytes.append(contentsOf: blob)
  }

  mutating func raw(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

  /// Fills with zeros up to a multiple of `alignment`.
  mutating func pad(to alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  /// Appends `count` bytes to be overwritten.
  mutating func space(_ count: Int) {
    bytes.append(contentsOf: repeatElement(0, count: count))
  }

  /// Takes bytes out; what follows them moves up.
  mutating func remove(_ count: Int, at offset: Int) {
    bytes.removeSubrange(offset..<offset + count)
  }

  /// Appends what `body` writes into room for `most` bytes, of which it says how many it used.
  /// A check of the room for each byte would cost more than the coding.
  mutating func append<Result>(
    most: Int, _ body: (UnsafeMutableRawBufferPointer) -> (used: Int, Result)
  ) -> Result {
    let start = bytes.count
    space(most)
    let (used, result) = bytes.withUnsafeMutableBytes { bytes in
      body(UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
    }
    bytes.removeLast(most - used)
    return result
  }

  /// Sets bits of a byte that was written.
  mutating func set(_ bits: UInt8, at offset: Int) { bytes[offset] |= bits }

  mutating func overwrite(_ byte: UInt8, at offset: Int) { bytes[offset] = byte }

  mutating func overwrite(_ number: UInt32, at offset: Int) {
    withUnsafeBytes(of: number.littleEndian) { source in
      for (index, byte) in source.enumerated() { bytes[offset + index] = byte }
    }
  }
}

/// Bytes that are not what their format says.
struct MalformedBytes: Error, Hashable, CustomStringConvertible {
  /// What was expected, and where from the start of the bytes.
  var description: String
}

/// Reads what `ByteWriter` wrote and never reads beyond the end.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private(set) var offset: Int

  /// Reads `bytes`, which must outlive the reader, from `offset` on.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
    self.bytes = bytes
    self.offset = offset
  }

  var remaining: Int { bytes.count - offset }

  mutating func fixed<Number: FixedWidthInteger>(
    _ type: Number.Type
  ) throws(MalformedBytes) -> Number {
    let size = MemoryLayout<Number>.size
    guard remaining >= size else { throw short("\(size) bytes") }
    defer { offset += size }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }

  mutating func varint() throws(MalformedBytes) -> UInt64 {
    var number: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard remaining > 0 else { throw short("a number") }
      let byte = bytes[offset]
      offset += 1
      number |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return number }
    }
    throw short("a number of at most 10 bytes")
  }

  /// A number that only ever grows by one, such as a seq: one that can't have been reached is
  /// damage, and the next one must not overflow.
  mutating func ordinal() throws(MalformedBytes) -> UInt64 { try ordinal(varint()) }

  /// The same in 8 bytes.
  mutating func fixedOrdinal() throws(MalformedBytes) -> UInt64 {
    try ordinal(fixed(UInt64.self))
  }

  private func ordinal(_ number: UInt64) throws(MalformedBytes) -> UInt64 {
    guard number < 1 << 62 else { throw short("a number below 2^62, not \(number)") }
    return number
  }

  mutating func zigzag() throws(MalformedBytes) -> Int64 {
    let number = try varint()
    return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
  }

  /// An unsigned number of `count` bytes, at most 8.
  mutating func integer(bytes count: Int) throws(MalformedBytes) -> UInt64 {
    guard remaining >= count else { throw short("\(count) bytes") }
    var number: UInt64 = 0
    for index in 0..<count { number |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
    offset += count
    return number
  }

  /// The next `count` bytes.
  mutating func bytes(_ count: Int) throws(MalformedBytes) -> UnsafeRawBufferPointer {
    guard count <= remaining else { throw short("\(count) more bytes") }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  /// A count of things of which each takes at least a byte, so that damage can't ask for gigabytes.
  mutating func count() throws(MalformedBytes) -> Int {
    let number = try varint()
    guard number <= UInt64(remaining) else { throw short("\(number) more bytes") }
    return Int(number)
  }

  mutating func blob() throws(MalformedBytes) -> UnsafeRawBufferPointer {
    let size = try count()
    defer { offset += size }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size])
  }

  mutating func string() throws(MalformedBytes) -> String {
    String(decoding: try blob(), as: UTF8.self)
  }

  private func short(_ expected: String) -> MalformedBytes {
    MalformedBytes(description: "expected \(expected) at offset \(offset) of \(bytes.count)")
  }
}
