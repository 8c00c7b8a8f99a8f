import Buffering
import LinuxSystem
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("The plan that check prints")
struct AgentPlanTests {
  /// Compares with a file beside the fixture, which a person has read.
  private func expect(_ plan: String, toBe golden: String) throws {
    let expected = String(decoding: try Fixtures.bytes(golden), as: UTF8.self)
    #expect(plan + "\n" == expected, "if the change is meant, put it into \(golden)")
  }

  @Test("The text and the JSON are those that were agreed", arguments: ["contract", "minimal"])
  func golden(name: String) throws {
    let plan = AgentPlan(try Fixtures.load(try Fixtures.bytes("valid/\(name).yaml")))
    try expect(plan.text, toBe: "valid/\(name).plan.txt")
    try expect(plan.json, toBe: "valid/\(name).plan.json")
  }

  @Test("A bus that can't keep its shortest period is warned of, one that just can is not")
  func overload() throws {
    func text(devices: Int) throws -> String {
      let lines = (1...devices).map {
        "  d\($0): { bus: b, unit: \($0), every: 100ms, points: { p: { discrete: 0 } } }\n"
      }
      let configuration = try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: "0520", region: "520201" }
          uplinks: { province: { url: mqtt://broker.example } }
          buses: { b: { tcp: { host: 10.0.0.1 } } }
          devices:

          """ + lines.joined())
      return AgentPlan(configuration).text
    }
    // At 10 ms a request.
    for devices in 1...10 { #expect(try !text(devices: devices).contains("WARNING")) }
    #expect(
      try text(devices: 11).contains(
        "WARNING: the bus can't keep this plan: its requests take 1100 ms of each second "
          + "(110 % load); about 9 % of the readings will be not-read; periods 1.1 times as long "
          + "would do"))
  }

  /// One line and one area of a board whose DI1 is active low and whose DI2 is not.
  private func inputs(_ line: String, gates: String = "[ { in: one, name: portal } ]") throws
    -> AgentPlan
  {
    AgentPlan(
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: "0520", region: "520201", board: inputs }
          uplinks: { province: { url: mqtt://broker.example } }
          lines: { one: { \(line) }, two: { line: { name: B } } }
          areas: { heading: { gates: \(gates) } }
          """))
  }

