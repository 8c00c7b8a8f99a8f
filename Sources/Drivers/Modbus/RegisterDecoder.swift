internal import Telemetry

/// Reads a point's registers as a value, or says why they hold none.
struct RegisterDecoder: Sendable, Hashable {
  private let type: RegisterType
  private let order: ByteOrder
  private let scaling: LinearScaling?
  private let range: ValueRange?

  /// A decoder of `point`. Scale, offset and range don't apply to bits.
  init(_ point: ModbusPoint) {
    type = point.type
    order = point.order
    scaling = LinearScaling(scale: point.scale, offset: point.offset)
    range = point.description.range
  }

  /// What `words` say: `addressCount` registers as they came over the wire, or one bit as 0 or 1.
  func outcome(of words: ArraySlice<UInt16>) -> Outcome {
    precondition(words.count == type.addressCount, "\(words.count) words for \(type)")
    let pattern = pattern(of: words)
    switch type {
    case .bool: return .good(.bool(words.first != 0))
    case .bit(let bit): return .good(.bool(pattern >> UInt64(bit) & 1 == 1))
    case .int16: return signed(Int64(Int16(truncatingIfNeeded: pattern)))
    case .int32: return signed(Int64(Int32(truncatingIfNeeded: pattern)))
    case .int64: return signed(Int64(truncatingIfNeeded: pattern))
    case .uint16, .uint32, .uint64: return unsigned(pattern)
    case .float32: return float32(Float(bitPattern: UInt32(truncatingIfNeeded: pattern)))
    case .float64: return float64(Double(bitPattern: pattern))
    }
  }

  /// The words as one number, most significant bit first.
  private func pattern(of words: ArraySlice<UInt16>) -> UInt64 {
    func append(_ pattern: UInt64, _ word: UInt16) -> UInt64 {
      pattern << 16 | UInt64(order.swapsBytes ? word.byteSwapped : word)
    }
    // Neither makes an array: this is done for every value that is ever read.
    return order.reversesWords
      ? words.lazy.reversed().reduce(0, append) : words.reduce(0, append)
  }

  private func signed(_ raw: Int64) -> Outcome {
    judge(scaling?.exactly(Int128(raw)) ?? .int(raw))
  }

  private func unsigned(_ raw: UInt64) -> Outcome {
    judge(scaling?.exactly(Int128(raw)) ?? .uint(raw))
  }

  private func float32(_ raw: Float) -> Outcome {
    let value = scaling.map { Float($0.approximately(Double(raw))) } ?? raw
    // JSON has no word for what is not a number, so there is no raw value to show either.
    return value.isFinite ? judge(.float32(value)) : .bad(.notANumber)
  }

  private func float64(_ raw: Double) -> Outcome {
    let value = scaling?.approximately(raw) ?? raw
    return value.isFinite ? judge(.float64(value)) : .bad(.notANumber)
  }

  private func judge(_ value: Value) -> Outcome {
    guard let range, !range.includes(value) else { return .good(value) }
    return .bad(.outOfRange, raw: value)
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
