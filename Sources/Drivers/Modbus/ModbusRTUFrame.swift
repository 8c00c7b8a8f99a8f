/// A Modbus message on a serial line: unit, function code with its data, and a checksum (Modbus
/// over serial line V1.02, section 2.5.1.2).
struct ModbusRTUFrame: Sendable, Hashable {
  /// The unit that is asked or answers.
  var unit: UInt8
  /// Function code and data, 1…253 bytes.
  var pdu: [UInt8]

  /// Unit, function code and checksum at least, 256 bytes at most (the same, section 2.5.1).
  static let lengths = 4...256
  /// Unit, function code, count or exception code, checksum: an answer without its data.
  static let answerOverhead = 5
  /// A read request.
  static let requestLength = 8

  /// Makes a frame of its parts.
  init(unit: UInt8, pdu: [UInt8]) {
    self.unit = unit
    self.pdu = pdu
  }

  /// The frame that `bytes` are, first to last; `nil` if the checksum is wrong.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard Self.lengths.contains(bytes.count), let unit = bytes.first else { return nil }
    // A message with its own checksum behind it has the checksum 0.
    guard checksum(of: bytes) == 0 else { return nil }
    self.unit = unit
    pdu = Array(bytes.dropFirst().dropLast(2))
  }

  /// The answer or exception to one of the reading functions that `bytes` begin with, or the frame
  /// that they are as a whole; `nil` if they begin with none.
  init?(atStartOf bytes: ArraySlice<UInt8>) {
    guard bytes.count >= Self.lengths.lowerBound else { return nil }
    let function = bytes[bytes.startIndex + 1]
    let length: Int? =
      switch function {
      case 1...4: Self.answerOverhead + Int(bytes[bytes.startIndex + 2])
      case 0x81...: Self.answerOverhead
      default: nil
      }
    if let length, length <= bytes.count, let frame = Self(bytes.prefix(length)) {
      self = frame
    } else if let frame = Self(bytes) {
      self = frame
    } else {
      return nil
    }
  }

  /// The frame as it goes over the wire.
  var bytes: [UInt8] {
    let message = [unit] + pdu
    let checksum = checksum(of: message[...])
    return message + [UInt8(checksum & 0xFF), UInt8(checksum >> 8)]
  }
}

/// CRC-16 of the serial line: polynomial 0xA001 (reflected), start 0xFFFF, low byte first on the
/// wire (Modbus over serial line V1.02, appendix B). Bit by bit: a frame takes 2 µs.
private func checksum(of bytes: ArraySlice<UInt8>) -> UInt16 {
  bytes.reduce(0xFFFF) { checksum, byte in
    (0..<8).reduce(checksum ^ UInt16(byte)) { checksum, _ in
      checksum & 1 == 1 ? checksum >> 1 ^ 0xA001 : checksum >> 1
    }
  }
}
