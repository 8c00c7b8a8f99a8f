import Telemetry
import Testing

@Suite("What events say in payloads")
struct EventTests {
  private func json(_ detail: EventDetail) -> String {
    var json = JSONWriter()
    json.beginObject()
    detail.writeMembers(to: &json)
    json.endObject()
    return String(decoding: json.bytes, as: UTF8.self)
  }

  /// Every kind of detail, with all its members and with as few as it may have.
  static let cases: [(EventDetail, type: String, json: String)] = [
    (
      .start(
        StartDetail(
          agent: "0.1.0",
          previous: [
            EpochSummary(
              store: 0x9f2c_61d0_7be4_a835, epoch: 6, last: [.data: 4710, .events: 9], clean: true),
            EpochSummary(store: 1, epoch: 7, last: [:], clean: false),
          ])), "start",
      #"{"agent":"0.1.0","previous":[{"store":"9f2c61d07be4a835","epoch":6,"#
        + #""last":{"events":9,"data":4710},"clean":true},"#
        + #"{"store":"0000000000000001","epoch":7,"last":{"events":0,"data":0},"clean":false}]}"#
    ),
    (
      .start(StartDetail(agent: "0.1.0", previous: [])), "start",
      #"{"agent":"0.1.0","previous":[]}"#
    ),
    (.stop(StopDetail(reason: "SIGTERM")), "stop", #"{"reason":"SIGTERM"}"#),
    (
      .gap(
        GapDetail(
          stream: .data,
          span: .batches(store: 0x9f2c_61d0_7be4_a835, epoch: 6, from: 4600, to: 4650), count: 51,
          reason: .evicted, destinations: ["province", "group"])), "gap",
      #"{"stream":"data","store":"9f2c61d07be4a835","epoch":6,"from-seq":4600,"to-seq":4650,"#
        + #""count":51,"reason":"evicted","destinations":["province","group"]}"#
    ),
    (
      .gap(
        GapDetail(
          stream: .events, span: .time(from: 1_795_226_584_123, to: 1_795_226_585_000),
          reason: .uncleanStop)), "gap",
      #"{"stream":"events","from":1795226584123,"to":1795226585000,"reason":"unclean-stop"}"#
    ),
    (
      .clock(
        ClockDetail(
          from: .unsynced, to: .synced, boot: BootID(rawValue: 0x3d1f_0c52),
          offset: 1_795_140_239_771, step: -9)), "clock",
      #"{"from":"unsynced","to":"synced","boot":"3d1f0c52","offset":1795140239771,"step":-9}"#
    ),
    (
      .clock(
        ClockDetail(from: nil, to: .unsynced, boot: BootID(rawValue: 7), offset: 0, step: 0)),
      "clock", #"{"to":"unsynced","boot":"00000007","offset":0,"step":0}"#
    ),
    (
      .configuration(ConfigurationDetail(old: "b1946ac9", new: "0000000b")), "configuration",
      #"{"old":"b1946ac9","new":"0000000b"}"#
    ),
    (
      .configuration(ConfigurationDetail(old: nil, new: "0000000b")), "configuration",
      #"{"new":"0000000b"}"#
    ),
    (
      .store(StateDetail(state: "failed", reason: "write /x: No space left on device")), "store",
      #"{"state":"failed","reason":"write /x: No space left on device"}"#
    ),
    (.bus(StateDetail(state: "open")), "bus", #"{"state":"open"}"#),
    (
      .device(StateDetail(state: "lost", reason: "timeout")), "device",
      #"{"state":"lost","reason":"timeout"}"#
    ),
    (.destination(StateDetail(state: "ok")), "destination", #"{"state":"ok"}"#),
    (
      .line(LineDetail(state: .countSuspect, reason: "sequence-gap", count: 4711, lost: 3)), "line",
      #"{"state":"count-suspect","reason":"sequence-gap","count":4711,"lost":3}"#
    ),
    (.line(LineDetail(state: .recovered)), "line", #"{"state":"recovered"}"#),
    (
      .headcount(
        HeadcountDetail(
          state: .set, count: 9, previous: 10, gate: "gate-1", operator: "李明",
          reason: "counted at the face")), "headcount",
      #"{"state":"set","count":9,"previous":10,"gate":"gate-1","operator":"李明","#
        + #""reason":"counted at the face"}"#
    ),
    (
      .headcount(
        HeadcountDetail(
          state: .sourceLost, count: 2, lostSource: "positioning.heading", reason: "timeout")),
      "headcount",
      #"{"state":"source-lost","count":2,"lost-source":"positioning.heading","#
        + #""reason":"timeout"}"#
    ),
    (.headcount(HeadcountDetail(state: .sourceBack)), "headcount", #"{"state":"source-back"}"#),
  ]

  @Test("Each kind of detail has its type and its members", arguments: cases.indices)
  func members(index: Int) {
    let (detail, type, expected) = Self.cases[index]
    #expect(detail.type == type)
    #expect(json(detail) == expected)
  }

  @Test("No kind of detail is left out above")
  func completeness() {
    // A new case makes this switch fail to compile; it belongs into `cases`, too.
    func index(of detail: EventDetail) -> Int {
      switch detail {
      case .start: 0
      case .stop: 1
      case .gap: 2
      case .clock: 3
      case .configuration: 4
      case .store: 5
      case .bus: 6
      case .device: 7
      case .destination: 8
      case .line: 9
      case .headcount: 10
      }
    }
    #expect(Set(Self.cases.map { index(of: $0.0) }) == Set(0...10))
    #expect(Set(Self.cases.map(\.type)).count == 11)
  }

  @Test("An event that is made has an id of its own")
  func identity() {
    let time = Timestamp(monotonic: 1, offset: 2, clock: .synced)
    let ids = (0..<1000).map { _ in
      Event(time: time, severity: .info, source: "agent", detail: .stop(StopDetail(reason: "x"))).id
    }
    #expect(Set(ids).count == 1000)
  }

  @Test("Times, ids and streams print as the contract says")
  func printing() {
    #expect(hexadecimal(0xb194_6ac9, digits: 8) == "b1946ac9")
    #expect(hexadecimal(0, digits: 4) == "0000")
    #expect(hexadecimal(.max, digits: 8) == "ffffffffffffffff")
    let time = Timestamp(monotonic: 86_344_352, offset: 1_795_140_239_771, clock: .synced)
    #expect(time.wall == 1_795_226_584_123)
    #expect(time.advanced(by: -1000).wall == 1_795_226_583_123)
    #expect(StreamName.allCases.map(\.description) == ["events", "data"])
    #expect(StreamName.allCases.map(\.rawValue) == [1, 2])
  }
}
