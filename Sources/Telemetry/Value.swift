/// One good value of a point, kept in the type it was measured in, so that nothing is lost or
/// invented between a register and a subscriber.
public enum Value: Sendable, Hashable {
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  /// A 32-bit float stays one: printed through `Double`, 21.7 would read 21.700000762939453.
  case float32(Float)
  case float64(Double)
  /// A scaled integer, exactly `mantissa × 10^-decimals`: 3 × 0.1 is 0.3, not 0.30000000000000004.
  case decimal(mantissa: Int64, decimals: UInt8)
  /// What registers spell, such as a serial number; whoever makes one bounds it.
  case text(String)
}

extension Value {
  /// Integers beyond this lose digits in a JSON reader that keeps numbers as IEEE doubles.
  public static let largestExactInteger: UInt64 = 1 << 53

  /// The value as a double, for comparing with limits; never for printing. A text is no number.
  public var approximate: Double {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .int(let value): Double(value)
    case .uint(let value): Double(value)
    case .float32(let value): Double(value)
    case .float64(let value): value
    case .decimal(let mantissa, let decimals): Double(mantissa) / powerOfTen(decimals)
    case .text: .nan
    }
  }
}

extension Value: CustomStringConvertible {
  /// The value as it stands in a payload, without the quotes that texts and large integers get
  /// there.
  public var description: String {
    switch self {
    case .bool(let value): value ? "true" : "false"
    case .int(let value): String(value)
    case .uint(let value): String(value)
    case .float32(let value): value.description
    case .float64(let value): value.description
    case .decimal(let mantissa, let decimals): decimalText(mantissa, decimals)
    case .text(let text): text
    }
  }

  /// Whether a JSON payload has to carry the value as a string: a text, and a number that would
  /// lose digits else.
  public var needsQuotes: Bool {
    switch self {
    case .int(let value): value.magnitude > Self.largestExactInteger
    case .uint(let value): value > Self.largestExactInteger
    case .decimal(let mantissa, _): mantissa.magnitude > Self.largestExactInteger
    case .bool, .float32, .float64: false
    case .text: true
    }
  }
}

private func powerOfTen(_ exponent: UInt8) -> Double {
  (0..<exponent).reduce(1.0) { result, _ in result * 10 }
}

/// `mantissa × 10^-decimals` in plain notation, with trailing zeros of the fraction dropped.
/// Written digit by digit, because scaled registers are a good part of what is ever published.
private func decimalText(_ mantissa: Int64, _ decimals: UInt8) -> String {
  var rest = mantissa.magnitude
  var places = Int(decimals)
  while places > 0, rest.isMultiple(of: 10) {
    rest /= 10
    places -= 1
  }
  guard places > 0 else { return (mantissa < 0 ? "-" : "") + String(rest) }
  // A digit before the point, however small the number.
  let digits = max(digitCount(rest), places + 1)
  let start = mantissa < 0 ? 1 : 0
  return String(unsafeUninitializedCapacity: start + digits + 1) { text in
    if start == 1 { text[0] = UInt8(ascii: "-") }
    for index in (start..<start + digits + 1).reversed() {
      if index == start + digits - places {
        text[index] = UInt8(ascii: ".")
      } else {
        text[index] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      }
    }
    return start + digits + 1
  }
}

private func digitCount(_ number: UInt64) -> Int {
  var (count, rest) = (1, number / 10)
  while rest > 0 { (count, rest) = (count + 1, rest / 10) }
  return count
}
