import ConfigurationFile
import Testing

private func decode<Result>(
  _ text: String, _ body: @escaping (MappingReader) -> Result?
) -> (value: Result?, messages: [String]) {
  do throws(ConfigurationProblems) {
    let value = try ConfigurationDocument.decode(Array(text.utf8), file: "f") { $0.mapping(body) }
    return (value, [])
  } catch {
    return (nil, error.lines)
  }
}

private enum Mode: String, CaseIterable {
  case producing, repair, idle
}

@Suite("Mappings")
struct MappingTests {
  @Test("A key nobody asked for is reported with the nearest known one")
  func unknownKey() {
    let messages = decode("timout: 1s\ncolour: red\nhost: h\n") { mapping in
      _ = mapping.take("timeout")
      return mapping.take("host")?.text()
    }.messages
    #expect(
      messages == [
        "f:1:1: timout: unknown key; did you mean timeout?",
        "f:2:1: colour: unknown key; known here: timeout, host",
      ])
  }

  @Test("A missing setting is reported at the key above it")
  func missing() {
    let messages = decode("a: 1\nbus:\n  tcp: {}\n") { root -> Int? in
      _ = root.take("a")
      return root.take("bus")?.mapping { bus in
        bus.take("tcp")?.mapping { tcp in
          _ = tcp.require("host", "a name")
          return 1
        }
      }
    }.messages
    #expect(messages == ["f:3:3: bus.tcp.host: is missing; a name is expected"])
  }

  @Test("All problems are reported, sorted by line")
  func order() {
    let messages = decode("a: x\nb: y\nc: z\n") { mapping -> Int? in
      for key in ["c", "a", "b"] { _ = mapping.take(key)?.integer(in: 0...1) }
      return 1
    }.messages
    #expect(messages.map { $0.prefix(6) } == ["f:1:4:", "f:2:4:", "f:3:4:"])
  }

  @Test("Beyond the capacity problems are only counted")
  func capacity() {
    let text = (0..<500).map { "k\($0): 1\n" }.joined()
    let messages = decode(text) { _ in 1 }.messages
    #expect(messages.count == ProblemLog.capacity + 1)
    #expect(messages.last == "300 more problems are not listed")
  }

  @Test("A list's elements are named from 1, and one value stands for a list of one")
  func lists() {
    let messages = decode("a: [1, x]\nb: 5\nc: [1, 2, 3]\nd: {}\n") { mapping -> Int? in
      for key in ["a", "b"] {
        for element in mapping.take(key)?.oneOrMore(upTo: 2, of: "numbers") ?? [] {
          _ = element.integer(in: 0...4)
        }
      }
      _ = mapping.take("c")?.oneOrMore(upTo: 2, of: "numbers")
      _ = mapping.take("d")?.list(2...2, of: "two numbers")
      return 1
    }.messages
    #expect(
      messages == [
        "f:1:8: a[2]: \"x\" is not an integer; an integer in 0…4 is expected",
        "f:2:4: b: 5 is outside 0…4",
        "f:3:1: c: has 3 elements; 1 to 2 numbers are expected",
        "f:4:1: d: is not a list; two numbers are expected",
      ])
  }

  @Test("A choice names its words and the nearest one")
  func choice() {
    #expect(decode("m: idle") { $0.take("m")?.choice(Mode.self) }.value == .idle)
    #expect(
      decode("m: ilde") { $0.take("m")?.choice(Mode.self, "a mode") }.messages == [
        "f:1:4: m: \"ilde\" is not a mode; "
          + "did you mean idle? one of producing, repair, idle is expected"
      ])
  }

  @Test("A message stays one line whatever a file holds")
  func escaping() {
    let messages = decode("\"a\\nb\\e[2J\\u202E\": 1\nm: \"x\\ny\"\n") { mapping in
      mapping.take("m")?.integer(in: 0...1)
    }.messages
    #expect(
      messages == [
        "f:1:1: a\\u{a}b\\u{1b}[2J\\u{202e}: unknown key; known here: m",
        "f:2:4: m: \"x\\u{a}y\" is not an integer; an integer in 0…1 is expected",
      ])
  }

  @Test("A nearest name is at most a third of the letters away")
  func nearestNames() {
    let known = ["timeout", "tcp", "rtu", "devices"]
    #expect(nearest(to: "timoeut", among: known) == "timeout")
    #expect(nearest(to: "tpc", among: known) == "tcp")
    #expect(nearest(to: "device", among: known) == "devices")
    #expect(nearest(to: "storage", among: known) == nil)
    #expect(nearest(to: "", among: known) == nil)
    #expect(nearest(to: String(repeating: "x", count: 1_000_000), among: known) == nil)
  }

  @Test("A name is lower-case letters, digits and hyphens")
  func names() {
    for name in ["a", "return-air", "1", "line-1", String(repeating: "n", count: 64)] {
      #expect(isName(name))
    }
    for name in ["", "-a", "A", "a_b", "a.b", "a/b", "煤", "a b", String(repeating: "n", count: 65)]
    {
      #expect(!isName(name))
    }
  }
}
