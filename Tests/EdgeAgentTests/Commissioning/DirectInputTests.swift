import Telemetry
import TestSupport
import Testing

@testable import Drivers
@testable import EdgeAgent

@Suite("GPIO lines that check and probe look at without an agent", .ownThread)
struct DirectInputTests {
  /// No chip has such a label, on a machine with GPIO or without.
  private let configuration = """
    gateway: { id: gw-1, mine: "0520", region: "520201" }
    uplinks: { province: { url: mqtt://127.0.0.1 } }
    lines:
      fan: { line: { chip: label-of-no-chip, offset: 4 }, location: 主通风机房 }
      gate: { line: { chip: label-of-no-chip, offset: 5 }, count: rising }
      wind:
        line: { chip: label-of-no-chip, offset: 6 }
        unit: m/s
        frequency: { hz: [200, 1000], value: [0, 15], window: 100ms }
    areas: { heading: { gates: [ { in: gate } ] } }
    """

  private func read(_ names: Set<String>) throws -> [ProbeReport.Input] {
    DirectInputs(names, of: try Fixtures.load(text: configuration)).read {
      Issue.record("\($0): nothing takes long")
    }
  }

  @Test("A line that is not there is line-missing, with what is wrong")
  func missing() throws {
    let fan = try #require(try read(["fan"]).first)
    #expect(fan.device == "fan" && fan.name == "value" && fan.quality == "line-missing")
    #expect(fan.location == "主通风机房" && fan.place == nil && fan.value == nil)
    #expect(try #require(fan.problem).contains("label-of-no-chip"))
  }

  @Test("What takes the running agent says so: counts beside the level, areas")
  func needsAgent() throws {
    let gate = try read(["gate"])
    #expect(gate.map(\.name) == ["value"])
    #expect(gate.first?.problem?.hasSuffix("; count: needs the running agent") == true)
    let heading = try read(["heading"])
    #expect(heading.map(\.quality) == ["not-read"])
    #expect(heading.first?.problem == "needs the running agent")
  }

  @Test("A frequency is watched for its window, and its two points tell what became of it")
  func frequency() throws {
    var notices: [String] = []
    let wind = DirectInputs(["wind"], of: try Fixtures.load(text: configuration)).read {
      notices.append($0)
    }
    #expect(notices == ["GPIO lines: their frequencies take 1200ms"])
    #expect(wind.map(\.name) == ["value", "frequency"])
    #expect(wind.map(\.quality) == ["line-missing", "line-missing"])
  }

  @Test("check tells what the machine lacks and never refuses the file for it")
  func findings() throws {
    var found = LineFinding(line: "fan")
    found.place = "gpiochip0 (soc) line 4"
    var held = LineFinding(line: "gate")
    held.place = "gpiochip0 (soc) line 5"
    held.consumer = "sysfs"
    held.fault = .lineBusy
    held.text = "gpiochip0 (soc) line 5 is held by sysfs"
    var refused = LineFinding(line: "wind")
    refused.fault = .refused
    refused.text = "open /dev/gpiochip0: Permission denied; the group gpio"
    let plan = AgentPlan(
      try Fixtures.load(text: configuration), findings: LineFindings([found, held, refused]))
    #expect(
      plan.text.contains(
        "\nline fan: line 4 of label-of-no-chip, every 1 s → value\n"
          + "  found: gpiochip0 (soc) line 4\nline gate: "))
    #expect(
      plan.text.contains(
        "  WARNING: gpiochip0 (soc) line 5 is held by sysfs; its points are line-busy until that "
          + "is mended\n"))
    #expect(
      plan.text.contains(
        "  WARNING: open /dev/gpiochip0: Permission denied; the group gpio (60-edge-agent.rules "
          + "is such a rule); its points are refused until that is mended\n"))
    #expect(plan.json.contains(#""found":"gpiochip0 (soc) line 4""#))
    #expect(plan.json.contains(#""warnings":["gpiochip0 (soc) line 5 is held by sysfs;"#))
    #expect(!plan.json.contains("problem"))
    #expect(plan.text.hasSuffix("0 buses, 0 devices, 3 lines, 1 area, 9 points"))
    held.fault = nil
    held.text = nil
    held.place = found.place
    #expect(
      LineFindings([found, held]).warnings == [
        "gate":
          "it is the line of fan too: one of them has it, the other's points are line-busy"
      ])
  }
}
