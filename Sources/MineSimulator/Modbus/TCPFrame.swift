/// A Modbus TCP frame: the MBAP header's fields and the protocol data unit behind it (Modbus
/// Messaging on TCP/IP V1.0b, section 3.1.3).
struct TCPFrame: Sendable, Hashable {
  var transaction: UInt16
  var unit: UInt8
  /// Function code and data.
  var pdu: [UInt8]

  static let headerBytes = 7
  /// The protocol data unit's limit, inherited from a serial line's 256 bytes.
  static let pduBytesMax = 253

  /// The frame as it goes over the wire.
  var bytes: [UInt8] {
    let length = UInt16(pdu.count + 1)
    let header: [UInt8] = [
      UInt8(transaction >> 8), UInt8(transaction & 0xff), 0, 0,
      UInt8(length >> 8), UInt8(length & 0xff), unit,
    ]
    return header + pdu
  }
}

/// Cuts a stream into frames, however it arrives.
struct TCPFrameDecoder: Sendable {
  /// The stream is not Modbus TCP, and nothing in it says where the next frame begins.
  struct Desynchronised: Error, Sendable, Hashable {}

  private var buffer: [UInt8] = []

  /// Bytes that wait for the rest of their frame, or to be taken.
  var count: Int { buffer.count }

  mutating func append(_ bytes: some Sequence<UInt8>) { buffer.append(contentsOf: bytes) }

  /// The next whole frame, or `nil` until more has come.
  mutating func next() throws(Desynchronised) -> TCPFrame? {
    guard buffer.count >= TCPFrame.headerBytes else { return nil }
    let length = Int(buffer[4]) << 8 | Int(buffer[5])
    // The length counts the unit and at least a function code.
    guard buffer[2] == 0, buffer[3] == 0, (2...TCPFrame.pduBytesMax + 1).contains(length) else {
      throw Desynchronised()
    }
    let end = TCPFrame.headerBytes - 1 + length
    guard buffer.count >= end else { return nil }
    let frame = TCPFrame(
      transaction: UInt16(buffer[0]) << 8 | UInt16(buffer[1]), unit: buffer[6],
      pdu: Array(buffer[TCPFrame.headerBytes..<end]))
    buffer.removeFirst(end)
    return frame
  }
}
