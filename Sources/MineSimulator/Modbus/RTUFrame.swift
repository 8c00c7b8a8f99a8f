/// A Modbus message on a serial line: unit, protocol data unit, checksum (Modbus over serial line
/// V1.02, section 2.5.1.2).
struct RTUFrame: Sendable, Hashable {
  var unit: UInt8
  /// Function code and data.
  var pdu: [UInt8]

  /// Unit, function code and checksum; the specification's most.
  static let lengths = 4...256

  init(unit: UInt8, pdu: [UInt8]) {
    self.unit = unit
    self.pdu = pdu
  }

  /// The frame that the bytes between two silences are; `nil` if they are none.
  init?(bytes: [UInt8]) {
    guard Self.lengths.contains(bytes.count), Self.checksum(of: bytes) == 0 else { return nil }
    unit = bytes[0]
    pdu = Array(bytes[1..<bytes.count - 2])
  }

  /// The frame as it goes over the wire, the checksum's low byte first.
  var bytes: [UInt8] {
    let checksum = Self.checksum(of: [unit] + pdu)
    return [unit] + pdu + [UInt8(checksum & 0xff), UInt8(checksum >> 8)]
  }

  /// CRC-16 with polynomial 0xA001 and start 0xFFFF (appendix B); 0 of a frame with its own.
  static func checksum(of bytes: [UInt8]) -> UInt16 {
    var checksum: UInt16 = 0xffff
    for byte in bytes {
      checksum ^= UInt16(byte)
      for _ in 0..<8 {
        checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xa001 : checksum >> 1
      }
    }
    return checksum
  }
}

/// How a serial line is set; 8 data bits always.
struct LineSettings: Sendable, Hashable {
  enum Parity: String, Sendable, Hashable, CaseIterable {
    case even, odd, none
  }

  var baud: Int64
  var parity: Parity
  var stopBits: Int64

  /// Milliseconds that bytes take on the wire, rounded up.
  func milliseconds(ofBytes count: Int) -> Int64 {
    (Int64(count) * bitsPerByte * 1000 + baud - 1) / baud
  }

  /// How many bytes go over the wire in a time.
  func bytes(inMilliseconds time: Int64) -> Int { Int(time * baud / (1000 * bitsPerByte)) }

  /// The silence that ends a message: 3.5 bytes, above 19,200 Bd 1.75 ms (section 2.5.1.1);
  /// rounded up.
  var silence: Int64 { baud > 19_200 ? 2 : (7 * bitsPerByte * 1000 + 2 * baud - 1) / (2 * baud) }

  private var bitsPerByte: Int64 { 9 + (parity == .none ? 0 : 1) + stopBits }
}

/// Cuts what comes over a line into frames, by the silence between them. Bytes of a pseudo-terminal
/// come at once; they count as if they had come at the line's speed.
struct RTUFrameDecoder: Sendable {
  private let settings: LineSettings
  private var bytes: [UInt8] = []
  /// When the line has been silent long enough after them.
  private(set) var frameEnd: Int64?

  init(_ settings: LineSettings) { self.settings = settings }

  /// Takes bytes that arrived at a time in milliseconds.
  mutating func append(_ received: some Collection<UInt8>, at time: Int64) {
    let wire = settings.milliseconds(ofBytes: received.count)
    frameEnd = max(frameEnd ?? 0, time + settings.silence) + wire
    // One more than a frame can have is enough to know that it is none.
    bytes += received.prefix(RTUFrame.lengths.upperBound + 1 - bytes.count)
  }

  /// What came before the silence; `nil` while it lasts not yet, or if it was no frame.
  mutating func next(at time: Int64) -> RTUFrame? {
    guard let frameEnd, frameEnd <= time else { return nil }
    defer {
      bytes = []
      self.frameEnd = nil
    }
    return RTUFrame(bytes: bytes)
  }
}
