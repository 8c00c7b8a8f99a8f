internal import Telemetry

/// Reads a point's registers as a value, or says why they hold none.
struct RegisterDecoder: Sendable {
  /// What few points have. Behind a reference: the rest is copied for every value that is read,
  /// and arrays would have to be counted each time.
  private final class Rare: Sendable {
    let special: SpecialPatterns
    let states: Set<Int64>?

    init?(_ point: ModbusPoint) {
      special = point.special
      states = point.description.enumeration.map { Set($0.keys) }
      if special.isEmpty, states == nil { return nil }
    }
  }

  private let type: RegisterType
  private let order: ByteOrder
  private let bits: ClosedRange<UInt8>?
  private let rare: Rare?
  private let scaling: LinearScaling?
  private let range: ValueRange?
  private let rounding: DecimalRounding?

  /// A decoder of `point`. Scale, offset, range and all that is about numbers don't apply to bits
  /// and texts.
  init(_ point: ModbusPoint) {
    type = point.type
    order = point.order
    bits = point.bits
    rare = Rare(point)
    scaling = LinearScaling(scale: point.scale, offset: point.offset)
    range = point.description.range
    rounding = point.description.decimals.map(DecimalRounding.init)
  }

  /// What `words` say: `addressCount` registers as they came over the wire, or one bit as 0 or 1.
  func outcome(of words: ArraySlice<UInt16>) -> Outcome {
    precondition(words.count == type.addressCount, "\(words.count) words for \(type)")
    if case .text = type { return Self.text(of: words, swapsBytes: order.swapsBytes) }
    let pattern = pattern(of: words)
    if let rare, let outcome = rare.special.outcome(of: pattern, type) { return outcome }
    switch type {
    case .bool: return .good(.bool(words.first != 0))
    case .bit(let bit): return .good(.bool(pattern >> UInt64(bit) & 1 == 1))
    case .int16: return signed(Int64(Int16(truncatingIfNeeded: pattern)))
    case .int32: return signed(Int64(Int32(truncatingIfNeeded: pattern)))
    case .int64: return signed(Int64(truncatingIfNeeded: pattern))
    case .uint16, .uint32, .uint64: return unsigned(bits.map { pattern[$0] } ?? pattern)
    case .float16: return float32(Float(shortest: Float16(bitPattern: UInt16(pattern))))
    case .float32: return float32(Float(bitPattern: UInt32(truncatingIfNeeded: pattern)))
    case .float64: return float64(Double(bitPattern: pattern))
    case .bcd16, .bcd32, .bcd64:
      // What is no digit is no number: a wrong type, or a meter that says so.
      return pattern.decimalDigits.map(unsigned) ?? .bad(.notANumber)
    case .text: return Self.text(of: words, swapsBytes: order.swapsBytes)
    }
  }

  /// The words as one number, most significant bit first.
  private func pattern(of words: ArraySlice<UInt16>) -> UInt64 {
    // Neither makes an array: this is done for every value that is ever read.
    let swapped = order.swappedWords & (words.count - 1)
    let swapsBytes = order.swapsBytes
    var pattern: UInt64 = 0
    for index in 0..<words.count {
      let word = words[words.startIndex + (index ^ swapped)]
      pattern = pattern << 16 | UInt64(swapsBytes ? word.byteSwapped : word)
    }
    return pattern
  }

  private func signed(_ raw: Int64) -> Outcome {
    if let states = rare?.states {
      return states.contains(raw) ? .good(.int(raw)) : unknown(.int(raw))
    }
    return judge(scaling?.exactly(Int128(raw)) ?? .int(raw))
  }

  private func unsigned(_ raw: UInt64) -> Outcome {
    if let states = rare?.states {
      let isKnown = Int64(exactly: raw).map(states.contains) ?? false
      return isKnown ? .good(.uint(raw)) : unknown(.uint(raw))
    }
    return judge(scaling?.exactly(Int128(raw)) ?? .uint(raw))
  }

