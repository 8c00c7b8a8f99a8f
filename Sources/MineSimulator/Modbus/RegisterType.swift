internal import Telemetry

/// The four address spaces of Modbus, by their configuration keys.
enum ModbusTable: String, Sendable, Hashable, CaseIterable {
  case coil, discrete, input, holding

  var holdsBits: Bool { self == .coil || self == .discrete }
}

/// How a point's value is laid into registers or bits.
enum RegisterType: String, Sendable, Hashable, CaseIterable {
  /// A coil or discrete input.
  case bool
  case int16, uint16, int32, uint32, int64, uint64
  case float32, float64
  /// A decimal digit in each four bits.
  case bcd16, bcd32, bcd64
  /// Characters, two a register; a point says how many registers it has.
  case string

  /// How many addresses the value takes; of a string each two characters.
  var addressCount: Int {
    switch self {
    case .bool, .int16, .uint16, .bcd16, .string: 1
    case .int32, .uint32, .float32, .bcd32: 2
    case .int64, .uint64, .float64, .bcd64: 4
    }
  }

  var isInteger: Bool {
    switch self {
    case .int16, .uint16, .int32, .uint32, .int64, .uint64, .bcd16, .bcd32, .bcd64: true
    case .bool, .float32, .float64, .string: false
    }
  }
}

/// Order of a 32-bit value's bytes on the wire, A the most significant; 64-bit values follow the
/// same pattern: words, and bytes within words, each forward or reversed.
enum ByteOrder: String, Sendable, Hashable, CaseIterable {
  case abcd = "ABCD"
  case badc = "BADC"
  case cdab = "CDAB"
  case dcba = "DCBA"
}

/// An exact decimal number, `mantissa × 10^-decimals`.
struct DecimalNumber: Sendable, Hashable, CustomStringConvertible {
  var mantissa: Int64
  var decimals: UInt8

  var description: String { Value.decimal(mantissa: mantissa, decimals: decimals).description }

  /// For the way back, from a signal to a register; the way forth stays exact.
  var approximate: Double {
    (0..<decimals).reduce(Double(mantissa)) { result, _ in result / 10 }
  }
}

/// One reading of a point: the value that a correct reader has to arrive at, and the registers (or
/// the one bit) that carry it.
struct Reading: Sendable, Hashable {
  var value: Value
  /// In wire order; of a bit point one element, 0 or 1.
  var words: [UInt16]
}

extension Reading {
  /// Lays a signal's level into registers: an integer takes the nearest register value that its
  /// type can hold, and `value` is what those registers say, not the level.
  init(level: Double, type: RegisterType, order: ByteOrder, scale: DecimalNumber?) {
    switch type {
    case .bool:
      self.init(value: .bool(level >= 0.5), words: [level >= 0.5 ? 1 : 0])
    case .float32:
      let float = Float(level)
      self.init(value: .float32(float), words: float.bitPattern.registers(order))
    case .float64:
      self.init(value: .float64(level), words: level.bitPattern.registers(order))
    case .int16: self.init(Int16(nearest: level, scale), order, scale)
    case .uint16: self.init(UInt16(nearest: level, scale), order, scale)
    case .int32: self.init(Int32(nearest: level, scale), order, scale)
    case .uint32: self.init(UInt32(nearest: level, scale), order, scale)
    case .int64: self.init(Int64(nearest: level, scale), order, scale)
    case .uint64: self.init(UInt64(nearest: level, scale), order, scale)
    case .bcd16: self.init(digitsOf: UInt16(nearest: level, scale), order, scale)
    case .bcd32: self.init(digitsOf: UInt32(nearest: level, scale), order, scale)
    case .bcd64: self.init(digitsOf: UInt64(nearest: level, scale), order, scale)
    case .string: self.init(text: "", registers: 1, order: order)
    }
  }

  /// Lays a text down, its end filled with zero bytes; characters that have no room are missing.
  init(text: String, registers: Int, order: ByteOrder) {
    var room = 2 * registers
    let fitting = text.prefix { character in
      room -= character.utf8.count
      return room >= 0
    }
    var bytes = Array(fitting.utf8)
    bytes += [UInt8](repeating: 0, count: 2 * registers - bytes.count)
    let swapsBytes = order == .badc || order == .dcba
    let words = (0..<registers).map { index in
      let word = UInt16(bytes[2 * index]) << 8 | UInt16(bytes[2 * index + 1])
      return swapsBytes ? word.byteSwapped : word
    }
    self.init(value: .text(String(fitting)), words: words)
  }

  /// The same number in decimal digits, as many as there is room for.
  private init<Number: FixedWidthInteger & UnsignedInteger>(
    digitsOf number: Number, _ order: ByteOrder, _ scale: DecimalNumber?
  ) {
    let places = Number.bitWidth / 4
    var rest = min(UInt64(number), (0..<places).reduce(1) { power, _ in power * 10 } - 1)
    self.init(Number(rest), order, scale)
    var pattern: Number = 0
    for place in 0..<places {
      pattern |= Number(rest % 10) << Number(4 * place)
      rest /= 10
    }
    words = pattern.registers(order)
  }

  private init<Number: FixedWidthInteger>(
    _ number: Number, _ order: ByteOrder, _ scale: DecimalNumber?
  ) {
    words = Number.Magnitude(truncatingIfNeeded: number).registers(order)
    if let scale {
      let factor = Int64(clamping: number).multipliedReportingOverflow(by: scale.mantissa)
      // The scenario's check keeps 64-bit points free of scales, so that this cannot overflow.
      precondition(!factor.overflow, "\(number) × \(scale.mantissa) overflows")
      value = .decimal(mantissa: factor.partialValue, decimals: scale.decimals)
    } else {
      value = Number.isSigned ? .int(Int64(number)) : .uint(UInt64(number))
    }
  }
}

extension FixedWidthInteger {
  /// The register value nearest to `level / scale`, held to what the type can carry.
  fileprivate init(nearest level: Double, _ scale: DecimalNumber?) {
    let register = (level / (scale?.approximate ?? 1)).rounded()
    if let exact = Self(exactly: register) {
      self = exact
    } else {
      self = register > 0 ? .max : .min
    }
  }
}

extension FixedWidthInteger where Self: UnsignedInteger {
  /// The value as registers in wire order.
  fileprivate func registers(_ order: ByteOrder) -> [UInt16] {
    let count = Self.bitWidth / 16
    return (0..<count).map { index in
      let isReversed = order == .cdab || order == .dcba
      let shift = 16 * (isReversed ? index : count - 1 - index)
      let word = UInt16(truncatingIfNeeded: self >> shift)
      return order == .badc || order == .dcba ? word.byteSwapped : word
    }
  }
}
