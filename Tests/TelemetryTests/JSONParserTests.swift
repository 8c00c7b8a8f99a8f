import Telemetry
import Testing

@Suite struct JSONParserTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

  @Test("A number keeps the digits it was printed with")
  func keepsDigits() throws {
    for text in ["0.30", "0", "-0", "1e5", "9007199254740993", "-12.5E-3", "21.7"] {
      #expect(try parse(text) == .number(text))
    }
  }

  @Test("Values of every kind are read")
  func readsEverything() throws {
    let value = try parse(#" { "a" : [ 1 , true , false , null , "x" ] , "b" : { } , "c":[] } "#)
    let expected: JSONValue = .object([
      "a": .array([.number("1"), .bool(true), .bool(false), .null, .string("x")]),
      "b": .object([:]), "c": .array([]),
    ])
    #expect(value == expected)
  }

  @Test("Escapes and characters of all planes are read")
  func readsEscapes() throws {
    #expect(
      try parse(#""a\"\\\/\b\f\n\r\t\u4e2d\ud83d\ude00""#) == .string("a\"\\/\u{8}\u{c}\n\r\t中😀"))
    #expect(try parse("\"总回风\"") == .string("总回风"))
  }

  @Test(
    "What is not JSON is refused",
    arguments: [
      "", " ", "{", "[", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "01", "-", "1.", ".5", "1e",
      "+1",
      "tru", "nul", "truex", "1 2", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
      "\"\\ud800\\u0041\"",
      "\"\\udc00\"", "\"\\u+123\"", "\"\u{1}\"", "{\"a\":1,\"a\":2}", "NaN", "'a'", "[1 2]",
    ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("A string that is not UTF-8 is refused")
  func refusesBadUTF8() {
    #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
    #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0x5C, 0x6E, 0xC0, 0x80, 0x22]) }
  }

  @Test("Nesting is read to the limit and not beyond")
  func limitsDepth() throws {
    let deepest = JSONParser.deepest
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try parse(nested(deepest)) }
    #expect(throws: JSONError.self) { try parse(nested(deepest + 1)) }
  }
}