  /// A state that the configuration does not name.
  private func unknown(_ value: Value) -> Outcome { .bad(.outOfRange, raw: value) }

  private func float32(_ raw: Float) -> Outcome {
    let value = scaling.map { Float($0.approximately(Double(raw))) } ?? raw
    // JSON has no word for what is not a number, so there is no raw value to show either.
    return value.isFinite ? judge(.float32(value)) : .bad(.notANumber)
  }

  private func float64(_ raw: Double) -> Outcome {
    let value = scaling?.approximately(raw) ?? raw
    return value.isFinite ? judge(.float64(value)) : .bad(.notANumber)
  }

  /// By the value as it was read: one that is a little beyond its range must not be rounded into
  /// it, nor stand as raw with the digits of the limit.
  private func judge(_ value: Value) -> Outcome {
    guard let range, !range.includes(value) else {
      return .good(rounding?.rounded(value) ?? value)
    }
    return .bad(.outOfRange, raw: value)
  }
}

extension SpecialPatterns {
  /// What registers with these bits say, if it is no value. An error comes with its number as the
  /// device's manual prints it, before scale and bits.
  fileprivate func outcome(of pattern: UInt64, _ type: RegisterType) -> Outcome? {
    if errors.contains(pattern) { return .bad(.errorValue, raw: number(of: pattern, type)) }
    return unsupported.contains(pattern) ? .bad(.unsupported) : nil
  }

  private func number(of pattern: UInt64, _ type: RegisterType) -> Value? {
    switch type {
    case .int16: .int(Int64(Int16(truncatingIfNeeded: pattern)))
    case .int32: .int(Int64(Int32(truncatingIfNeeded: pattern)))
    case .int64: .int(Int64(bitPattern: pattern))
    case .uint16, .uint32, .uint64: .uint(pattern)
    case .bcd16, .bcd32, .bcd64: pattern.decimalDigits.map(Value.uint)
    case .float16: finite(Float(shortest: Float16(bitPattern: UInt16(pattern))))
    case .float32: finite(Float(bitPattern: UInt32(truncatingIfNeeded: pattern)))
    case .float64:
      Double(bitPattern: pattern).isFinite ? .float64(Double(bitPattern: pattern)) : nil
    case .bool, .bit, .text: nil
    }
  }

  private func finite(_ value: Float) -> Value? { value.isFinite ? .float32(value) : nil }
}

extension UInt64 {
  /// The number that these bits are.
  fileprivate subscript(bits: ClosedRange<UInt8>) -> UInt64 {
    self >> UInt64(bits.lowerBound) & (.max >> UInt64(63 - (bits.upperBound - bits.lowerBound)))
  }

  /// The number whose decimal digits these are, four bits each; `nil` if one is none.
  fileprivate var decimalDigits: UInt64? {
    var (number, rest): (UInt64, UInt64) = (0, self)
    var place: UInt64 = 1
    while rest != 0 {
      guard rest & 0xF < 10 else { return nil }
      number += rest & 0xF * place
      rest >>= 4
      // 16 digits stay below 2^54.
      place *= 10
    }
    return number
  }
}

extension Float {
  /// The float that prints as `half` does: 0.1 and not 0.099975586, which a half is if it says 0.1.
  /// It is nearer to `half` than to any other.
  fileprivate init(shortest half: Float16) {
    self = half.isFinite ? Float(half.description) ?? Float(half) : Float(half)
  }
}

extension ValueRange {
  /// Whether a value lies within the limits, in the precision it was measured in: the 32-bit float
  /// that prints 0.1 is a little more than the double 0.1, and still within a limit of 0.1.
  fileprivate func includes(_ value: Value) -> Bool {
    guard case .float32(let value) = value else { return contains(value.approximate) }
    return value >= Float(lower) && value <= Float(upper)
  }
}
