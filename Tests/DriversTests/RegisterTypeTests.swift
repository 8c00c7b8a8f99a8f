import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// A holding register or several that are read as `type`, changed by `change`.
private func point(
  _ type: RegisterType, _ change: (inout ModbusPoint) -> Void = { _ in }
) -> ModbusPoint {
  var point = point("p", .holding, 0, type)
  change(&point)
  return point
}

private func decode(_ words: [UInt16], _ point: ModbusPoint) -> Outcome {
  RegisterDecoder(point).outcome(of: words[...])
}

@Suite("Types of registers")
struct RegisterTypeTests {
  /// The registers of a value whose bytes are sent in an order of letters, A the first of `bytes`.
  private func wire(_ bytes: [UInt8], _ order: ByteOrder) -> [UInt16] {
    let sent = order.rawValue.utf8.map { bytes[Int($0 - UInt8(ascii: "A"))] }
    return stride(from: 0, to: sent.count, by: 2).map {
      UInt16(sent[$0]) << 8 | UInt16(sent[$0 + 1])
    }
  }

  @Test("An order of letters is the order of bytes on the wire", arguments: ByteOrder.allCases)
  func orders(order: ByteOrder) {
    let count = order.byteCount ?? 4
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<50 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let number = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let type: RegisterType = count == 8 ? .uint64 : .uint32
      let point = point(type) { $0.order = order }
      #expect(decode(wire(bytes, order), point) == .good(.uint(number)))
    }
  }

  @Test(
    "Four letters and the eight of the same pattern mean the same for 64 bits",
    arguments: [
      (ByteOrder.abcd, ByteOrder.abcdefgh), (.badc, .badcfehg), (.cdab, .ghefcdab),
      (.dcba, .hgfedcba),
    ])
  func sameOrders(four: ByteOrder, eight: ByteOrder) {
    let words: [UInt16] = [0x0123, 0x4567, 0x89AB, 0xCDEF]
    #expect(
      decode(words, point(.uint64) { $0.order = four })
        == decode(words, point(.uint64) { $0.order = eight }))
  }

  @Test(
    "A 16-bit float prints as the shortest decimal that it is",
    arguments: [
      (0x3C00, "1.0"), (0x2E66, "0.1"), (0xC000, "-2.0"), (0x7BFF, "65504.0"), (0x0001, "6e-08"),
      (0x4D6D, "21.7"), (0x8000, "-0.0"),
    ] as [(UInt16, String)])
  func halves(bits: UInt16, text: String) throws {
    guard case .good(.float32(let value)) = decode([bits], point(.float16)) else {
      Issue.record("no float")
      return
    }
    #expect(value.description == text)
    #expect(Float16(value).bitPattern == bits)
  }

  @Test("Every 16-bit float is nearer to what it prints as than any other, or is no number")
  func allHalves() {
    let point = point(.float16)
    for bits in UInt16.min ... .max {
      switch decode([bits], point) {
      case .good(.float32(let value)): #expect(Float16(value).bitPattern == bits)
      case .bad(.notANumber, raw: nil): #expect(!Float16(bitPattern: bits).isFinite)
      default: Issue.record("\(bits)")
      }
    }
  }

  @Test(
    "Decimal digits are read in each length; what is no digit is no number",
    arguments: [
      (.bcd16, [0x1234], 1234), (.bcd16, [0x9999], 9999), (.bcd16, [0x0000], 0),
      (.bcd16, [0x12A4], nil), (.bcd32, [0x0012, 0x3456], 123_456), (.bcd32, [0xF000, 0], nil),
      (.bcd64, [0x9999, 0x9999, 0x9999, 0x9999], 9_999_999_999_999_999),
      (.bcd64, [0, 0, 0, 0x000B], nil),
    ] as [(RegisterType, [UInt16], UInt64?)])
  func digits(type: RegisterType, words: [UInt16], number: UInt64?) {
    #expect(decode(words, point(type)) == number.map { .good(.uint($0)) } ?? .bad(.notANumber))
  }

  @Test("Decimal digits are scaled as any integer, in any order of bytes")
  func scaledDigits() {
    let point = point(.bcd32) {
      $0.order = .cdab
      $0.scale = DecimalNumber(mantissa: 1, decimals: 2)
    }
    #expect(decode([0x3456, 0x0012], point) == .good(.decimal(mantissa: 123_456, decimals: 2)))
  }

  @Test(
    "Bits of a register, or of several, are a number",
    arguments: [
      (.uint16, [0xABCD], 4...7, 0xC), (.uint16, [0xABCD], 0...15, 0xABCD),
      (.uint16, [0x8000], 15...15, 1), (.uint32, [0x0001, 0x8000], 15...16, 3),
      (.uint64, [0xFFFF, 0, 0, 0], 48...63, 0xFFFF),
      (.uint64, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], 0...63, .max),
    ] as [(RegisterType, [UInt16], ClosedRange<UInt8>, UInt64)])
  func fields(type: RegisterType, words: [UInt16], bits: ClosedRange<UInt8>, number: UInt64) {
    #expect(decode(words, point(type) { $0.bits = bits }) == .good(.uint(number)))
  }

  @Test(
    "Text ends at the first zero and has no spaces around it",
    arguments: [
      ([0x534E, 0x2D31], "SN-1"), ([0x2041, 0x4220, 0x2000], "AB"), ([0x4100, 0x4242], "A"),
      ([0x0000, 0x4242], ""), ([0x2020], ""), ([0xE9A3, 0x8E20], "风"),
    ] as [([UInt16], String)])
  func texts(words: [UInt16], text: String) {
    let type = RegisterType.text(registers: UInt8(words.count))
    #expect(decode(words, point(type)) == .good(.text(text)))
    let swapped = point(type) { $0.order = .badc }
    #expect(decode(words.map(\.byteSwapped), swapped) == .good(.text(text)))
  }

  @Test(
    "Bytes that spell nothing are no text",
    arguments: [[0xFFFF], [0x41E9], [0x411B], [0x4180], [0x417F]] as [[UInt16]])
  func badTexts(words: [UInt16]) {
    #expect(decode(words, point(.text(registers: 1))) == .bad(.notANumber))
  }

  @Test("A state that has a name is good, any other is out of range and stands as raw")
  func states() {
    let states: [Int64: String] = [0: "stopped", 1: "running", -1: "fault"]
    let unsigned = point(.uint16) { $0.description.enumeration = states }
    #expect(decode([1], unsigned) == .good(.uint(1)))
    #expect(decode([7], unsigned) == .bad(.outOfRange, raw: .uint(7)))
    let signed = point(.int16) { $0.description.enumeration = states }
    #expect(decode([0xFFFF], signed) == .good(.int(-1)))
    #expect(decode([0xFFFE], signed) == .bad(.outOfRange, raw: .int(-2)))
    let field = point(.uint16) {
      $0.bits = 4...5
      $0.description.enumeration = states
    }
    #expect(decode([0xFFDF], field) == .good(.uint(1)))
    let wide = point(.uint64) { $0.description.enumeration = states }
    #expect(decode([0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], wide) == .bad(.outOfRange, raw: .uint(.max)))
  }
}

