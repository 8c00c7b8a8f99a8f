import Foundation
import Telemetry
import TestSupport
import Testing

@Suite("The JSON writer")
struct JSONWriterTests {
  private func json(_ write: (inout JSONWriter) -> Void) -> String {
    var json = JSONWriter()
    write(&json)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  /// The element of an array of one, as another reader of JSON sees it.
  private func read(_ write: (inout JSONWriter) -> Void) throws -> Any {
    let text = json {
      $0.beginArray()
      write(&$0)
      $0.endArray()
    }
    let array = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [Any]
    return try #require(array?.first, "\(text)")
  }

  @Test("Commas stand between members and elements, and nowhere else")
  func commas() {
    let text = json { json in
      json.beginObject()
      json.member("a", 1)
      json.key("b")
      json.beginArray()
      json.beginObject()
      json.endObject()
      json.beginArray()
      json.endArray()
      json.null()
      json.bool(false)
      json.raw("[2]".utf8)
      json.string("x")
      json.endArray()
      json.key("c")
      json.beginObject()
      json.member("d", true)
      json.endObject()
      json.member("e", "f")
      json.endObject()
    }
    #expect(text == #"{"a":1,"b":[{},[],null,false,[2],"x"],"c":{"d":true},"e":"f"}"#)
  }

  @Test(
    "What JSON can't hold as it is, is escaped; other text stays as it is",
    arguments: [
      ("a\"b", #""a\"b""#), ("a\\b", #""a\\b""#), ("a\nb", #""a\nb""#),
      ("\t\r", #""\u0009\u000d""#), ("\0\u{1f}", #""\u0000\u001f""#),
      ("总回风 °C 🛑", "\"总回风 °C 🛑\""), ("", "\"\""), ("\u{7f}/", "\"\u{7f}/\""),
    ])
  func escapes(text: String, expected: String) {
    #expect(json { $0.string(text) } == expected)
    let object = json {
      $0.beginObject()
      $0.member(text, 0)
      $0.endObject()
    }
    #expect(object == "{" + expected + ":0}")
  }

  @Test("Any text reads back as it was", arguments: 0..<10)
  func textRoundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      var scalars = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0..<40, using: &generator) {
        let largest: UInt32 = [0x20, 0x7f, 0x10FFFF].randomElement(using: &generator) ?? 0
        if let scalar = Unicode.Scalar(UInt32.random(in: 0...largest, using: &generator)) {
          scalars.append(scalar)
        }
      }
      let text = try read { $0.string(String(scalars)) } as? String
      #expect(text.map { Array($0.unicodeScalars) } == Array(scalars), "\(String(scalars))")
    }
  }

  @Test("Numbers keep their digits; what is no number is null")
  func numbers() {
    #expect(json { $0.int(UInt64.max) } == "18446744073709551615")
    #expect(json { $0.int(Int64.min) } == "-9223372036854775808")
    #expect(json { $0.double(0.1) } == "0.1")
    #expect(json { $0.double(.nan) } == "null")
    #expect(json { $0.double(-.infinity) } == "null")
  }

  @Test("A value stands as a number, a large integer in quotes")
  func values() {
    #expect(json { $0.value(.decimal(mantissa: 3, decimals: 1)) } == "0.3")
    #expect(json { $0.value(.float32(21.7)) } == "21.7")
    #expect(json { $0.value(.bool(true)) } == "true")
    #expect(json { $0.value(.uint(1 << 53)) } == "9007199254740992")
    #expect(json { $0.value(.uint(1 << 53 | 1)) } == #""9007199254740993""#)
    #expect(json { $0.value(.int(-9_007_199_254_740_993)) } == #""-9007199254740993""#)
  }

  @Test("Every good value is JSON that says the same", arguments: 0..<10)
  func valueRoundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let bits =
        UInt64.random(in: .min ... .max, using: &generator)
        >> UInt64.random(in: 0..<64, using: &generator)
      let float = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
      let value: Value =
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: .int(Int64(bitPattern: bits))
        case 1: .uint(bits)
        case 2: .float32(float.isFinite ? float : 0)
        case 3: .bool(bits & 1 == 1)
        default:
          .decimal(
            mantissa: Int64(bitPattern: bits),
            decimals: UInt8.random(in: 0...9, using: &generator))
        }
      let element = try read { $0.value(value) }
      if let text = element as? String {
        #expect(value.needsQuotes && text == value.description)
      } else {
        #expect(!value.needsQuotes)
        let number = try #require(element as? NSNumber).doubleValue
        if case .float32(let float) = value {
          #expect(Float(number) == float, "\(value)")
        } else {
          #expect(abs(number - value.approximate) <= abs(value.approximate) * 1e-14, "\(value)")
        }
      }
    }
  }

  @Test("A writer that is reset starts anew")
  func reset() {
    var json = JSONWriter()
    json.beginArray()
    json.int(1)
    json.reset()
    json.int(2)
    #expect(json.bytes == [UInt8(ascii: "2")])
  }
}
