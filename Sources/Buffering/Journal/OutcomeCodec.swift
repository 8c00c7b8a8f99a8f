internal import Telemetry

/// The tag byte before a value or reason. Part of the format: never renumber one.
enum OutcomeTag: UInt8 {
  case no = 0
  case yes = 1
  case int = 2
  case uint = 3
  case float32 = 4
  case float64 = 5
  case decimal = 6
  case bad = 7
  case badWithRaw = 8
  case text = 9
}

extension BatchCodec {
  static func readOutcome(_ reader: inout ByteReader) throws(MalformedBytes) -> Outcome {
    let tag = try readTag(&reader)
    guard tag == .bad || tag == .badWithRaw else { return .good(try readValue(tag, &reader)) }
    let code = try reader.fixed(UInt8.self)
    guard let reason = BadReason(code: code) else {
      throw MalformedBytes(description: "bad reason \(code)")
    }
    return .bad(reason, raw: tag == .bad ? nil : try readValue(try readTag(&reader), &reader))
  }

  private static func readTag(_ reader: inout ByteReader) throws(MalformedBytes) -> OutcomeTag {
    let byte = try reader.fixed(UInt8.self)
    guard let tag = OutcomeTag(rawValue: byte) else {
      throw MalformedBytes(description: "value tag \(byte)")
    }
    return tag
  }

  private static func readValue(
    _ tag: OutcomeTag, _ reader: inout ByteReader
  ) throws(MalformedBytes) -> Value {
    switch tag {
    case .no: return .bool(false)
    case .yes: return .bool(true)
    case .int: return .int(try reader.zigzag())
    case .uint: return .uint(try reader.varint())
    case .float32: return .float32(Float(bitPattern: try reader.fixed(UInt32.self)))
    case .float64: return .float64(Double(bitPattern: try reader.fixed(UInt64.self)))
    case .decimal:
      let decimals = try reader.fixed(UInt8.self)
      return .decimal(mantissa: try reader.zigzag(), decimals: decimals)
    case .text: return .text(try reader.string())
    case .bad, .badWithRaw:
      throw MalformedBytes(description: "a reason where a value was expected")
    }
  }
}