@Suite("Registers that say that they hold no value")
struct SpecialPatternTests {
  @Test(
    "A number is compared as the type reads it",
    arguments: [
      (.int16, -32_768, 0, 0x8000), (.int16, 32_767, 0, 0x7FFF), (.int16, 32_768, 0, nil),
      (.uint16, 65_535, 0, 0xFFFF), (.uint16, -1, 0, nil), (.uint16, 10, 1, 1),
      (.uint16, 15, 1, nil),
      (.int32, -1, 0, 0xFFFF_FFFF), (.uint32, 4_294_967_296, 0, nil), (.int64, -1, 0, .max),
      (.uint64, 999, 0, 999), (.bcd16, 9999, 0, 0x9999), (.bcd16, 10_000, 0, nil),
      (.bcd32, 12, 0, 0x12), (.bcd16, -1, 0, nil), (.float32, -9999, 0, 0xC61C_3C00),
      (.float32, 1, 1, 0x3DCC_CCCD), (.float64, 1, 0, 0x3FF0_0000_0000_0000),
      (.float16, 1, 0, 0x3C00), (.float16, 70_000, 0, nil), (.text(registers: 2), 1, 0, nil),
      (.bool, 1, 0, nil),
    ] as [(RegisterType, Int64, UInt8, UInt64?)])
  func patterns(type: RegisterType, mantissa: Int64, decimals: UInt8, pattern: UInt64?) {
    let number = DecimalNumber(mantissa: mantissa, decimals: decimals)
    #expect(type.pattern(of: number) == pattern)
  }

  @Test("Bits fit a type that has as many")
  func fit() {
    #expect(RegisterType.int16.canHold(pattern: 0xFFFF))
    #expect(!RegisterType.int16.canHold(pattern: 0x1_0000))
    #expect(RegisterType.float64.canHold(pattern: .max))
    #expect(!RegisterType.bool.canHold(pattern: 1))
  }