  @Test("An active that repeats the board file's, or turns it round, is told")
  func active() throws {
    let board = try inputs("line: DI1")
    #expect(board.text.contains("line one: DI1, line 17 of soc-gpio, active low (as the board"))
    #expect(!board.text.contains("WARNING"))
    let repeated = try inputs("line: DI1, active: low")
    #expect(repeated.text.contains("line 17 of soc-gpio, active low (as the board file), every"))
    #expect(
      repeated.text.contains(
        "  WARNING: active: low is what the board file says already: it turns nothing round\n"))
    let turned = try inputs("line: DI1, active: high")
    #expect(turned.text.contains("line 17 of soc-gpio, active high (the board file: low), every"))
    let warning =
      "active: high turns the input round, of which the board file says low: see that true is what "
      + "you mean"
    #expect(turned.text.contains("  WARNING: \(warning)\n"))
    #expect(turned.json.contains(#""warnings":["\#(warning)"]"#))
    let inverted = try inputs("line: DI2, active: low")
    #expect(inverted.text.contains("active low (the board file: high)"))
    #expect(inverted.text.contains("WARNING: active: low turns the input round"))
    // Without a board file, and where the usual is said, there is nothing to mistake.
    let own = try inputs("line: { chip: soc, offset: 1 }, active: low")
    #expect(own.text.contains("line 1 of soc, active low, every") && !own.text.contains("WARN"))
    #expect(try !inputs("line: DI2, active: high").text.contains("WARNING"))
  }

  @Test("Gates that are named by their position are told of, where there are several")
  func gateNames() throws {
    let advice =
      "gate-1 and gate-2 are named by position: without names of their own they change balances "
      + "when the list changes"
    let several = try inputs("line: DI1", gates: "[ { in: one }, { in: two } ]")
    #expect(several.text.contains("\n  \(advice)\n"))
    #expect(several.json.contains(#""warnings":["\#(advice)"]"#))
    let mixed = try inputs("line: DI1", gates: "[ { in: one, name: portal }, { in: two } ]")
    #expect(mixed.text.contains("\n  gate-2 is named by position: without a name of its own "))
    #expect(try !inputs("line: DI1", gates: "[ { in: one } ]").text.contains("position"))
  }

  @Test("The time of the machine is told, and what it means that it has no clock of its own")
  func time() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/minimal.yaml"))
    let without = AgentPlan(
      configuration, time: TimeState(clock: .unsynced, realTimeClocks: []))
    #expect(
      without.text.contains(
        "\nclock of this machine: not synchronised, no real-time clock: after a power cut the date "
          + "is wrong until the network tells it\n"))
    #expect(
      without.json.contains(#""clock":{"state":"unsynced","real-time-clocks":[]}"#))
    let clock = RealTimeClock(name: "rtc0", hasSetSystemClock: true)
    let with = AgentPlan(configuration, time: TimeState(clock: .synced, realTimeClocks: [clock]))
    #expect(with.text.contains("\nclock of this machine: synchronised, real-time clock rtc0\n"))
    #expect(with.json.contains(#""clock":{"state":"synced","real-time-clocks":["rtc0"]}"#))
  }

  @Test("An IPv6 address stands in brackets, so that its port can be told from it")
  func brackets() throws {
    let plan = AgentPlan(
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: "0520", region: "520201" }
          uplinks: { province: { url: "mqtt://[2001:db8::7]:8883" } }
          buses: { b: { tcp: { host: "2001:db8::1" } } }
          devices: { d: { bus: b, unit: 1, points: { p: { discrete: 0 } } } }
          """))
    #expect(plan.text.contains("destination province: mqtt://[2001:db8::7]:8883,"))
    #expect(plan.json.contains(#""brokers":["mqtt://[2001:db8::7]:8883"]"#))
    #expect(plan.text.contains("bus b: tcp [2001:db8::1]:502,"))
  }

  @Test(
    "What the store's sizes buy: days, flash, and a warning where they don't fit")
  func store() throws {
    let points = (0..<16).map { "p\($0): { holding: \(2 * $0), type: float32, unit: \"%CH4\" }" }
    let all = points.joined(separator: ", ")
    let devices = (1...16).map {
      "  d\($0): { bus: b, unit: \($0), every: 1s, points: { \(all) } }\n"
    }
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        storage: { data: { size: 1GiB, commit: 5s }, events: { size: 64MiB } }
        uplinks: { province: { url: mqtt://broker.example } }
        buses: { b: { tcp: { host: 10.0.0.1 } } }
        devices:

        """ + devices.joined())
    let plan = AgentPlan(configuration, roomBytes: 1 << 30)
    #expect(plan.store.valuesPerSecond == 256)
    // The issue's aim: a week of 256 float points in 1 GiB.
    #expect(try #require(plan.store.days) > 7)
    let forecast = plan.store.forecast
    #expect(forecast.commitSeconds == 5 && forecast.destinations == 1)
    #expect(forecast.bytesPerSecond == StoreForecast.bytesPerSecond(values: 256, samples: 16))
    #expect(plan.text.contains("  256 values/s planned, "))
    #expect(plan.text.contains("what was read in 5 s, and only what no destination has\n"))
    #expect(
      plan.text.contains(
        "WARNING: data and events take up to 1.1 GiB; the file system has 1 GiB for them\n"))
    #expect(plan.json.contains("\"fits\":false"))
    let roomy = AgentPlan(configuration, roomBytes: 2 << 30)
    #expect(!roomy.text.contains("WARNING") && roomy.json.contains("\"fits\":true"))
  }
}
