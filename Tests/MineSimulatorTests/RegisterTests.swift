import Telemetry
import TestSupport
import Testing

@testable import MineSimulator

struct RegisterTests {
  /// Another way to the same end than the encoder's: the letters of the order say where each byte
  /// of a 32-bit value goes, A first.
  static func pattern(_ words: [UInt16], _ order: ByteOrder) -> UInt64 {
    let wire = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
    var letters = order.rawValue.utf8.map { Int($0 - UInt8(ascii: "A")) }
    switch wire.count {
    // One word only has its bytes to swap; two pairs of words follow the pattern of one.
    case 2: letters = order == .badc || order == .dcba ? [1, 0] : [0, 1]
    case 8:
      let isWordSwapped = order == .cdab || order == .dcba
      let words = isWordSwapped ? [3, 2, 1, 0] : [0, 1, 2, 3]
      let isByteSwapped = order == .badc || order == .dcba
      letters = words.flatMap { isByteSwapped ? [2 * $0 + 1, 2 * $0] : [2 * $0, 2 * $0 + 1] }
    default: break
    }
    var bytes = [UInt8](repeating: 0, count: wire.count)
    for (place, letter) in letters.enumerated() { bytes[letter] = wire[place] }
    return bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test("Each byte order lays a float down as its letters say")
  func floatOrders() {
    let words = { (order: ByteOrder) in
      Reading(level: 21.7, type: .float32, order: order, scale: nil).words
    }
    // 21.7 is 0x41AD999A.
    #expect(words(.abcd) == [0x41AD, 0x999A])
    #expect(words(.cdab) == [0x999A, 0x41AD])
    #expect(words(.badc) == [0xAD41, 0x9A99])
    #expect(words(.dcba) == [0x9A99, 0xAD41])
  }

  @Test("Registers of every type and order read back as the value", arguments: ByteOrder.allCases)
  func roundTrip(order: ByteOrder) {
    var generator = SeededGenerator(seed: 11)
    for type in RegisterType.allCases where type != .bool && type != .string {
      for _ in 0..<300 {
        let level = Double.random(in: -1e6...1e6, using: &generator)
        let reading = Reading(level: level, type: type, order: order, scale: nil)
        #expect(reading.words.count == type.addressCount)
        let pattern = Self.pattern(reading.words, order)
        let expected: Value =
          switch type {
          case .bool: .bool(pattern == 1)
          case .int16: .int(Int64(Int16(truncatingIfNeeded: pattern)))
          case .int32: .int(Int64(Int32(truncatingIfNeeded: pattern)))
          case .int64: .int(Int64(truncatingIfNeeded: pattern))
          case .uint16, .uint32, .uint64: .uint(pattern)
          case .float32: .float32(Float(bitPattern: UInt32(pattern)))
          case .float64: .float64(Double(bitPattern: pattern))
          case .bcd16, .bcd32, .bcd64:
            UInt64(String(pattern, radix: 16)).map(Value.uint) ?? .bool(false)
          case .string: .text("")
          }
        #expect(reading.value == expected, "\(type) \(level)")
      }
    }
  }

  @Test("A scaled register prints as the decimal that its manual means")
  func scaled() {
    let tenth = DecimalNumber(mantissa: 1, decimals: 1)
    let reading = Reading(level: 0.3, type: .uint16, order: .abcd, scale: tenth)
    #expect(reading.words == [3])
    #expect(reading.value.description == "0.3")
    let negative = Reading(level: -4.04, type: .int16, order: .abcd, scale: tenth)
    #expect(negative.words == [UInt16(bitPattern: -40)])
    #expect(negative.value.description == "-4")
  }

  @Test("A text stands two characters a register, as far as there is room")
  func texts() {
    let reading = { (text: String, order: ByteOrder) in
      Reading(text: text, registers: 2, order: order)
    }
    #expect(reading("V2", .abcd).words == [0x5632, 0])
    #expect(reading("V2.1", .badc).words == [0x3256, 0x312E])
    // Three bytes a character: the second has no room.
    #expect(reading("风机", .abcd) == Reading(value: .text("风"), words: [0xE9A3, 0x8E00]))
  }

  @Test("Decimal digits stand in four bits each, held to as many as there are")
  func digits() {
    let reading = { (level: Double) in
      Reading(level: level, type: .bcd16, order: .abcd, scale: nil)
    }
    #expect(reading(1234) == Reading(value: .uint(1234), words: [0x1234]))
    #expect(reading(10_000) == Reading(value: .uint(9999), words: [0x9999]))
    let tenth = DecimalNumber(mantissa: 1, decimals: 1)
    let scaled = Reading(level: 12.3, type: .bcd32, order: .cdab, scale: tenth)
    #expect(scaled == Reading(value: .decimal(mantissa: 123, decimals: 1), words: [0x0123, 0]))
  }

  @Test("A level beyond a type's limits is held there")
  func clamped() {
    let reading = { (level: Double, type: RegisterType) in
      Reading(level: level, type: type, order: .abcd, scale: nil).value
    }
    #expect(reading(-1, .uint16) == .uint(0))
    #expect(reading(70_000, .uint16) == .uint(65_535))
    #expect(reading(-40_000, .int16) == .int(-32_768))
    #expect(reading(1e30, .int64) == .int(.max))
    #expect(reading(1e30, .uint64) == .uint(.max))
    let scale = DecimalNumber(mantissa: 1_000_000_000, decimals: 0)
    let largest = Reading(level: 1e30, type: .uint32, order: .abcd, scale: scale)
    #expect(largest.value == .decimal(mantissa: 4_294_967_295_000_000_000, decimals: 0))
  }
}
