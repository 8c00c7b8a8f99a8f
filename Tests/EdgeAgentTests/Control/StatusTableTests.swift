import Foundation
import Telemetry
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("The table of status")
struct StatusTableTests {
  private func answer(name: String = "示例煤矿", device: String = "gas") -> [UInt8] {
    Array(
      """
      {"v":1,"gateway":{"id":"gw-1","name":"\(name)"},"agent":"0.1.0","process":7,
       "time":1795226585000,"clock":"synced","uptime":7300000,"healthy":false,
       "faults":[{"part":"device/gas","fault":"timeout","since":1795226550000}],
       "buses":[{"name":"station","fault":null,"since":1795226500000,"connected":true,"counters":
        {"requests":120,"timeouts":3,"bad-answers":0,"wrong-checksums":0,"late-answers":1,
         "connects":1},"use":12.5,"units":[
         {"unit":3,"devices":["gas"],"answers":117,"timeouts":3,"wrong-checksums":0,"bad-answers":0,
          "exceptions":{"6":1,"2":5,"other":1},"turnaround":{"p50":1536,"p99":20480},
          "last-failure":{"reason":"timeout","time":1795226550000,"age":35000},
          "back-off":{"timeouts":4,"again":900}},
         {"unit":4,"devices":[],"answers":0,"timeouts":0,"wrong-checksums":0,"bad-answers":0,
          "exceptions":{},"back-off":null}]}],
       "devices":[{"name":"\(device)","bus":"station","fault":"timeout","since":1795226550000,
        "age":36100}],
       "destinations":[{"name":"province","fault":null,"since":1795226500000,"connected":true,
        "unsent":{"events":0,"data":2},"history":{"rate":65536,"share":50}}],
       "store":{"id":"9f2c61d07be4a835","epoch":7,"directory":"/var/lib/edge-agent","durable":true,
        "fault":null,"since":1795226500000,"streams":{
         "events":{"bytes":4096,"cap":67108864},
         "data":{"bytes":1610612736,"cap":2147483648,"newest":{"epoch":7,"seq":4711}}}},
       "points":[
        {"device":"总回风","point":"ch4","unit":"%CH4","quality":"good","value":0.30,"age":400},
        {"device":"gas","point":"co","quality":"out-of-range","raw":1000,"age":12000},
        {"device":"gas","point":"fault","quality":"timeout","age":130000},
        {"device":"gas","point":"level","quality":null}]}
      """.utf8)
  }

