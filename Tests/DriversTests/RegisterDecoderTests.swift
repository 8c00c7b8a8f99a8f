import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Register decoder")
struct RegisterDecoderTests {
  private func decode(_ words: [UInt16], _ point: ModbusPoint) -> Outcome {
    RegisterDecoder(point).outcome(of: words[...])
  }

  /// Registers as a device that orders its bytes so sends them; written without the decoder's
  /// means: bytes are placed one by one.
  private func encode(_ pattern: UInt64, words: Int, _ order: ByteOrder) -> [UInt16] {
    let bytes = (0..<words * 2).reversed().map { UInt8(pattern >> UInt64($0 * 8) & 0xFF) }
    let pairs = (0..<words).map { (bytes[$0 * 2], bytes[$0 * 2 + 1]) }
    let ordered = order == .cdab || order == .dcba ? Array(pairs.reversed()) : pairs
    return ordered.map { high, low in
      order == .badc || order == .dcba
        ? UInt16(low) << 8 | UInt16(high) : UInt16(high) << 8 | UInt16(low)
    }
  }

  @Test(
    "123456.0 is read in each byte order",
    arguments: [
      (ByteOrder.abcd, [0x47F1, 0x2000]), (.badc, [0xF147, 0x0020]), (.cdab, [0x2000, 0x47F1]),
      (.dcba, [0x0020, 0xF147]),
    ] as [(ByteOrder, [UInt16])])
  func readsEachOrder(order: ByteOrder, words: [UInt16]) {
    #expect(decode(words, point(0, .float32, order)) == .good(.float32(123456.0)))
  }

  @Test(
    "A 64-bit integer is read in each byte order",
    arguments: [
      (ByteOrder.abcd, [0x0102, 0x0304, 0x0506, 0x0708]),
      (.badc, [0x0201, 0x0403, 0x0605, 0x0807]), (.cdab, [0x0708, 0x0506, 0x0304, 0x0102]),
      (.dcba, [0x0807, 0x0605, 0x0403, 0x0201]),
    ] as [(ByteOrder, [UInt16])])
  func readsEachOrderOf64Bits(order: ByteOrder, words: [UInt16]) {
    #expect(decode(words, point(0, .uint64, order)) == .good(.uint(0x0102_0304_0506_0708)))
  }

  @Test("Signs, bits and swapped bytes of one register")
  func readsOneRegister() {
    #expect(decode([0xFFFF], point(0, .int16)) == .good(.int(-1)))
    #expect(decode([0xFFFF], point(0, .uint16)) == .good(.uint(65_535)))
    #expect(decode([0x0102], point(0, .uint16, .dcba)) == .good(.uint(0x0201)))
    #expect(decode([0x8000], point(0, .bit(15))) == .good(.bool(true)))
    #expect(decode([0x7FFF], point(0, .bit(15))) == .good(.bool(false)))
    #expect(decode([0x0001], point(0, .bit(0))) == .good(.bool(true)))
    #expect(decode([1], point("p", .coil, 0, .bool)) == .good(.bool(true)))
    #expect(decode([0], point("p", .coil, 0, .bool)) == .good(.bool(false)))
  }

  @Test("3 × 0.1 is 0.3")
  func scalesExactly() {
    let tenth = DecimalNumber(mantissa: 1, decimals: 1)
    let outcome = decode([3], point("p", .input, 2, .uint16, scale: tenth))
    #expect(outcome == .good(.decimal(mantissa: 3, decimals: 1)))
    guard case .good(let value) = outcome else { return }
    #expect("\(value)" == "0.3")
  }

  @Test("An offset joins with the decimals of both")
  func addsOffset() {
    let point = point(
      "p", .input, 2, .int16, scale: DecimalNumber(mantissa: 5, decimals: 1),
      offset: DecimalNumber(mantissa: -4025, decimals: 2))
    // 7 × 0.5 − 40.25
    #expect(decode([7], point) == .good(.decimal(mantissa: -3675, decimals: 2)))
  }

