import Telemetry
import Testing

@testable import Drivers
@testable import EdgeAgent

@Suite("What probe and scan print")
struct ReportTests {
  private static let trace = TracedTransaction(
    unit: 3, table: .holding, address: 0, count: 2, microseconds: 31_207,
    outcome: "answer with 2 values",
    events: [
      TraceEvent(kind: .drained, microseconds: -3120, bytes: [3, 0x83, 2, 0x61, 0x31]),
      TraceEvent(kind: .sent, microseconds: 0, bytes: [3, 3, 0, 0, 0, 2, 0xC5, 0xE9]),
      TraceEvent(kind: .received, microseconds: 12_412, bytes: [UInt8](repeating: 0xAB, count: 30)),
      TraceEvent(kind: .late, microseconds: 12_420, bytes: []),
    ])

  private func point(
    _ name: String, quality: String = "good", value: JSONValue? = nil, raw: JSONValue? = nil,
    registers: [UInt16]? = nil, problem: String? = nil
  ) -> ProbeReport.Point {
    ProbeReport.Point(
      device: "gas", bus: "line-1", unit: 3, name: name, table: .holding, address: 7,
      measure: "%CH4", location: "总回风", range: ["0", "4"], registers: registers,
      quality: quality, value: value, raw: raw,
      microseconds: registers == nil ? nil : 12_412, problem: problem)
  }

  private var report: ProbeReport {
    ProbeReport(
      points: [
        point("ch4", value: .number("0.30"), registers: [0x3E99, 0x999A]),
        point("high", quality: "out-of-range", raw: .number("4.5"), registers: [0x4090, 0]),
        point("co", quality: "timeout", problem: "no answer within 500 ms"),
        point("o2", quality: "timeout", problem: "no answer within 500 ms"),
      ],
      transactions: [.init(bus: "line-1", traced: Self.trace)], isTraceCut: false)
  }

  private func fields(_ write: (inout JSONWriter) -> Void) throws -> JSONFields {
    var json = JSONWriter()
    json.beginObject()
    write(&json)
    json.endObject()
    return try JSONFields(JSONParser.parse(json.bytes))
  }

  @Test("A probe's report reads back what it wrote, bytes and all")
  func probeReadsBack() throws {
    #expect(try ProbeReport(fields { report.writeMembers(into: &$0) }) == report)
    var bits = report
    bits.points[0].table = .coil
    bits.points[0].registers = [1]
    bits.points[0].value = .bool(true)
    bits.points[1].raw = .string("18446744073709551615")
    bits.points[2].value = .number("3")
    bits.points[2].meaning = "运行"
    bits.transactions = []
    #expect(try ProbeReport(fields { bits.writeMembers(into: &$0) }) == bits)
  }