  @Test("It names everything, with spans in words and values as they were printed")
  func table() throws {
    let lines = try StatusReport(answer()).lines
    #expect(
      lines == [
        "gateway gw-1 (示例煤矿), edge-agent 0.1.0, process 7",
        "up 2 h, clock synced, 2026-11-21 02:03:05 UTC",
        "degraded: 1 fault",
        "FAULT       WHAT     FOR",
        "device/gas  timeout  35 s",
        "",
        "BUS      STATE  FOR   REQUESTS  TIMEOUTS  BAD  CRC  LATE  CONNECTS  USE",
        "station  ok     85 s  120       3         0    0    1     1         12.5%",
        "",
        "BUS      UNIT  DEVICES  ANSWERS  TIMEOUTS  CRC  BAD  EXCEPTIONS            P50      P99"
          + "    LAST FAILURE      ASKED AGAIN",
        "station  3     gas      117      3         0    0    2: 5, 6: 1, other: 1  1.54 ms  20 ms"
          + "  timeout 35 s ago  in 0.9 s",
        "station  4              0        0         0    0    0                     -        -    "
          + "  -                 -",
        "",
        "DEVICE  BUS      STATE    FOR   NEWEST VALUE",
        "gas     station  timeout  35 s  36 s ago",
        "",
        "DESTINATION  STATE  FOR   CONNECTED  UNSENT EVENTS  UNSENT DATA  HISTORY",
        "province     ok     85 s  yes        0              2            64 KiB/s, 50%",
        "",
        "store 9f2c61d07be4a835, epoch 7, /var/lib/edge-agent: ok for 85 s",
        "STREAM  USED     OF      NEWEST BATCH",
        "events  4 KiB    64 MiB  none yet",
        "data    1.5 GiB  2 GiB   7/4711",
        "",
        "DEVICE  POINT  VALUE   UNIT  QUALITY       AGE",
        "总回风  ch4    0.30    %CH4  good          0.4 s",
        "gas     co     (1000)        out-of-range  12 s",
        "gas     fault  -             timeout       2 min",
        "gas     level  -             none yet      -",
      ])
  }

  @Test("A state is shown with what it means")
  func states() throws {
    let states = String(decoding: answer(), as: UTF8.self).replacingOccurrences(
      of: #""level","quality":null"#,
      with: #""level","quality":"good","value":1,"means":"运行","age":400"#)
    let lines = try StatusReport(Array(states.utf8)).lines
    #expect(lines.last == "gas     level  1 运行        good          0.4 s")
  }

  @Test("Columns line up beside Chinese names, which take two columns a character")
  func widths() {
    #expect(terminalWidth("总回风 ch4") == 10)
    #expect(terminalWidth("％ＣＨ４") == 8)
    #expect(terminalWidth("°C µ é e\u{301}") == 8)
    var table = TextTable("A", "B")
    table.add("矿", "1")
    table.add("mine", "2")
    #expect(table.lines == ["A     B", "矿    1", "mine  2"])
    #expect(TextTable("A").lines == [])
  }

  @Test("Nothing in a name moves the terminal's cursor")
  func escapes() throws {
    let report = try StatusReport(answer(name: "a\\u001b[2Jb\\r\\n", device: "x\\u001b]0;t\\u0007"))
    let text = report.lines.joined()
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
    #expect(text.contains("(a?[2Jb??)"))
    #expect(text.contains("x?]0;t?"))
  }

  @Test("The document's example is an answer, and every word of a refusal is explained there")
  func document() throws {
    let document = text(of: Programs.sourceTree + "/docs/control.md")
    for word in ControlRefusal.Word.allCases {
      #expect(document.contains("\n| `\(word.rawValue)` | "), "\(word.rawValue)")
    }
    let section = try #require(document.components(separatedBy: "### `status`").last)
    let example = try #require(section.components(separatedBy: "```").dropFirst().first)
    let report = try StatusReport(Array(example.dropFirst("json\n".count).utf8))
    #expect(report.gateway == "gw-520201-01")
    #expect(report.points.map(\.quality) == ["out-of-range", "good", "timeout", nil])
  }

  @Test("It shows what the board knows of the time, and destinations that were taken out")
  func timeAndRemoved() throws {
    func lines(_ more: String) throws -> [String] {
      let text = String(decoding: answer(), as: UTF8.self).replacingOccurrences(
        of: "\"uptime\":", with: more + "\"uptime\":")
      return try StatusReport(Array(text.utf8)).lines
    }
    let none = try lines("\"time-state\":{\"offset\":5,\"real-time-clocks\":[]},")
    #expect(
      none[2]
        == "no real-time clock: after a power cut the date is wrong until the network tells it")
    let step = #""last-step":{"milliseconds":-3600000,"age":90000}"#
    let some = try lines(
      #""time-state":{"offset":5,"real-time-clocks":["rtc0"],\#(step)},"#
        + #""removed-destinations":[{"name":"group","remaining":86400000,"#
        + #""unsent":{"events":2,"data":70}}],"#)
    #expect(some[2] == "real-time clock rtc0; the clock was set back by 60 min 90 s ago")
    #expect(
      some.contains(
        "group is not configured any more: holds 2 batches of events and 70 of data for 24 h more"))
  }

  @Test("A refusal, another version and what is no status are said")
  func refusals() {
    func problem(_ text: String) -> String? {
      do throws(PayloadError) {
        _ = try StatusReport(Array(text.utf8))
        return nil
      } catch {
        return error.description
      }
    }
    #expect(problem("{\"v\":1,\"error\":\"busy\",\"text\":\"later\"}") == "busy: later")
    #expect(problem("{\"v\":2}") == "v: the agent speaks version 2, this program 1")
    #expect(problem("{\"v\":1}") == "gateway: is missing")
    #expect(problem("HTTP/1.1 400")?.hasPrefix("the answer is no JSON") == true)
  }
}
