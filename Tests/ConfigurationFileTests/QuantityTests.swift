import ConfigurationFile
import Testing

/// Reads `value: TEXT` with one of the readers; the messages where it refuses.
func read<Result>(
  _ text: String, _ reader: @escaping (ConfigurationValue) -> Result?
) -> (value: Result?, messages: [String]) {
  do throws(ConfigurationProblems) {
    let result = try ConfigurationDocument.decode(Array("value: \(text)\n".utf8), file: "f") {
      $0.mapping { $0.require("value", "a value").flatMap(reader) }
    }
    return (result, [])
  } catch {
    return (nil, error.lines)
  }
}

@Suite("Quantities")
struct QuantityTests {
  @Test(
    "A duration carries its unit",
    arguments: [
      ("500ms", 500), ("1s", 1000), ("5min", 300_000), ("1h", 3_600_000), ("1d", 86_400_000),
      ("0s", 0), ("\"10s\"", 10_000),
    ])
  func duration(_ text: String, _ milliseconds: Int64) {
    #expect(read(text) { $0.duration(in: 0...86_400_000) }.value == milliseconds)
  }

  @Test(
    "What is no duration is refused",
    arguments: [
      "1", "1.5s", "1 s", "-1s", "s", "1m", "1S", "1sec", "01s", "+1s", "２s", "2d",
      "99999999999999999999s", "9223372036854775807d", "[1s]", "{ a: 1s }", "\"\"", "",
    ])
  func noDuration(_ text: String) {
    let result = read(text) { $0.duration(in: 0...86_400_000) }
    #expect(result.value == nil && result.messages.count == 1)
  }

  @Test(
    "A size carries its unit",
    arguments: [("64KiB", 65_536), ("1MiB", 1_048_576), ("1GiB", 1_073_741_824), ("512B", 512)])
  func size(_ text: String, _ bytes: Int64) {
    #expect(read(text) { $0.size(in: 0...1 << 40) }.value == bytes)
    #expect(sizeText(bytes) == text)
  }

  @Test(
    "What is no size is refused", arguments: ["64", "64MB", "64M", "64mib", "1.5GiB", "2048GiB"])
  func noSize(_ text: String) {
    let result = read(text) { $0.size(in: 0...1 << 40) }
    #expect(result.value == nil && result.messages.count == 1)
  }

  @Test("A rate is a size a second or unlimited")
  func rate() {
    #expect(read("64KiB/s") { $0.rate(in: 1...1 << 30) }.value == .bytesPerSecond(65_536))
    #expect(read("unlimited") { $0.rate(in: 1...1 << 30) }.value == .unlimited)
    for text in ["64KiB", "64KiB/min", "64/s", "none", "0B/s", "/s"] {
      #expect(read(text) { $0.rate(in: 1...1 << 30) }.messages.count == 1, "\(text)")
    }
  }

  @Test("A share is a whole number of percent")
  func percent() {
    #expect(read("50%") { $0.percent(in: 1...100) }.value == 50)
    for text in ["50", "0%", "101%", "0.5", "5 %", "%"] {
      #expect(read("\"\(text)\"") { $0.percent(in: 1...100) }.messages.count == 1, "\(text)")
    }
  }

  @Test("A decimal number is kept as written")
  func decimal() {
    let cases: [(String, Int64, UInt8)] = [
      ("0.1", 1, 1), ("-12.50", -1250, 2), ("3", 3, 0), ("0", 0, 0), ("-0.001", -1, 3),
      ("999999999999999", 999_999_999_999_999, 0),
    ]
    for (text, mantissa, decimals) in cases {
      let number = ExactDecimal(mantissa: mantissa, decimals: decimals)
      #expect(read(text) { $0.decimal() }.value == number, "\(text)")
      #expect(number.approximate == Double(text))
    }
    for text in [
      "1e3", ".5", "5.", "+1", "1.2.3", "0x10", ".inf", ".nan", "1_000", "- 1", "--1",
      "1234567890123456", "0,1",
    ] {
      #expect(read("\"\(text)\"") { $0.decimal() }.messages.count == 1, "\(text)")
    }
  }

  @Test("An integer is decimal, whole and within its limits")
  func integer() {
    #expect(read("247") { $0.integer(in: 1...247) }.value == 247)
    #expect(read("-5") { $0.integer(in: -5...5) }.value == -5)
    #expect(
      read("300") { $0.integer(in: 1...247) }.messages == ["f:1:8: value: 300 is outside 1…247"])
    for text in [
      "010", "0x10", "0o7", "1.0", "1e2", "+1", "1_0", "", "true", "-", "٣",
      "99999999999999999999",
    ] {
      #expect(read("\"\(text)\"") { $0.integer(in: 1...247) }.messages.count == 1, "\(text)")
    }
  }

  @Test("Only true and false are truth values")
  func boolean() {
    #expect(read("true") { $0.boolean() }.value == true)
    #expect(read("false") { $0.boolean() }.value == false)
    for text in ["no", "yes", "on", "off", "True", "FALSE", "y", "0", "1", "~", "null"] {
      #expect(
        read(text) { $0.boolean() }.messages == [
          "f:1:8: value: \"\(text)\" is neither true nor false; true or false is expected"
        ])
    }
  }

  @Test("A code keeps its own text, quoted or not", arguments: ["0520", "\"0520\"", "'0520'"])
  func text(_ written: String) {
    #expect(read(written) { $0.text() }.value == "0520")
  }

  @Test(
    "Words that YAML takes for something else stay words",
    arguments: ["no", "1e3", "0x1F", "2026-01-01", "nullify", "~a"])
  func words(_ written: String) {
    #expect(read(written) { $0.text() }.value == written)
  }

  @Test("What YAML takes for nothing is no text, unless it is quoted", arguments: ["~", "null"])
  func nothing(_ written: String) {
    #expect(read(written) { $0.text() }.value == nil)
    #expect(read("\"\(written)\"") { $0.text() }.value == written)
  }
}
