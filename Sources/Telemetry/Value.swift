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
}

extension Value {
  /// Integers beyond this lose digits in a JSON reader that keeps numbers as IEEE doubles.
  public static let largestExactInteger: UInt64 = 1 << 53

  /// The value as a double, for comparing with limits; never for printing.
  public var approximate: Double {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .int(let value): Double(value)
    case .uint(let value): Double(value)
    case .float32(let value): Double(value)
    case .float64(let value): value
    case .decimal(let mantissa, let decimals): Double(mantissa) / powerOfTen(decimals)
    }
  }
}

extension Value: CustomStringConvertible {
  /// The value as it stands in a payload, without the quotes that a large integer gets there.
  public var description: String {
    switch self {
    case .bool(let value): value ? "true" : "false"
    case .int(let value): String(value)
    case .uint(let value): String(value)
    case .float32(let value): value.description
    case .float64(let value): value.description
    case .decimal(let mantissa, let decimals): decimalText(mantissa, decimals)
    }
  }

  /// Whether a JSON payload has to carry the value as a string to keep all its digits.
  public var needsQuotes: Bool {
    switch self {
    case .int(let value): value.magnitude > Self.largestExactInteger
    case .uint(let value): value > Self.largestExactInteger
    case .decimal(let mantissa, _): mantissa.magnitude > Self.largestExactInteger
    case .bool, .float32, .float64: false
    }
  }
}

private func powerOfTen(_ exponent: UInt8) -> Double {
  (0..<exponent).reduce(1.0) { result, _ in result * 10 }
}

/// `mantissa × 10^-decimals` in plain notation, with trailing zeros of the fraction dropped.
private func decimalText(_ mantissa: Int64, _ decimals: UInt8) -> String {
  var digits = String(mantissa.magnitude)
  let places = Int(decimals)
  if digits.utf8.count <= places {
    digits = String(repeating: "0", count: places + 1 - digits.utf8.count) + digits
  }
  let point = digits.index(digits.endIndex, offsetBy: -places)
  let fraction = digits[point...]
  let significant = fraction.lastIndex { $0 != "0" }.map { fraction[...$0] } ?? ""
  let sign = mantissa < 0 ? "-" : ""
  return sign + digits[..<point] + (significant.isEmpty ? "" : "." + significant)
}
