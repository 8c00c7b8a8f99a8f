import Foundation
import Telemetry
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Lines and areas in status and probe")
struct InputStatusTests {
  /// The example of the document is an answer.
  private func example() throws -> StatusReport {
    let document = text(of: Programs.sourceTree + "/docs/control.md")
    let section = try #require(document.components(separatedBy: "### `status`").last)
    let example = try #require(section.components(separatedBy: "```").dropFirst().first)
    return try StatusReport(Array(example.dropFirst("json\n".count).utf8))
  }

  @Test("The tables say where a line was found, what it counts, and who holds it")
  func tables() throws {
    let report = try example()
    #expect(report.inputLines.map(\.count) == ["4711", nil])
    #expect(report.inputLines.map(\.isActive) == [false, nil])
    #expect(
      report.lineTable.lines == [
        "LINE      PLACE                           STATE             "
          + "                                FOR   LEVEL     LAST EDGE  COUNT  SUSPECT  HELD BY",
        "gate-in   DI2: gpiochip0 (bank-a) line 4  ok                "
          + "                                3 h   inactive  12 s ago   4711   0",
        "main-fan  DI1: line 0 of bank-a           gpiochip0 (bank-a) line 0 is h"
          + "eld by fan-control  35 s  -         none yet   -      -        fan-control",
      ])
    #expect(
      report.areaTable.lines == [
        "AREA         STATE  FOR  PERSONS  QUOTA  GATES SAY  DEVICES SAY  OLDEST SOURCE",
        "heading-101  ok     3 h  7        9      7          6            0.4 s ago",
      ])
  }

  @Test("A count that is not known now is in brackets, and several gates are told apart")
  func lost() throws {
    var report = try example()
    report.areas[0].area?.quality = "line-missing"
    report.areas[0].area?.gates.append(StatusReport.Area.Gate(name: "shaft", balance: -2))
    let row = try #require(report.areaTable.lines.last)
    #expect(row.contains("  (7)  ") && row.contains("  7 (gate-1 7, shaft -2)  "))
    report.areas[0].area = nil
    #expect(report.areaTable.lines.last?.contains("ok     3 h  -") == true)
  }

  private func input(
    _ kind: ProbeReport.Input.Kind, _ name: String, _ outcome: Outcome, problem: String? = nil
  ) -> ProbeReport.Input {
    ProbeReport.Input(
      kind, device: name,
      PointDescription(
        name: "value", type: "float64", unit: .metrePerSecond,
        range: ValueRange(lower: 0, upper: 15), location: "总回风"),
      outcome, age: kind == .area ? 400 : nil, place: kind == .line ? "gpiochip0 line 4" : nil,
      problem: problem)
  }

  @Test("A probe's report reads back lines and areas, and its tables list them")
  func probe() throws {
    let report = ProbeReport(
      points: [],
      inputs: [
        input(.line, "gfy15", .good(.decimal(mantissa: 75, decimals: 1))),
        input(.line, "fan", .bad(.lineBusy), problem: "line-busy: held by x"),
        input(.area, "heading", .bad(.lineMissing, raw: .int(7))),
      ], transactions: [], isTraceCut: false)
    var json = JSONWriter()
    json.beginObject()
    report.writeMembers(into: &json)
    json.endObject()
    #expect(try ProbeReport(JSONFields(JSONParser.parse(json.bytes))) == report)
    #expect(!report.isGood)
    #expect(
      report.lines == [
        "INPUT    POINT  PLACE             VALUE  MEASURE  QUALITY       AGE",
        "gfy15    value  gpiochip0 line 4  7.5    m/s      good          now",
        "fan      value  gpiochip0 line 4  -      m/s      line-busy     now",
        "heading  value  area              (7)    m/s      line-missing  0.4 s",
        "",
        "line fan: line-busy: held by x",
        "",
        "3 points: 1 good, 2 bad",
      ])
  }
}
