/// A decimal number exactly as it was written: `mantissa × 10^-decimals`.
public struct ExactDecimal: Sendable, Hashable {
  /// All digits as one integer.
  public var mantissa: Int64
  /// How many of the digits stand behind the point.
  public var decimals: UInt8

  /// Makes a number of its parts.
  public init(mantissa: Int64, decimals: UInt8) {
    self.mantissa = mantissa
    self.decimals = decimals
  }

  /// A double holds that many decimal digits of any number.
  static let maximumDigits = 15

  /// Reads `-12.50`; no exponent, no plus, digits on both sides of a point.
  init?(_ text: String) {
    let unsigned = text.hasPrefix("-") ? text.dropFirst() : text[...]
    let parts = unsigned.split(
      separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ isDigits($0) }) else { return nil }
    let digits = parts.joined()
    guard digits.utf8.count <= Self.maximumDigits, let magnitude = Int64(digits) else {
      return nil
    }
    mantissa = text.hasPrefix("-") ? -magnitude : magnitude
    decimals = parts.count == 2 ? UInt8(parts[1].utf8.count) : 0
  }

  /// The nearest double, for comparing; the same that reading the text as a double yields.
  public var approximate: Double {
    Double(mantissa) / (0..<decimals).reduce(1.0) { power, _ in power * 10 }
  }
}

/// What registers hold, as a manual prints it.
public enum BitsOrNumber: Sendable, Hashable {
  /// All bits of the registers.
  case bits(UInt64)
  /// What they are read as.
  case number(ExactDecimal)
}

/// A rate of bytes.
public enum ByteRate: Sendable, Hashable {
  case unlimited
  case bytesPerSecond(Int64)
}

private let durationUnits: [(suffix: String, factor: Int64)] = [
  ("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000),
]
private let sizeUnits: [(suffix: String, factor: Int64)] = [
  ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
]

/// A whole number directly followed by one of the units; `nil` also for what is too large.
private func quantity(_ text: String, _ units: [(suffix: String, factor: Int64)]) -> Int64? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let suffix = text[digits.endIndex...]
  guard let number = plainInteger(String(digits)),
    let unit = units.first(where: { $0.suffix == suffix })
  else { return nil }
  let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
  return overflow ? nil : product
}

private func quantityText(_ value: Int64, _ units: [(suffix: String, factor: Int64)]) -> String {
  let unit = units.last { value != 0 && value.isMultiple(of: $0.factor) } ?? units[0]
  return "\(value / unit.factor)\(unit.suffix)"
}

/// Milliseconds as a configuration writes them, such as `1s` or `5min`.
public func durationText(milliseconds: Int64) -> String {
  milliseconds == 0 ? "0s" : quantityText(milliseconds, durationUnits)
}

/// Bytes as a configuration writes them, such as `64MiB`.
public func sizeText(_ bytes: Int64) -> String { quantityText(bytes, sizeUnits) }

extension ConfigurationValue {
  /// A duration such as `500ms`, `1s`, `5min`, `1h` or `1d`.
  /// - Returns: milliseconds.
  public func duration(in range: ClosedRange<Int64>) -> Int64? {
    quantity(
      durationUnits, in: range, "a duration", "a whole number with ms, s, min, h or d is expected",
      text: { durationText(milliseconds: $0) })
  }

  /// A size such as `64KiB`, `1MiB` or `1GiB`.
  /// - Returns: bytes.
  public func size(in range: ClosedRange<Int64>) -> Int64? {
    quantity(
      sizeUnits, in: range, "a size", "a whole number with B, KiB, MiB or GiB is expected",
      text: sizeText)
  }

  /// A rate such as `64KiB/s`, or `unlimited`.
  public func rate(in range: ClosedRange<Int64>) -> ByteRate? {
    let expected = "a size a second such as 64KiB/s, or unlimited"
    guard let text = scalar(expected) else { return nil }
    if text == "unlimited" { return .unlimited }
    guard text.hasSuffix("/s"),
      let bytes = ConfigurationFile.quantity(
        String(text.dropLast(2)), sizeUnits)
    else {
      refuse("\(quoted(text)) is not a rate", "\(expected) is expected")
      return nil
    }
    guard range.contains(bytes) else {
      let limits = "\(sizeText(range.lowerBound))/s…\(sizeText(range.upperBound))/s"
      refuse("\(text) is outside \(limits)")
      return nil
    }
    return .bytesPerSecond(bytes)
  }

  /// A whole number of percent such as `50%`.
  public func percent(in range: ClosedRange<Int64>) -> Int64? {
    quantity(
      [("%", 1)], in: range, "a share", "a whole number with % is expected", text: { "\($0)%" })
  }

  /// A decimal number, kept exactly as written.
  public func decimal() -> ExactDecimal? {
    let expected = "a number such as 0.1, at most \(ExactDecimal.maximumDigits) digits,"
    guard let text = scalar(expected) else { return nil }
    if let number = ExactDecimal(text) { return number }
    refuse("\(quoted(text)) is not a plain number", "\(expected) is expected")
    return nil
  }

  /// Bits as a manual prints them in hexadecimal, such as `0xFFFF`, or a decimal number.
  public func bitsOrNumber() -> BitsOrNumber? {
    let expected =
      "a number such as -32768, at most \(ExactDecimal.maximumDigits) digits, "
      + "or bits such as 0x8000,"
    guard let text = scalar(expected) else { return nil }
    if let number = ExactDecimal(text) { return .number(number) }
    if text.hasPrefix("0x"), isHexadecimal(text.dropFirst(2)),
      let bits = UInt64(text.dropFirst(2), radix: 16)
    {
      return .bits(bits)
    }
    refuse("\(quoted(text)) is neither", "\(expected) is expected")
    return nil
  }

  private func quantity(
    _ units: [(suffix: String, factor: Int64)], in range: ClosedRange<Int64>, _ kind: String,
    _ expected: String, text shown: (Int64) -> String
  ) -> Int64? {
    guard let text = scalar(kind) else { return nil }
    guard let value = ConfigurationFile.quantity(text, units) else {
      let what = isDigits(text) ? "has no unit" : "is not \(kind)"
      refuse("\(quoted(text)) \(what)", expected)
      return nil
    }
    guard range.contains(value) else {
      refuse("\(text) is outside \(shown(range.lowerBound))…\(shown(range.upperBound))")
      return nil
    }
    return value
  }
}
