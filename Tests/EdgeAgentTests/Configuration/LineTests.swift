import ConfigurationFile
import Foundation
import Telemetry
import Testing

@testable import Drivers
@testable import EdgeAgent

@Suite("GPIO lines and areas of a configuration")
struct LineTests {
  private let minimal = """
    gateway: { id: gw-1, mine: 0520, region: 520201, board: inputs }
    uplinks: { province: { url: mqtt://broker.example } }

    """

  private func line(_ settings: String) throws -> LineDefinition {
    try #require(
      try Fixtures.load(text: minimal + "lines: { one: { \(settings) } }\n").lines.first)
  }

  private let contact = [PointDescription(name: "value", type: "bool")]

  @Test("What a line leaves out is that it is a contact, sampled each second, active high")
  func defaults() throws {
    #expect(
      try line("line: { chip: soc, offset: 4 }")
        == LineDefinition(
          name: "one", address: .offset(chip: "soc", offset: 4), points: contact))
    #expect(
      try line("line: { name: DIN }")
        == LineDefinition(name: "one", address: .name("DIN"), points: contact))
  }

  @Test("A board says what its input circuits do; a line may say otherwise")
  func boardDefaults() throws {
    #expect(
      try line("line: DI1")
        == LineDefinition(
          name: "one", address: .offset(chip: "soc-gpio", offset: 17), label: "DI1",
          isActiveLow: true, points: contact))
    #expect(try !line("line: DI1, active: high").isActiveLow)
    #expect(try line("line: DI2").bias == .pullUp)
    #expect(try line("line: DI2, bias: none").bias == LineBias.none)
    #expect(try line("line: DI4").address == .name("DIN4", chip: "i2c-expander"))
  }

  @Test("The contract's lines and areas mean what the contract says")
  func contract() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/contract.yaml"))
    let lines = Dictionary(configuration.lines.map { ($0.name, $0) }) { first, _ in first }
    #expect(lines["main-fan"]?.debounceMilliseconds == 20)
    #expect(lines["main-fan"]?.points.first?.location == "主通风机房")
    #expect(lines["gate-in"]?.purpose == .count(.rising, meter: nil))
    #expect(
      lines["gate-in"]?.points.map(\.unit) == [nil, .count]
        && lines["gate-in"]?.points.map(\.type) == ["bool", "uint64"])
    let wind = try #require(lines["gfy15"])
    #expect(
      wind.purpose
        == .frequency(
          FrequencyScale(
            hertz: ValueRange(lower: 200, upper: 1000), atLowest: 0, atHighest: 15,
            marginHertz: 10, windowMilliseconds: 1000)))
    #expect(
      wind.points == [
        PointDescription(name: "value", type: "float64", unit: .metrePerSecond, decimals: 3),
        PointDescription(name: "frequency", type: "float64", unit: .hertz),
      ])
    let meter = try #require(lines["meter"])
    let hundredth = PulseMeter(valuePerPulse: DecimalNumber(mantissa: 1, decimals: 2))
    #expect(meter.purpose == .count(.falling, meter: hundredth))
    #expect(meter.points.map(\.name) == LinePoint.names(of: meter.purpose))
    #expect(meter.points.map(\.unit) == [nil, .count, .kilowattHour, .kilowatt])

    let heading = try #require(configuration.areas.first)
    #expect(
      heading.gates == [
        GateDefinition(name: "gate-1", sensors: .turnstile(enter: "gate-in", leave: "gate-out"))
      ])
    #expect(
      heading.reported == [
        PointReference(device: "positioning", point: "heading-101", everyMilliseconds: 2000)
      ])
    #expect(heading.quota == 9 && heading.everyMilliseconds == 1000)
    #expect(
      heading.points.map(\.name) == ["count", "quota", "age", "balance", "gate-1", "reported"])
    #expect(heading.points.map(\.unit?.rawValue).prefix(3) == ["persons", "persons", "s"])
    let drift = configuration.areas[1]
    #expect(
      drift.gates == [
        GateDefinition(name: "portal", sensors: .beams(outer: "outer", inner: "inner"))
      ])
    #expect(drift.points.allSatisfy { $0.location == "副斜井" } && drift.quota == nil)
  }

  @Test("A meter of water has cubic metres an hour; a sensor may fall, with a margin and a window")
  func purposes() throws {
    let water = try line("line: DI1, count: both, pulse: { value: 10, unit: m3 }")
    #expect(water.points.map(\.unit) == [nil, .count, .cubicMetre, .cubicMetrePerHour])
    let falling = try line(
      """
      line: DI1, every: 5s, unit: kPa, decimals: 1, range: [-2, 3], \
      frequency: { hz: [0.5, 5], value: [4, -4], margin: 0, window: 10s }
      """)
    #expect(
      falling.purpose
        == .frequency(
          FrequencyScale(
            hertz: ValueRange(lower: 0.5, upper: 5), atLowest: 4, atHighest: -4, marginHertz: 0,
            windowMilliseconds: 10_000)))
    #expect(falling.points.first?.decimals == 1)
    #expect(falling.points.first?.range == ValueRange(lower: -2, upper: 3))
    // A slow signal's window holds two periods where nothing is said.
    let slow = try line(
      "line: DI1, every: 5s, unit: kPa, frequency: { hz: [0.5, 5], value: [0, 1] }")
    guard case .frequency(let scale) = slow.purpose else {
      Issue.record("it is a frequency")
      return
    }
    #expect(scale.windowMilliseconds == 4000)
  }

  @Test("Lines are as many as descriptors allow")
  func limit() {
    func lines(_ count: Int) -> [String] {
      let all = (0..<count).map { "  l\($0): { line: { chip: soc, offset: \($0) } }\n" }
      return Fixtures.lines { () throws(ConfigurationProblems) in
        try Fixtures.load(text: minimal + "lines:\n" + all.joined())
      }
    }
    #expect(lines(LineSection.maximumLines).isEmpty)
    #expect(
      lines(LineSection.maximumLines + 1) == [
        "FILE:3:1: lines: has 257 lines; at most 256 are expected"
      ])
  }

  @Test("What goes on from the store is sampled so often that a start finds it there")
  func storedOften() throws {
    #expect(try line("line: DI1, every: 1d").everyMilliseconds == 86_400_000)
    #expect(try line("line: DI1, count: rising, every: 1h").everyMilliseconds == 3_600_000)
    func problems(lines: String, areas: String = "{ }") -> [String] {
      Fixtures.lines { () throws(ConfigurationProblems) in
        try Fixtures.load(
          text: """
            gateway: { id: gw-1, mine: 0520, region: 520201, board: inputs }
            uplinks: { province: { url: mqtt://broker.example } }
            buses: { b: { tcp: { host: h } } }
            devices:
              d: { bus: b, unit: 1, points: { p: { input: 1, type: uint16, unit: persons } } }
            lines: \(lines)
            areas: \(areas)
            """)
      }
    }
    #expect(
      problems(lines: "{ one: { line: DI1, count: both, every: 61min } }") == [
        "FILE:6:48: lines.one.every: 61min is longer than a start looks back for a total; 1h or "
          + "less is expected with count"
      ])
    let one = "{ one: { line: DI1 } }"
    #expect(
      problems(lines: one, areas: "{ a: { gates: [ { in: one } ], every: 1d } }") == [
        "FILE:7:46: areas.a.every: 1d is longer than a start looks back for a balance; 1h or "
          + "less is expected with gates"
      ])
    #expect(problems(lines: one, areas: "{ a: { gates: [ { in: one } ], every: 1h } }").isEmpty)
    #expect(problems(lines: one, areas: "{ a: { points: [ d.p ], every: 1d } }").isEmpty)
  }

  @Test("Beams of one gate settle alike: else the second would be told before the first")
  func beams() throws {
    func problems(_ inner: String, gate: String = "beams: [ outer, inner ]") -> [String] {
      Fixtures.lines { () throws(ConfigurationProblems) in
        try Fixtures.load(
          text: minimal + """
            lines: { outer: { line: DI1, debounce: 50ms }, inner: { line: DI2\(inner) } }
            areas: { a: { gates: [ { \(gate) } ] } }
            """)
      }
    }
    #expect(problems(", debounce: 50ms").isEmpty)
    #expect(problems("", gate: "in: outer, out: inner").isEmpty)
    #expect(
      problems(", debounce: 20ms") == [
        "FILE:4:26: areas.a.gates[1].beams: outer has a debounce of 50ms and inner of 20ms: the "
          + "directions would be mistaken; the same debounce of both is expected"
      ])
    #expect(problems("").count == 1)
  }

  @Test("A quota is what an operator may set, and no more")
  func quota() throws {
    func problems(_ quota: Int64) -> [String] {
      Fixtures.lines { () throws(ConfigurationProblems) in
        try Fixtures.load(
          text: minimal + """
            lines: { one: { line: DI1 } }
            areas: { a: { gates: [ { in: one } ], quota: \(quota) } }
            """)
      }
    }
    #expect(problems(Headcount.mostPersons).isEmpty)
    #expect(
      problems(Headcount.mostPersons + 1) == [
        "FILE:4:46: areas.a.quota: 1000001 is outside 0…1000000"
      ])
  }

  @Test("A line of a board that is refused itself, or of a refused device, is not blamed")
  func oneCauseOneProblem() {
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: 0520, region: 520201, board: nowhere }
          uplinks: { province: { url: mqtt://broker.example } }
          buses: { b: { tcp: { host: h } } }
          devices:
            d: { bus: b, unit: 0, points: { p: { input: 1, type: uint16, unit: persons } } }
          lines: { one: { line: DI1 }, two: { line: { name: N }, every: soon } }
          areas: { a: { points: [ d.p ], gates: [ { in: one, out: two } ] } }
          """)
    }
    #expect(lines.map { $0.prefix { $0 != " " } } == ["FILE:1:57:", "FILE:5:22:", "FILE:6:63:"])
  }

  @Test("Where a board's section is wrong as a whole, nobody who names a part of it is blamed")
  func refusedBoardSections() {
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: 0520, region: 520201, board: unlisted }
          uplinks: { province: { url: mqtt://broker.example } }
          buses: { b: { rtu: { port: COM1, baud: 9600 } } }
          lines: { one: { line: DI1 }, two: { line: DI2 } }
          """)
    }
    #expect(lines.count == 2 && lines.allSatisfy { $0.contains("unlisted.yaml:") }, "\(lines)")
  }

  @Test("Two lines are one as far as words tell")
  func sameness() {
    let numbered = LineAddress.offset(chip: "gpiochip2", offset: 4)
    #expect(numbered.isSame(as: .offset(chip: "/dev/gpiochip2", offset: 4)))
    #expect(!numbered.isSame(as: .offset(chip: "gpiochip2", offset: 5)))
    #expect(!numbered.isSame(as: .offset(chip: "soc", offset: 4)))
    #expect(LineAddress.name("A").isSame(as: .name("A", chip: "soc")))
    #expect(!LineAddress.name("A", chip: "one").isSame(as: .name("A", chip: "other")))
    #expect(!LineAddress.name("A").isSame(as: numbered))
    for (chip, isNumbered) in [
      ("gpiochip0", true), ("/dev/gpiochip12", true), ("gpiochip", false), ("gpiochip-a", false),
      ("/dev/di", false), ("pinctrl-bcm2711", false),
    ] {
      #expect(LineAddress.offset(chip: chip, offset: 0).isNumbered == isNumbered, "\(chip)")
    }
  }

  @Test("Every shipped board loads, says where its table is from and that it was not tried")
  func boards() throws {
    let folder = Fixtures.root.appending(path: "boards")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".yaml") }.sorted()
    #expect(
      files == [
        "generic.yaml", "pc.yaml", "seeed-recomputer-r1100.yaml", "sfera-iono-pi.yaml",
        "wiren-board-8.yaml",
      ])
    for file in files {
      let name = String(file.dropLast(".yaml".count))
      let board = try Fixtures.load(
        text: minimal.replacing("board: inputs", with: "board: \(name)")
      ).board
      #expect(board.description != nil)
      guard !board.lines.isEmpty else { continue }
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      #expect(text.contains("Untested on hardware. Source"), "\(name)")
      #expect(text.contains("commit "), "\(name): which revision of its source")
    }
  }
}
