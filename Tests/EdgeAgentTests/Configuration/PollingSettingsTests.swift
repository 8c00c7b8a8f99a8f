import ConfigurationFile
import Drivers
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
