import ConfigurationFile
import Drivers
import Foundation
import Telemetry
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("How points are asked for, in a configuration")
struct PollingSettingsTests {
  private func devices(_ text: String) throws -> [ModbusDevice] {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        uplinks: { province: { url: mqtt://broker.example } }
        buses: { line: { tcp: { host: 10.20.0.5 } } }
        devices:

        """ + text)
    return configuration.buses[0].devices
  }

  @Test("A point's priority goes before its device's, and alone is its own")
  func priorities() throws {
    let device = try #require(
      devices(
        """
          d:
            bus: line
            unit: 1
            priority: safety
            points:
              ch4: { input: 0, type: uint16, unit: none }
              wind: { input: 1, type: uint16, unit: none, priority: normal }
              co: { input: 2, type: uint16, unit: none, alone: true }
              no: { input: 3, type: uint16, unit: none, alone: false }
        """
      ).first)
    #expect(device.points.map(\.isSafety) == [true, false, true, true])
    #expect(device.points.map(\.isAlone) == [false, false, true, false])
    #expect(device.maximumRegisters == 125)
    #expect(device.maximumBits == 2000)
  }

  @Test("Limits stand in a profile, a device's go before them, and points keep what theirs says")
  func profileLimits() throws {
    let devices = try devices(
      """
        a: { bus: line, unit: 1, profile: limited/meter }
        b: { bus: line, unit: 2, profile: limited/meter, max-registers: 4, priority: safety }
        c:
          bus: line
          unit: 3
          profile: limited/meter
          points: { energy: { alone: false, priority: normal } }
      """)
    #expect(devices.map(\.maximumRegisters) == [20, 4, 20])
    #expect(devices.map(\.maximumBits) == [64, 64, 64])
    #expect(devices[0].points.map(\.isSafety) == [false, true])
    #expect(devices[0].points.map(\.isAlone) == [false, true])
    #expect(devices[1].points.map(\.isSafety) == [true, true])
    #expect(devices[2].points.map(\.isSafety) == [false, false])
    #expect(devices[2].points.map(\.isAlone) == [false, false])
  }
}

@Suite("When points are reported, in a configuration")
struct ReportSettingsTests {
  private func rule(_ point: String, device: String = "") throws -> ReportRule? {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        uplinks: { province: { url: mqtt://broker.example } }
        buses: { b: { tcp: { host: 10.20.0.5 } } }
        devices:
          d: { bus: b, unit: 1\(device), points: { p: { input: 0, type: int16, unit: V\(point) } } }
        """)
    return configuration.buses[0].devices[0].points[0].description.report
  }

  @Test(
    "A sign of life comes once a minute unless that is less than twice the period",
    arguments: [("1s", 60), ("30s", 60), ("31s", 62), ("59s", 118), ("1h", 7200), ("1d", 172_800)])
  func usual(every: String, seconds: Int64) throws {
    let rule = ReportRule(deadband: 1, atLeastMilliseconds: seconds * 1000)
    let keys = ", report: { deadband: 1 }"
    #expect(try self.rule("\(keys), every: \(every)") == rule)
    #expect(try self.rule(", every: \(every)", device: keys) == rule)
    #expect(try self.rule("", device: "\(keys), every: \(every)") == rule)
  }

  @Test("Points of a device that are read too rarely for its rule have none")
  func rare() throws {
    let keys = ", report: { deadband: 1, at-least: 1min }"
    #expect(try rule(", every: 30s", device: keys)?.atLeastMilliseconds == 60_000)
    #expect(try rule(", every: 31s", device: keys) == nil)
    #expect(try rule("", device: "\(keys), every: 1h") == nil)
  }
}

@Suite("Addresses as a profile's manual prints them")
struct AddressBaseTests {
  @Test(
    "Own points count as the profile does, unless the device says otherwise",
    arguments: [
      // The profile's base, the device's, and where p and q then stand on the wire.
      ("1", nil, [13, 20]), ("0", nil, [14, 21]), ("1", "0", [14, 21]), ("0", "1", [13, 20]),
      ("1", "1", [13, 20]),
    ])
  func bases(profile: String, device: String?, addresses: [UInt16]) throws {
    let boards = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: boards.path + "/devices/acme", withIntermediateDirectories: true)
    try write(
      """
      address-base: \(profile)
      points:
        p: { input: 7, type: uint16, unit: V }
        kept: { input: 9, type: uint16, unit: V }

      """, to: boards.path + "/devices/acme/e.yaml")
    let text = """
      gateway: { id: gw-1, mine: 0520, region: 520201 }
      uplinks: { province: { url: mqtt://broker.example } }
      buses: { station: { tcp: { host: 10.20.0.5 } } }
      devices:
        d:
          bus: station
          unit: 1
          profile: acme/e\(device.map { "\n    address-base: \($0)" } ?? "")
          points: { p: { input: 14 }, q: { input: 21, type: uint16, unit: V } }
      """
    let points = try AgentConfiguration.load(
      Array(text.utf8), file: "FILE", boards: BoardDirectories([boards.path])
    ).buses[0].devices[0].points
    let byName = Dictionary(uniqueKeysWithValues: points.map { ($0.description.name, $0.address) })
    #expect([byName["p"], byName["q"]] == addresses)
    // What stands in the profile counts as the profile says.
    #expect(byName["kept"] == (profile == "1" ? 8 : 9))
  }
}