  @Test("What exceeds 64 bits of digits becomes a double, not a wrong number")
  func overflowsToDouble() {
    let words: [UInt16] = [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF]
    let tenfold = point("p", .input, 0, .uint64, scale: DecimalNumber(mantissa: 10, decimals: 0))
    #expect(decode(words, tenfold) == .good(.float64(Double(UInt64.max) * 10)))
    let digits = point(
      "p", .input, 0, .uint64, scale: DecimalNumber(mantissa: .max, decimals: 0),
      offset: DecimalNumber(mantissa: 1, decimals: 255))
    #expect(decode(words, digits) == .good(.float64(Double(UInt64.max) * Double(Int64.max))))
    let largest = point("p", .input, 0, .uint64, scale: DecimalNumber(mantissa: 1, decimals: 1))
    #expect(
      decode([0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], largest)
        == .good(.decimal(mantissa: .max, decimals: 1)))
  }

  @Test("A scaled float stays a float of its width")
  func scalesFloats() {
    let tenth = DecimalNumber(mantissa: 1, decimals: 1)
    let single = encode(UInt64(Float(217).bitPattern), words: 2, .abcd)
    #expect(
      decode(single, point("p", .input, 0, .float32, scale: tenth)) == .good(.float32(21.7)))
    let double = encode(Double(217).bitPattern, words: 4, .cdab)
    #expect(
      decode(double, point("p", .input, 0, .float64, order: .cdab, scale: tenth))
        == .good(.float64(217 * 0.1)))
  }

  @Test("A register without a number is bad, and has nothing to show")
  func refusesNotANumber() {
    for value in [Float.nan, .infinity, -.infinity, .signalingNaN] {
      let words = encode(UInt64(value.bitPattern), words: 2, .abcd)
      #expect(decode(words, point(0, .float32)) == .bad(.notANumber))
    }
    let words = encode(Double.nan.bitPattern, words: 4, .abcd)
    #expect(decode(words, point(0, .float64)) == .bad(.notANumber))
    let huge = encode(UInt64(Float.greatestFiniteMagnitude.bitPattern), words: 2, .abcd)
    let scaled = point("p", .input, 0, .float32, scale: DecimalNumber(mantissa: 10, decimals: 0))
    #expect(decode(huge, scaled) == .bad(.notANumber))
  }

  @Test("The range includes its ends; beyond it the value stands as raw")
  func judgesTheRange() {
    let range = ValueRange(lower: 0, upper: 4)
    let methane = point("ch4", .holding, 0, .float32, range: range)
    let words = { (value: Float) in self.encode(UInt64(value.bitPattern), words: 2, .abcd) }
    #expect(decode(words(4), methane) == .good(.float32(4)))
    #expect(decode(words(0), methane) == .good(.float32(0)))
    #expect(decode(words(4.5), methane) == .bad(.outOfRange, raw: .float32(4.5)))
    #expect(decode(words(-0.1), methane) == .bad(.outOfRange, raw: .float32(-0.1)))
    let wind = point(
      "wind", .input, 0, .uint16, scale: DecimalNumber(mantissa: 1, decimals: 1), range: range)
    #expect(decode([40], wind) == .good(.decimal(mantissa: 40, decimals: 1)))
    #expect(decode([41], wind) == .bad(.outOfRange, raw: .decimal(mantissa: 41, decimals: 1)))
  }

  @Test("A float that prints as the limit is within it, although its double is not")
  func judgesFloatsInTheirOwnPrecision() {
    #expect(Double(Float(0.1)) > 0.1)
    let point = point("p", .holding, 0, .float32, range: ValueRange(lower: -0.1, upper: 0.1))
    for value in [Float(0.1), -0.1] {
      let words = encode(UInt64(value.bitPattern), words: 2, .abcd)
      #expect(decode(words, point) == .good(.float32(value)))
    }
  }

  @Test(
    "Encoded values come back, in every type and order",
    arguments: [ByteOrder.abcd, .badc, .cdab, .dcba])
  func roundTrips(order: ByteOrder) {
    var generator = SeededGenerator(seed: 42)
    for _ in 0..<500 {
      let bits = generator.next()
      let checks: [(RegisterType, Value?)] = [
        (.int16, .int(Int64(Int16(truncatingIfNeeded: bits)))),
        (.uint16, .uint(UInt64(UInt16(truncatingIfNeeded: bits)))),
        (.int32, .int(Int64(Int32(truncatingIfNeeded: bits)))),
        (.uint32, .uint(UInt64(UInt32(truncatingIfNeeded: bits)))),
        (.int64, .int(Int64(truncatingIfNeeded: bits))), (.uint64, .uint(bits)),
        (.float32, finite(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))),
        (.float64, finite(Double(bitPattern: bits))),
      ]
      for (type, value) in checks {
        let words = encode(bits, words: type.addressCount, order)
        let expected = value.map { Outcome.good($0) } ?? .bad(.notANumber)
        #expect(decode(words, point(0, type, order)) == expected)
      }
    }
  }

  @Test("A scaled integer prints as the same product made of digits")
  func scalesLikeDigits() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      let raw = Int32.random(in: .min ... .max, using: &generator)
      let scale = DecimalNumber(
        mantissa: .random(in: 1...999, using: &generator),
        decimals: .random(in: 0...4, using: &generator))
      let words = encode(UInt64(UInt32(bitPattern: raw)), words: 2, .abcd)
      let outcome = decode(words, point("p", .input, 0, .int32, scale: scale))
      #expect(
        outcome
          == .good(.decimal(mantissa: Int64(raw) * scale.mantissa, decimals: scale.decimals)))
    }
  }

  private func finite(_ value: Float) -> Value? { value.isFinite ? .float32(value) : nil }
  private func finite(_ value: Double) -> Value? { value.isFinite ? .float64(value) : nil }
}
