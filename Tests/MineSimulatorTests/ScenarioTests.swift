import ConfigurationFile
import Telemetry
import TestSupport
import Testing

@testable import MineSimulator

struct ScenarioTests {
  private static let small = """
    stations:
      a: { port: 15021 }
    devices:
      d: { station: a, unit: 3, points: { v: { input: 0, type: int16, signal: { constant: 1 } } } }

    """

  private func problems(_ text: String) -> [String] {
    do throws(ConfigurationProblems) {
      _ = try Scenario.decode(Array(text.utf8), file: "s.yaml")
      return []
    } catch {
      return error.lines
    }
  }

  @Test("A scenario says all that its file says")
  func everything() throws {
    let text = """
      seed: 9
      stations:
        station-1: { port: 15021, timeout: 500ms }
      devices:
        return-air:
          station: station-1
          unit: 3
          every: 2s
          delay: 5ms
          points:
            ch4: { input: 0, type: float32, order: CDAB, unit: "%CH4", range: [0, 4],
              location: "a \\"b\\"", signal: { methane: { base: 0.2, noise: 0.02, burst: 0.6,
              burst-every: 60s } } }
            wind: { holding: 2, type: uint16, scale: 0.1, unit: m/s,
              signal: { wave: { mean: 4, amplitude: 1.5, period: 120s } } }
            fan: { discrete: 5, signal: { duty: { period: 600s, on: 90% } } }
            people: { holding: 10, type: uint16, order: DCBA,
              signal: { headcount: { crew: 9, shift: 8h } } }
      faults:
        - { device: return-air, from: 10s, to: 40s, kind: silent }
        - { device: return-air, from: 5s, to: 8s, kind: exception, code: 4 }
        - { station: station-1, from: 5s, to: 8s, kind: late, by: 1500ms }
        - { station: station-1, from: 20s, to: 25s, kind: cut }
        - { station: station-1, from: 0s, to: 15s, kind: refuse }
      """
    let scenario = try Scenario.decode(Array(text.utf8), file: "s.yaml")
    #expect(scenario.seed == 9)
    #expect(
      scenario.stations == [Station(name: "station-1", port: 15021, timeoutMilliseconds: 500)])
    let device = try #require(scenario.devices.first)
    #expect(device.unit == 3 && device.delayMilliseconds == 5 && device.points.count == 4)
    #expect(
      device.points[1]
        == SimulatedPoint(
          name: "wind", table: .holding, address: 2, type: .uint16, order: .abcd,
          scale: DecimalNumber(mantissa: 1, decimals: 1),
          signal: .wave(Wave(mean: 4, amplitude: 1.5, period: 120_000, noise: 0.03))))
    #expect(device.points[2].signal == .duty(Duty(period: 600_000, on: 0.9)))
    #expect(
      scenario.faults.map(\.kind) == [
        .silent, .exception(4), .late(milliseconds: 1500), .cut, .refuse,
      ])
    #expect(scenario.faults[0].target == .device(0) && scenario.faults[0].during == 10_000..<40_000)
    #expect(
      scenario.agentConfiguration() == """
        buses:
          station-1: { tcp: { host: 127.0.0.1, port: 15021 }, timeout: 500ms }
        devices:
          return-air:
            bus: station-1
            unit: 3
            every: 2s
            points:
              ch4: { input: 0, type: float32, order: CDAB, unit: "%CH4", range: [0, 4], \
        location: "a \\"b\\"" }
              wind: { holding: 2, type: uint16, scale: 0.1, unit: "m/s" }
              fan: { discrete: 5 }
              people: { holding: 10, type: uint16, order: DCBA, unit: "none" }

        """)
  }

  @Test("Repeated stations take a device each, repeated points follow each other")
  func repeatedStations() throws {
    let text = """
      stations:
        station: { port: 17000, repeat: 16 }
      devices:
        device:
          station: station
          unit: 1
          repeat: 16
          points:
            value: { input: 4, type: float32, repeat: 16, signal: { constant: 2 } }
      faults: [ { device: device-16, from: 0s, to: 1s, kind: silent } ]
      """
    let scenario = try Scenario.decode(Array(text.utf8), file: "s.yaml")
    #expect(scenario.stations.map(\.port) == Array(17000..<17016))
    #expect(scenario.stations[15].name == "station-16")
    #expect(scenario.devices.map(\.station) == Array(0..<16))
    #expect(scenario.devices[2].name == "device-3" && scenario.devices[2].unit == 1)
    let points = scenario.devices[0].points
    #expect(points.map(\.address) == stride(from: 4, to: 36, by: 2).map { UInt16($0) })
    #expect(points[15].name == "value-16")
    #expect(scenario.faults[0].target == .device(15))

    let moved = try #require(scenario.listening(portsFrom: 20_000))
    #expect(moved.stations.map(\.port) == Array(20_000..<20_016))
    #expect(scenario.listening(portsFrom: 65_520) != nil)
    #expect(scenario.listening(portsFrom: 65_521) == nil)
    #expect(scenario.listening(portsFrom: 0) == nil)
  }

  @Test("Repeated devices of one station take units one after the other")
  func repeatedDevices() throws {
    let text = Self.small.replacing("unit: 3,", with: "unit: 3, repeat: 4,")
    let scenario = try Scenario.decode(Array(text.utf8), file: "s.yaml")
    #expect(scenario.devices.map(\.unit) == [3, 4, 5, 6])
    #expect(scenario.devices.map(\.station) == [0, 0, 0, 0])
  }

  @Test("Digits, texts and states are played, and the agent is told of them")
  func otherTypes() throws {
    let text = """
      stations:
        a: { port: 15021 }
      devices:
        d:
          station: a
          unit: 3
          points:
            meter: { holding: 0, type: bcd32, signal: { constant: 1234 } }
            version: { holding: 2, type: string, length: 3, text: V2.1 }
            pump: { holding: 5, type: uint16, enum: { 1: 运行, 0: stopped }, signal: { constant: 1 } }
      """
    let scenario = try Scenario.decode(Array(text.utf8), file: "s.yaml")
    let device = scenario.devices[0]
    let slave = Slave(device: 0, name: "d", points: device.points, seed: 1)
    let answer = try slave.answer(pdu: [3, 0, 0, 0, 6], at: 0)
    #expect(answer.pdu == [3, 12, 0, 0, 0x12, 0x34, 0x56, 0x32, 0x2E, 0x31, 0, 0, 0, 1])
    #expect(answer.values.map(\.value) == [.uint(1234), .text("V2.1"), .uint(1)])
    let configuration = scenario.agentConfiguration()
    for line in [
      #"meter: { holding: 0, type: bcd32, order: ABCD, unit: "none" }"#,
      "version: { holding: 2, type: string, length: 3 }",
      #"pump: { holding: 5, type: uint16, enum: { 0: "stopped", 1: "运行" } }"#,
    ] { #expect(configuration.contains("      \(line)\n"), "\(configuration)") }
  }

  static let mistakes: [(old: String, new: String, problem: String)] = [
    ("unit: 3", "unit: 248", "4:26: devices.d.unit: 248 is outside 1…247"),
    ("station: a", "station: b", #"4:17: devices.d.station: "b" is not a station; "#),
    ("port: 15021", "prot: 15021", "2:8: stations.a.prot: unknown key; did you mean port?"),
    ("port: 15021", "port: 65535, repeat: 2", "2:3: stations.a: its last port would be 65536"),
    ("unit: 3", "unit: 246, repeat: 3", "4:3: devices.d: d-3 has no unit left"),
    ("a: { port: 15021 }", "a: { port: 1, repeat: 2 }", "its station a is repeated 2 times"),
    ("int16", "bool", "4:60: devices.d.points.v.type: bool does not stand in input"),
    ("type: int16, ", "", "devices.d.points.v: has no type; a register needs one"),
    ("input: 0, ", "", "devices.d.points.v: says not where it stands; one of coil"),
    ("input: 0", "input: 0, coil: 1", "devices.d.points.v: stands in several tables"),
    ("input: 0", "input: 65535, repeat: 2", "v-2 ends beyond address 65535"),
    ("int16", "float32, scale: 0.1", "a scale on float32"),
    ("int16", "int16, scale: 0", "scale: is no scale"),
    ("int16", "string, text: V2, length: 0", "length: 0 is outside 1…64"),
    ("int16", "string, text: V2.10, length: 2", "text: has 5 bytes; at most 4 fit"),
    ("int16", "string, length: 2", "text: is missing; what it holds"),
    ("int16", "float32, enum: { 0: a }", "states on what is no plain integer"),
    ("int16", "int16, unit: kg", #""kg" is not a unit"#),
    ("int16", "int16, range: [4, 0]", "range: 4 is above 0; the lower limit comes first"),
    ("constant: 1", "constant: much", #"signal.constant: "much" is not a plain number"#),
    ("constant: 1", "konstant: 1", "signal.konstant: unknown key; did you mean constant?"),
    (" constant: 1 ", "", "signal: has 0 signals"),
    ("constant: 1", "constant: 1, duty: { period: 1s, on: 1% }", "signal: has 2 signals"),
    ("constant: 1", "duty: { period: 0s, on: 101% }", "on: 101% is outside 0%…100%"),
    ("constant: 1", "wave: { mean: 1 }", "signal.wave.amplitude: is missing"),
    (
      "constant: 1", "tank: { low: 2, high: 1, period: 1s, on: 50% }",
      "signal.tank: never fills or never empties"
    ),
    (
      "points: {", "points: { w: { input: 0, type: int16, signal: { constant: 1 } },", "v stands on"
    ),
    ("devices:", "devices:\n  e: { station: a, unit: 3, points: {} }", "is empty; at least one"),
    ("devices:", "faults: []\ndevices:", "3:1: faults: has 0 elements"),
  ]

  @Test("A mistake is named in its place", arguments: mistakes)
  func mistake(old: String, new: String, problem: String) {
    let lines = problems(Self.small.replacing(old, with: new, maxReplacements: 1))
    #expect(lines.contains { $0.contains(problem) }, "\(lines)")
  }

  static let faultMistakes: [(fault: String, problem: String)] = [
    ("from: 1s, to: 2s, kind: cut", "says not what it befalls"),
    ("device: d, station: a, from: 1s, to: 2s, kind: cut", "names a device and a station"),
    ("device: e, from: 1s, to: 2s, kind: cut", #"faults[1].device: "e" is not a device"#),
    ("device: d, from: 2s, to: 2s, kind: cut", "ends before it begins"),
    ("device: d, from: 1s, to: 2s, kind: refuse", "a device cannot refuse"),
    ("device: d, from: 1s, to: 2s, kind: exception", "has no code; code: 1 to 11"),
    ("device: d, from: 1s, to: 2s, kind: exception, code: 12", "12 is outside 1…11"),
    ("device: d, from: 1s, to: 2s, kind: late", "has no delay; by: a duration"),
    ("device: d, from: 1s, to: 2s, kind: cut, by: 1s", "by: means nothing for cut"),
    ("device: d, from: 1s, to: 2s, kind: late, by: 1s, code: 2", "means nothing for late"),
    ("device: d, from: 1s, to: 2s, kind: slient", "did you mean silent?"),
    ("device: d, from: 1, to: 2s, kind: cut", #"from: "1" has no unit"#),
  ]

  @Test("A mistake in a fault is named in its place", arguments: faultMistakes)
  func faultMistake(fault: String, problem: String) {
    let lines = problems(Self.small + "faults: [ { \(fault) } ]\n")
    #expect(lines.contains { $0.contains(problem) }, "\(lines)")
  }

  @Test("Every mistake of a file is reported, not only the first")
  func allMistakes() {
    let text = Self.small.replacing("15021", with: "0").replacing("unit: 3", with: "unit: 0")
    #expect(problems(text + "faults: 5\n").count == 3)
    #expect(problems("").count == 1)
    let withFault = text + "faults: [ { device: d, from: 0s, to: 1s, kind: cut } ]\n"
    #expect(problems(withFault).count == 2)
    #expect(problems(Self.small).isEmpty)
  }

  @Test("A damaged scenario is refused or read, never a crash")
  func damaged() throws {
    let demo = Array(Self.small.utf8)
    var generator = SeededGenerator(seed: 51)
    for _ in 0..<300 {
      var bytes = demo
      for _ in 0...2 {
        bytes[Int.random(in: bytes.indices, using: &generator)] =
          UInt8.random(in: 32...126, using: &generator)
      }
      bytes.removeLast(Int.random(in: 0...bytes.count / 4, using: &generator))
      _ = try? Scenario.decode(bytes, file: "s.yaml")
    }
  }

  @Test("The demo's mine has its devices, stations and faults")
  func demo() throws {
    let path = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let scenario = try Scenario.load(path: "/\(path)/scripts/demo.d/scenario.yaml")
    #expect(scenario.stations.count == 4)
    #expect(scenario.stations.filter { $0.line != nil }.count == 1)
    #expect(scenario.devices.count == 10)
    #expect(scenario.faults.count == 3)
    let mine = Mine(scenario)
    #expect(mine.scenario.devices.allSatisfy { $0.points.count == $0.notes.count })
  }
}
