/// How a point's registers are read as a value.
public enum RegisterType: Sendable, Hashable {
  /// A coil or discrete input.
  case bool
  /// One bit of a register, 0 the least significant.
  case bit(UInt8)
  case int16, uint16, int32, uint32, int64, uint64
  /// IEEE 754 floats; that of 16 bits has 3 to 4 decimal digits.
  case float16, float32, float64
  /// A decimal digit in each four bits, the most significant first.
  case bcd16, bcd32, bcd64
  /// Characters, two a register.
  case text(registers: UInt8)

  /// The longest text, in registers: twice as long as any serial number or version that was seen,
  /// and a bound on what a point takes in memory and in the store.
  public static let longestText: UInt8 = 64

  /// How many addresses the value takes, from its first.
  public var addressCount: Int {
    switch self {
    case .bool, .bit, .int16, .uint16, .float16, .bcd16: 1
    case .int32, .uint32, .float32, .bcd32: 2
    case .int64, .uint64, .float64, .bcd64: 4
    case .text(let registers): Int(registers)
    }
  }

  /// Whether it is read as an integer without a sign that stands in the registers bit by bit.
  public var isUnsigned: Bool {
    switch self {
    case .uint16, .uint32, .uint64: true
    default: false
    }
  }

  /// Whether it is read as a float.
  public var isFloat: Bool {
    switch self {
    case .float16, .float32, .float64: true
    default: false
    }
  }

  /// Whether it is read as a number.
  public var isNumber: Bool {
    switch self {
    case .bool, .bit, .text: false
    default: true
    }
  }

  /// How many bits a number has; 64 at most.
  var bitCount: Int { 16 * addressCount }

  /// The lowest and the highest number that it can hold, before scale and offset, where an unsigned
  /// one has only `field` of its bits; `nil` for types that are no numbers.
  public func limits(ofBits field: ClosedRange<UInt8>? = nil) -> ClosedRange<Double>? {
    func power(_ exponent: Int) -> Double {
      Double(sign: .plus, exponent: exponent, significand: 1)
    }
    switch self {
    case .bool, .bit, .text: return nil
    case .int16, .int32, .int64: return -power(bitCount - 1)...power(bitCount - 1) - 1
    case .uint16, .uint32, .uint64: return 0...power(field?.count ?? bitCount) - 1
    case .bcd16, .bcd32, .bcd64:
      return 0...(0..<bitCount / 4).reduce(1) { number, _ in number * 10 } - 1
    case .float16:
      let greatest = Double(Float16.greatestFiniteMagnitude)
      return -greatest...greatest
    case .float32:
      let greatest = Double(Float.greatestFiniteMagnitude)
      return -greatest...greatest
    case .float64: return -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    }
  }
}

/// What registers hold where they hold no value, by the device's manual: all their bits as one
/// number, the most significant first.
public struct SpecialPatterns: Sendable, Hashable {
  /// Something is wrong.
  public var errors: [UInt64]
  /// The device, or this model of it, does not measure this.
  public var unsupported: [UInt64]

  /// Makes patterns; none unless given.
  public init(errors: [UInt64] = [], unsupported: [UInt64] = []) {
    self.errors = errors
    self.unsupported = unsupported
  }

  /// Whether there are none.
  var isEmpty: Bool { errors.isEmpty && unsupported.isEmpty }
}

extension RegisterType {
  /// The bits that registers of this type have when they hold `number`: of a float those of the
  /// nearest one. `nil` for a number that they can't hold, and for types that are no numbers.
  public func pattern(of number: DecimalNumber) -> UInt64? {
    switch self {
    case .bool, .bit, .text: return nil
    case .float16:
      let value = Float16(number.approximate)
      return value.isFinite ? UInt64(value.bitPattern) : nil
    case .float32:
      let value = Float(number.approximate)
      return value.isFinite ? UInt64(value.bitPattern) : nil
    case .float64: return number.approximate.bitPattern
    case .bcd16, .bcd32, .bcd64: return number.whole.flatMap { digits(of: $0) }
    case .int16: return number.whole.flatMap { Int16(exactly: $0) }.map { bits(of: Int64($0)) }
    case .int32: return number.whole.flatMap { Int32(exactly: $0) }.map { bits(of: Int64($0)) }
    case .int64: return number.whole.map { bits(of: $0) }
    case .uint16: return number.whole.flatMap { UInt16(exactly: $0) }.map { UInt64($0) }
    case .uint32: return number.whole.flatMap { UInt32(exactly: $0) }.map { UInt64($0) }
    case .uint64: return number.whole.flatMap { UInt64(exactly: $0) }
    }
  }

  /// Whether registers of this type have no more bits than `pattern`.
  public func canHold(pattern: UInt64) -> Bool {
    isNumber && UInt64.bitWidth - pattern.leadingZeroBitCount <= bitCount
  }

  private func bits(of number: Int64) -> UInt64 {
    UInt64(bitPattern: number) & (.max >> UInt64(UInt64.bitWidth - bitCount))
  }

  private func digits(of number: Int64) -> UInt64? {
    guard var rest = UInt64(exactly: number) else { return nil }
    var pattern: UInt64 = 0
    for place in 0..<UInt64(bitCount / 4) {
      pattern |= (rest % 10) << (4 * place)
      rest /= 10
    }
    return rest == 0 ? pattern : nil
  }
}

extension DecimalNumber {
  /// The nearest double.
  var approximate: Double {
    // One division of two exact numbers rounds once: 1 / 10 is the double nearest to 0.1.
    Double(mantissa) / (0..<decimals).reduce(1.0) { power, _ in power * 10 }
  }

  /// The number if it has no fraction.
  fileprivate var whole: Int64? {
    var (rest, places) = (mantissa, decimals)
    while places > 0, rest.isMultiple(of: 10) { (rest, places) = (rest / 10, places - 1) }
    return places == 0 ? rest : nil
  }
}
