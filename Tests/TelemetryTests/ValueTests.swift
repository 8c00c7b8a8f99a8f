import Foundation
import Telemetry
import TestSupport
import Testing

@Suite("How values print")
struct ValueTests {
  @Test(
    "A scaled integer prints exactly, without zeros that say nothing",
    arguments: [
      (3, 1, "0.3"), (-3, 1, "-0.3"), (0, 3, "0"), (26, 1, "2.6"), (2600, 2, "26"), (5, 0, "5"),
      (-50, 0, "-50"), (1, 9, "0.000000001"), (-1205, 3, "-1.205"), (100, 2, "1"),
      (Int64.max, 4, "922337203685477.5807"), (Int64.min, 19, "-0.9223372036854775808"),
      (Int64.min, 0, "-9223372036854775808"),
    ] as [(Int64, UInt8, String)])
  func decimals(mantissa: Int64, decimals: UInt8, text: String) {
    #expect(Value.decimal(mantissa: mantissa, decimals: decimals).description == text)
  }

  @Test("A printed decimal reads back as the same digits in the same places", arguments: 0..<20)
  func decimalRoundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let bits = Int64.random(in: .min ... .max, using: &generator)
      let mantissa = bits >> Int64.random(in: 0..<63, using: &generator)
      let decimals = UInt8.random(in: 0...20, using: &generator)
      let text = Value.decimal(mantissa: mantissa, decimals: decimals).description
      let parts = text.split(separator: ".", omittingEmptySubsequences: false)
      let fraction = parts.count == 2 ? String(parts[1]) : ""
      #expect(parts.count <= 2 && !parts[0].isEmpty && fraction.last != "0")
      try #require(fraction.utf8.count <= Int(decimals))
      // With the zeros of the fraction put back and the point taken out it is the mantissa again.
      let zeros = String(repeating: "0", count: Int(decimals) - fraction.utf8.count)
      let digits = String(parts[0]) + fraction + zeros
      #expect(Int64(digits) == mantissa, "\(text) for \(mantissa) with \(decimals) decimals")
    }
  }

  @Test(
    "A float prints as a float, not as the double next to it",
    arguments: [
      (21.7, "21.7"), (0.1, "0.1"), (4, "4.0"), (-0.5, "-0.5"), (1e20, "1e+20"),
      (.leastNonzeroMagnitude, "1e-45"), (.greatestFiniteMagnitude, "3.4028235e+38"),
    ] as [(Float, String)])
  func floats(value: Float, text: String) {
    #expect(Value.float32(value).description == text)
    #expect(Float(text) == value)
  }

  @Test("Every finite float reads back, and no shorter decimal does", arguments: 0..<10)
  func floatRoundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let value = Float(bitPattern: UInt32.random(in: .min ... .max, using: &generator))
      guard value.isFinite else { continue }
      let text = Value.float32(value).description
      #expect(Float(text)?.bitPattern == value.bitPattern, "\(text)")
      let digits = text.prefix { $0 != "e" }.filter(\.isNumber).drop { $0 == "0" }
      if digits.last != "0", digits.count > 1 {
        let shorter = String(format: "%.*g", digits.count - 1, Double(value))
        #expect(Float(shorter) != value, "\(text) could be \(shorter)")
      }
      let double = Value.float64(Double(value) / 3).description
      #expect(Double(double) == Double(value) / 3)
    }
  }

  @Test("Integers print with all their digits and get quotes only beyond 2^53")
  func integers() {
    let limit: Int64 = 1 << 53
    for (value, text, quotes) in [
      (Value.int(limit), "9007199254740992", false), (.int(limit + 1), "9007199254740993", true),
      (.int(-limit), "-9007199254740992", false), (.int(-limit - 1), "-9007199254740993", true),
      (.int(.min), "-9223372036854775808", true), (.uint(1 << 53), "9007199254740992", false),
      (.uint(.max), "18446744073709551615", true),
      (.decimal(mantissa: limit, decimals: 1), "900719925474099.2", false),
      (.decimal(mantissa: limit + 1, decimals: 1), "900719925474099.3", true),
      (.bool(true), "true", false), (.bool(false), "false", false),
      (.float64(1e300), "1e+300", false), (.text("12"), "12", true), (.text(""), "", true),
    ] as [(Value, String, Bool)] {
      #expect(value.description == text)
      #expect(value.needsQuotes == quotes, "\(text)")
    }
  }

  @Test("For limits a value counts as the double next to it, and limits are good values")
  func approximate() {
    #expect(Value.decimal(mantissa: 45, decimals: 1).approximate == 4.5)
    #expect(Value.decimal(mantissa: -1, decimals: 3).approximate == -0.001)
    #expect(Value.float32(0.5).approximate == 0.5)
    #expect(Value.int(-7).approximate == -7)
    #expect(Value.uint(.max).approximate == 0x1p64)
    #expect(Value.bool(true).approximate == 1)
    #expect(Value.text("1").approximate.isNaN)
    let range = ValueRange(lower: 0, upper: 4)
    #expect(range.contains(0) && range.contains(4) && !range.contains(4.0000001))
    #expect(!range.contains(-0.0000001) && !range.contains(.nan))
  }
}