  @Test("An error value is one, with its number before scale and bits; another is unsupported")
  func special() {
    let level = point(.int16) {
      $0.special = SpecialPatterns(errors: [0x7FFF, 0x8000], unsupported: [0x7FFE])
      $0.scale = DecimalNumber(mantissa: 1, decimals: 1)
    }
    #expect(decode([0x8000], level) == .bad(.errorValue, raw: .int(-32_768)))
    #expect(decode([0x7FFF], level) == .bad(.errorValue, raw: .int(32_767)))
    #expect(decode([0x7FFE], level) == .bad(.unsupported))
    #expect(decode([0x7FFD], level) == .good(.decimal(mantissa: 32_765, decimals: 1)))
    let field = point(.uint16) {
      $0.bits = 0...11
      $0.special = SpecialPatterns(errors: [0xFFFF])
    }
    #expect(decode([0xFFFF], field) == .bad(.errorValue, raw: .uint(0xFFFF)))
    #expect(decode([0x0FFF], field) == .good(.uint(0xFFF)))
  }

  @Test("An error value of a float may be no number itself")
  func floats() {
    let point = point(.float32) {
      $0.special = SpecialPatterns(errors: [0x7FC0_0000, 0xC61C_3C00])
    }
    #expect(decode([0x7FC0, 0x0000], point) == .bad(.errorValue))
    #expect(decode([0x7FC0, 0x0001], point) == .bad(.notANumber))
    #expect(decode([0xC61C, 0x3C00], point) == .bad(.errorValue, raw: .float32(-9999)))
  }

  @Test("Words are put in order before they are compared")
  func ordered() {
    let point = point(.uint32) {
      $0.order = .cdab
      $0.special = SpecialPatterns(unsupported: [0x8000_0000])
    }
    #expect(decode([0x0000, 0x8000], point) == .bad(.unsupported))
    #expect(decode([0x8000, 0x0000], point) == .good(.uint(0x8000)))
  }
}

@Suite("Rounding to decimals")
struct DecimalRoundingTests {
  @Test(
    "Halves go away from zero",
    arguments: [
      (.float64(0.125), 2, .decimal(mantissa: 13, decimals: 2)),
      (.float64(-0.125), 2, .decimal(mantissa: -13, decimals: 2)),
      (.float32(21.7), 1, .decimal(mantissa: 217, decimals: 1)),
      (.float32(2.5), 0, .decimal(mantissa: 3, decimals: 0)),
      (.float32(-0.4), 0, .decimal(mantissa: 0, decimals: 0)),
      (.decimal(mantissa: 2345, decimals: 3), 2, .decimal(mantissa: 235, decimals: 2)),
      (.decimal(mantissa: -2345, decimals: 3), 2, .decimal(mantissa: -235, decimals: 2)),
      (.decimal(mantissa: 2344, decimals: 3), 2, .decimal(mantissa: 234, decimals: 2)),
      (.decimal(mantissa: 7, decimals: 1), 2, .decimal(mantissa: 7, decimals: 1)),
      (.decimal(mantissa: .max, decimals: 30), 2, .decimal(mantissa: 0, decimals: 2)),
      (.decimal(mantissa: .min, decimals: 18), 0, .decimal(mantissa: -9, decimals: 0)),
      (.float64(1e300), 2, .float64(1e300)), (.int(7), 0, .int(7)),
    ] as [(Value, UInt8, Value)])
  func rounds(value: Value, decimals: UInt8, rounded: Value) {
    #expect(DecimalRounding(decimals: decimals).rounded(value) == rounded)
  }

  @Test("A rounded 32-bit float is the multiple that is nearest to it, and no other")
  func nearest() {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<5000 {
      let value = Float.random(in: -4000...4000, using: &generator)
      let decimals = UInt8.random(in: 0...9, using: &generator)
      guard
        case .decimal(let mantissa, let places) =
          DecimalRounding(decimals: decimals).rounded(.float32(value))
      else {
        Issue.record("\(value) is not rounded")
        continue
      }
      #expect(places == decimals)
      // Exact in a double: 24 bits of the float, 21 of the power's odd part.
      let scaled = (0..<decimals).reduce(Double(value)) { number, _ in number * 10 }
      #expect((scaled - Double(mantissa)).magnitude <= 0.5)
    }
  }

  @Test("A value is judged as it was read, and raw is not rounded")
  func range() {
    let methane = point(.float32) {
      $0.description.range = ValueRange(lower: 0, upper: 4)
      $0.description.decimals = 1
    }
    let words = { (value: Float) in
      [UInt16(value.bitPattern >> 16), UInt16(truncatingIfNeeded: value.bitPattern)]
    }
    #expect(decode(words(4.004), methane) == .bad(.outOfRange, raw: .float32(4.004)))
    #expect(decode(words(3.96), methane) == .good(.decimal(mantissa: 40, decimals: 1)))
  }
}
