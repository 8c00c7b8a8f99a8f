internal import ConfigurationFile
internal import Drivers
internal import Telemetry

// Settings of a point that are more than one number or word.

extension PointSettings {
  /// States that a point may tell apart: more than any device's manual lists, few enough for the
  /// definitions that subscribers get.
  private static let mostStates = 256
  /// What registers can hold and a reader of JSON keeps: 32 bits with and without a sign.
  private static let states: ClosedRange<Int64> = Int64(Int32.min)...Int64(UInt32.max)
  /// Values of registers that are none: manuals name one to a handful.
  private static let mostSpecialValues = 16

  static func bits(_ value: ConfigurationValue) -> ClosedRange<UInt8>? {
    guard let ends = value.list(2...2, of: "the first and last bit such as [4, 7]") else {
      return nil
    }
    let numbers = ends.compactMap { $0.integer(in: 0...63) }
    guard numbers.count == 2 else { return nil }
    guard numbers[0] <= numbers[1] else {
      value.refuse("the first bit is above the last", "[first, last] is expected, 0 the lowest")
      return nil
    }
    return UInt8(numbers[0])...UInt8(numbers[1])
  }

  static func enumeration(_ value: ConfigurationValue) -> [Int64: String]? {
    value.numberedTexts(
      1...mostStates, keys: states, "a number and what it means, such as {0: stopped, 1: running},")
  }

  static func specialValues(_ value: ConfigurationValue) -> [BitsOrNumber]? {
    let values = value.oneOrMore(upTo: mostSpecialValues, of: "values")
    guard let values else { return nil }
    let numbers = values.compactMap { $0.bitsOrNumber() }
    return numbers.count == values.count ? numbers : nil
  }

  /// The registers' bits of all special values; `nil` after a problem.
  func specialPatterns(of type: RegisterType) -> SpecialPatterns? {
    // Those of other types are refused as meaningless.
    guard type.isNumber else { return SpecialPatterns() }
    guard let errors = patterns(of: errorValues, type),
      let unsupported = patterns(of: unsupportedValues, type)
    else { return nil }
    if let both = errors.first(where: unsupported.contains), let place = unsupportedValues.place {
      ownPlace(place, errorValues.place).refuse(
        "\(BitsOrNumber.bits(both).text) is an error-value too", "one of them is expected")
      return nil
    }
    return SpecialPatterns(errors: errors, unsupported: unsupported)
  }

  private func patterns(of values: Setting<[BitsOrNumber]>, _ type: RegisterType) -> [UInt64]? {
    guard let given = values.value, let place = values.place else { return [] }
    var patterns: [UInt64] = []
    for value in given {
      guard let pattern = value.pattern(in: type) else {
        ownPlace(place, self.type.place, address.place).refuse(
          "\(value.text) does not fit \(Self.name(of: type))",
          "a number before scale, or all bits such as 0x8000, is expected")
        return nil
      }
      patterns.append(pattern)
      // There are two zeros.
      if type.isFloat, case .number = value, pattern == 0 {
        patterns.append(1 << UInt64(16 * type.addressCount - 1))
      }
    }
    return patterns
  }
}

extension BitsOrNumber {
  /// The bits of registers that hold it; `nil` if they can't.
  fileprivate func pattern(in type: RegisterType) -> UInt64? {
    switch self {
    case .bits(let bits): type.canHold(pattern: bits) ? bits : nil
    case .number(let number): type.pattern(of: DecimalNumber(number))
    }
  }

  fileprivate var text: String {
    switch self {
    case .bits(let bits): "0x" + String(bits, radix: 16, uppercase: true)
    case .number(let number):
      Value.decimal(mantissa: number.mantissa, decimals: number.decimals).description
    }
  }
}