  @Test("The table has raw registers, value, quality and time; each problem stands once")
  func probeText() {
    #expect(
      report.lines == [
        "line-1, unit 3, holding 0…1: answer with 2 values, 31.207 ms",
        "   -3.120 ← 03 83 02 61 31  (was on the line before the request)",
        "   +0.000 → 03 03 00 00 00 02 C5 E9",
        "  +12.412 ← " + Array(repeating: "AB", count: 24).joined(separator: " "),
        "            " + Array(repeating: "AB", count: 6).joined(separator: " "),
        "  +12.420 ←   (a late answer to an earlier request)",
        "",
        "DEVICE  POINT  UNIT  ADDRESS    RAW        VALUE  MEASURE  QUALITY       TIME",
        "gas     ch4    3     holding 7  3E99 999A  0.30   %CH4     good          12.412 ms",
        "gas     high   3     holding 7  4090 0000  (4.5)  %CH4     out-of-range  12.412 ms",
        "gas     co     3     holding 7  -          -      %CH4     timeout       -",
        "gas     o2     3     holding 7  -          -      %CH4     timeout       -",
        "",
        "line-1, unit 3: no answer within 500 ms (gas.co, gas.o2)",
        "",
        "4 points: 1 good, 3 bad",
      ])
    #expect(!report.isGood)
  }

  @Test("A state stands with its name, for the eye and for a program, on the sheet too")
  func states() throws {
    let pump = ModbusPoint(
      description: PointDescription(name: "pump", type: "uint16", enumeration: [3: "运行"]),
      table: .holding, address: 0, type: .uint16, everyMilliseconds: 1000)
    let bus = ModbusBusDefinition(
      name: "line-1", endpoint: .tcp(host: "h", port: 1), timeoutMilliseconds: 500,
      devices: [ModbusDevice(name: "fan", unit: 3, points: [pump])])
    var probe = BusProbe(bus, devices: ["fan"], isTraced: false)
    let next = probe.next()
    probe.take(
      VisitOutcome(result: .success(.values([3])), microseconds: 1), of: try #require(next))
    let report = ProbeReport([(bus, probe)])
    #expect(report.lines.contains { $0.contains(" 0003  3 运行 ") }, "\(report.lines)")
    let fields = try fields { report.writeMembers(into: &$0) }
    #expect(try fields.objects("points").first?.string("means") == "运行")
    let gateway = GatewayConfiguration(
      id: "gw-1", mine: "0520", region: "520201", name: nil, mode: .producing, board: "generic")
    let sheet = AcceptanceSheet(
      gateway: gateway, time: 0, process: nil, probe: report, deliveries: nil)
    #expect(sheet.lines.contains { $0.contains(" 0003  3 运行 ") }, "\(sheet.lines)")
  }

  @Test("A scan's report reads back what it wrote, and names what is damaged")
  func scan() throws {
    let definition = ModbusBusDefinition(
      name: "line-1", endpoint: .tcp(host: "h", port: 1), timeoutMilliseconds: 500,
      devices: [ModbusDevice(name: "gas", unit: 3, points: [])])
    var report = ScanReport(
      BusScan(definition, units: 1...5, isTraced: false), of: definition)
    #expect(!report.isGood)
    report.asked = 5
    #expect(report.lines == ["line-1: of 5 units 0 answer"])
    report.units = [
      .init(
        unit: 3, devices: ["gas"], answer: "register", words: "holding 0 is 0001",
        microseconds: 1500),
      .init(
        unit: 4, devices: [], answer: "damaged", words: "damaged: an answer with a wrong checksum",
        microseconds: 60_000),
    ]
    #expect(report.isGood)
    report.problem = "gone"
    report.hints = [
      .init(heard: "echo", words: "only the request's own echo came for unit 5", units: [5])
    ]
    report.transactions = [Self.trace]
    #expect(try ScanReport(fields { report.writeMembers(into: &$0) }) == report)
    report.transactions = []
    #expect(
      report.lines == [
        "UNIT  DEVICE  ANSWER                                    TIME",
        "3     gas     holding 0 is 0001                         1.500 ms",
        "4             damaged: an answer with a wrong checksum  60.000 ms",
        "",
        "line-1: of 5 units 1 answers, 1 damaged",
        "only the request's own echo came for unit 5",
        "damaged is what came and is no answer; on a line two units with one number, a wrong speed "
          + "or parity look like that, over TCP something else than Modbus at that port",
        "gone",
      ])
  }

  @Test("A scan that is broken off says how many it asked and is not good; a gateway is named")
  func scanInPart() throws {
    let definition = ModbusBusDefinition(
      name: "line-1", endpoint: .tcp(host: "h", port: 1), timeoutMilliseconds: 500, devices: [])
    var scan = BusScan(definition, units: 1...9, isTraced: false)
    for unit: UInt8 in 1...5 {
      let next = scan.next()
      let question = try #require(next)
      let result: ReadAnswer = unit == 2 ? .values([1]) : .exception(11)
      scan.take(VisitOutcome(result: .success(result), microseconds: 1500), of: question)
    }
    scan.fail("ask again")
    let report = ScanReport(scan, of: definition)
    #expect(!report.isGood && report.units.contains(where: \.isAnswer))
    #expect(
      report.lines.suffix(3) == [
        "line-1: of 9 units 5 asked, 4 of them only the first time: 1 answers",
        "a gateway answers for units 1,3-5: exception 11 (gateway target failed to respond)",
        "ask again",
      ])
    #expect(try ScanReport(fields { report.writeMembers(into: &$0) }) == report)
  }

  @Test(
    "Units are numbers and ranges of 1…247",
    arguments: [
      ("1-247", 247), ("3", 1), ("1,3,10-12,11", 5), ("247-247", 1), ("", nil), ("0", nil),
      ("248", nil), ("5-3", nil), ("1-", nil), ("-1", nil), ("1,,2", nil), ("1-2-3", nil),
      ("a", nil),
    ])
  func unitLists(text: String, count: Int?) {
    #expect(UnitList.units(text)?.count == count)
  }

  @Test("A sheet says of each point whether it is delivered, to whom not, or that no agent runs")
  func sheet() throws {
    let gateway = GatewayConfiguration(
      id: "gw-1", mine: "0520", region: "520201", name: "示例煤矿", mode: .producing,
      board: "generic")
    var sheet = AcceptanceSheet(
      gateway: gateway, time: 1_795_226_585_000, process: nil, probe: report, deliveries: nil)
    let alone = sheet.lines
    #expect(alone.first == "SITE ACCEPTANCE SHEET")
    #expect(alone.contains("gateway  gw-1 (示例煤矿)"))
    #expect(alone.contains("date     2026-11-21 02:03:05 UTC"))
    #expect(alone.count { $0.hasSuffix("  not running") } == 4)
    #expect(alone.contains { $0.contains("总回风") && $0.contains("0…4") })
    #expect(alone.contains { $0.hasPrefix("accepted by   ____") })

    let answer = #"""
      {"destinations":["province","group"],"points":[
       {"device":"gas","point":"ch4","delivered":{"province":true,"group":true}},
       {"device":"gas","point":"high","delivered":{"province":true,"group":false}},
       {"device":"gas","point":"co","delivered":{"province":false,"group":false}}]}
      """#
    sheet.deliveries = try AcceptanceSheet.Deliveries(
      JSONFields(JSONParser.parse(Array(answer.utf8))))
    sheet.process = 812
    let lines = sheet.lines
    #expect(lines.contains { $0.hasSuffix("  good          yes") })
    #expect(lines.contains { $0.hasSuffix("  out-of-range  not to group") })
    #expect(lines.count { $0.hasSuffix("  timeout       no") } == 2)
    #expect(lines.contains("4 points: 1 good, 3 bad; 1 delivered"))
    sheet.probe.points = Array(sheet.probe.points.prefix(1))
    #expect(sheet.isGood)
    let json = try JSONFields(JSONParser.parse(sheet.json))
    #expect(try json.array("destinations").map(\.text) == ["province", "group"])
    let delivered = try #require(try json.objects("points").first).fields("delivered")
    #expect(try delivered.bool("group"))
  }
}