@Suite("What check says of a bus that is full")
struct BusForecastTests {
  private func text(_ devices: String, timeout: String = "1s") throws -> String {
    AgentPlan(
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: "0520", region: "520201" }
          uplinks: { province: { url: mqtt://broker.example } }
          buses: { line: { rtu: { port: /dev/ttyS1, baud: 9600 }, timeout: \(timeout) } }
          devices:

          """ + devices)
    ).text
  }

  private func devices(_ count: Int, safety: Int = 0, every: String = "1s") -> String {
    (1...count).map { number in
      let priority = number <= safety ? "safety" : "normal"
      return "  d\(number): { bus: line, unit: \(number), every: \(every), "
        + "priority: \(priority), points: { p: { holding: 0, type: float64, unit: none } } }\n"
    }.joined()
  }

  @Test("A request and a cycle have their bus time, alive, with one dead and with all dead")
  func tellsTimes() throws {
    let text = try text(devices(8, safety: 2), timeout: "300ms")
    // 21 characters, two silences, 10 ms; a dead one 9.2 ms and its time-out, twice asked.
    #expect(text.contains("every 1 s, safety: holding 0…3 → p (42.1 ms)"))
    #expect(text.contains("every 1 s: holding 0…3 → p (42.1 ms)"))
    #expect(
      text.contains("8 requests, about 337 ms of bus time a cycle (34 % load, safety 8 %)"))
    #expect(text.contains("when a device dies, up to 604 ms once"))
    #expect(text.contains("when all die, up to 2474 ms once"))
    #expect(!text.contains("WARNING"))
  }

  @Test("A station that needs long to be ready, and is left after each cycle, is warned of")
  func warnsOfOpening() throws {
    func text(_ manners: String, every: String) throws -> String {
      AgentPlan(
        try Fixtures.load(
          text: """
            gateway: { id: gw-1, mine: "0520", region: "520201" }
            uplinks: { province: { url: mqtt://broker.example } }
            buses: { station: { tcp: { host: 10.0.0.1 }, \(manners) } }
            devices:
              d: { bus: station, unit: 1, every: \(every), points: { p: { coil: 0 } } }
            """)
      ).text
    }
    let closing = try text("close-after-cycle: true, pause-after-connect: 3s", every: "1s")
    for line in [
      "  1 request, about 3010 ms of bus time a cycle (301 % load)\n",
      "  3000 ms of it from opening the connection to the first request: it is given back after "
        + "each cycle\n",
      "  WARNING: the bus can't keep this plan: a cycle takes 3010 ms with pause-after-connect and "
        + "is due every 1 s; about 75 % of the readings will be bus-closed; periods of 3010 ms or "
        + "more would do, or a connection that stays open\n",
    ] { #expect(closing.contains(line), "\(closing)") }
    let idle = try text("idle-timeout: 1s, pause-after-connect: 10s", every: "5s")
    #expect(idle.contains("10010 ms with pause-after-connect and is due every 5 s; about 67 %"))
    let enough = try text("close-after-cycle: true, pause-after-connect: 3s", every: "4s")
    #expect(!enough.contains("WARNING") && enough.contains("3010 ms of bus time"), "\(enough)")
    let open = try text("idle-timeout: 5s, pause-after-connect: 10s", every: "5s")
    #expect(!open.contains("WARNING"), "\(open)")
  }

  @Test("A plan that can't be kept is a warning with its numbers, and says who loses")
  func warns() throws {
    #expect(
      try text(devices(30)).contains(
        "WARNING: the bus can't keep this plan: its requests take 1260 ms of each second "
          + "(126 % load); about 21 % of the readings will be not-read; periods 1.3 times as "
          + "long would do"))
    #expect(
      try text(devices(30, safety: 10)).contains(
        "safety points (42 %) are kept, of the others about 31 % will be not-read"))
    #expect(
      try text(devices(30, safety: 28)).contains(
        "the safety points alone are 118 %, about 15 % of them will be not-read"))
    #expect(
      try text(devices(1, every: "40ms")).contains(
        "WARNING: d1: holding 0…3 takes 42.1 ms and is due every 40 ms"))
    #expect(
      try text(devices(23), timeout: "1s").contains(
        "WARNING: while a device is dead the bus can't keep this plan: "))
  }
}
