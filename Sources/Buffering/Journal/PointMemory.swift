internal import Telemetry

/// What coding a point's next outcome builds on. Encoder and decoder keep the same.
struct PointMemory {
  /// What the last good value was.
  enum ValueType: UInt8 {
    case none, bool, int, uint, float32, float64, decimal, text
  }

  /// The last outcome, where it can be named again.
  enum Last: Equatable {
    case nothing
    case good
    /// Bad without a value, by the reason's code.
    case bad(UInt8)
  }

  /// The last good value: its number, or its bit pattern.
  var bits: UInt64 = 0
  var type = ValueType.none
  /// Of a decimal.
  var decimals: UInt8 = 0
  /// The last good value if that was a text.
  var text = ""
  var last = Last.nothing
  /// The encoder's alone: for how many values yet it need not ask whether a float is a decimal.
  var pause: UInt8 = 0

  mutating func forget() { self = PointMemory(pause: pause) }

  init(pause: UInt8 = 0) { self.pause = pause }
}

extension PointMemory {
  /// A good value becomes the last one.
  mutating func hold(_ type: ValueType, _ bits: UInt64, decimals: UInt8 = 0) {
    self.type = type
    self.bits = bits
    self.decimals = decimals
    last = .good
  }

  /// A good text becomes the last value.
  mutating func hold(_ text: String) {
    hold(.text, 0)
    self.text = text
  }

  /// What was read with its tag becomes the last one.
  mutating func hold(_ outcome: Outcome) {
    switch outcome {
    case .good(.bool(let value)): hold(.bool, value ? 1 : 0)
    case .good(.int(let value)): hold(.int, UInt64(bitPattern: value))
    case .good(.uint(let value)): hold(.uint, value)
    case .good(.float32(let value)): hold(.float32, UInt64(value.bitPattern))
    case .good(.float64(let value)): hold(.float64, value.bitPattern)
    case .good(.decimal(let mantissa, let decimals)):
      hold(.decimal, UInt64(bitPattern: mantissa), decimals: decimals)
    case .good(.text(let text)): hold(text)
    case .bad(let reason, raw: nil): last = .bad(reason.code)
    case .bad(_, raw: .some): last = .nothing
    }
  }

  /// The last good value plus `change`, which wraps around.
  mutating func add(_ change: Int64) throws(MalformedBytes) {
    switch type {
    case .none, .bool, .text:
      throw MalformedBytes(description: "a change of a number, and none is before it")
    case .float32:
      let bits = UInt32(truncatingIfNeeded: bits) &+ UInt32(truncatingIfNeeded: change)
      hold(.float32, UInt64(bits))
    case .int, .uint, .float64, .decimal:
      hold(type, bits &+ UInt64(bitPattern: change), decimals: decimals)
    }
  }

  /// The last good value.
  func value() throws(MalformedBytes) -> Value {
    switch type {
    case .none: throw MalformedBytes(description: "a value as before, and none is before it")
    case .bool: .bool(bits != 0)
    case .int: .int(Int64(bitPattern: bits))
    case .uint: .uint(bits)
    case .float32: .float32(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .float64: .float64(Double(bitPattern: bits))
    case .decimal: .decimal(mantissa: Int64(bitPattern: bits), decimals: decimals)
    case .text: .text(text)
    }
  }

  /// The last good value if that is a float, else 0.
  var float: Float {
    type == .float32 ? Float(bitPattern: UInt32(truncatingIfNeeded: bits)) : 0
  }
}
