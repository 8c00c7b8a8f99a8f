import Buffering
import Foundation
import Telemetry
import Testing

@testable import Uplink

@Suite("Payloads")
struct PayloadEncoderTests {
  private var encoder = PayloadEncoder(
    gateway: "gw-520201-01", destination: "province", agentVersion: "0.1.0")
  private let store: UInt64 = 0x9f2c_61d0_7be4_a835
  private let boot = BootID(rawValue: 0x3d1f_0c52)
  private let offset: Int64 = 1_795_140_239_771

  private func batch(_ body: Batch.Body, durable: Bool = true) -> Batch {
    let stream: StreamName = if case .samples = body { .data } else { .events }
    return Batch(
      identity: BatchIdentity(store: store, stream: stream, epoch: 7, seq: 4711), boot: boot,
      offset: offset, clock: .synced, definitions: stream == .data ? 0xb194_6ac9 : 0,
      isDurable: durable, body: body)
  }

  @Test("A batch of samples is what the contract shows")
  func samples() {
    var encoder = encoder
    let air = DeviceSchema(name: "return-air", points: ["ch4", "wind", "fault"])
    let face = DeviceSchema(name: "face-101", points: ["ch4", "co"])
    let payload = encoder.encode(
      batch(
        .samples([
          StoredSample(
            device: air, monotonic: 86_344_352,
            outcomes: [
              PointOutcome(point: 1, outcome: .good(.decimal(mantissa: 26, decimals: 1))),
              PointOutcome(point: 2, outcome: .good(.bool(false))),
              PointOutcome(point: 0, outcome: .bad(.outOfRange, raw: .float32(4.5))),
            ]),
          StoredSample(
            device: face, monotonic: 86_344_390,
            outcomes: [
              PointOutcome(point: 0, outcome: .good(.float32(0.12))),
              PointOutcome(point: 1, outcome: .bad(.timeout)),
            ]),
        ])))
    let expected =
      #"{"v":1,"gateway":"gw-520201-01","store":"9f2c61d07be4a835","stream":"data","epoch":7,"#
      + #""seq":4711,"boot":"3d1f0c52","offset":1795140239771,"clock":"synced","#
      + #""points":"b1946ac9","samples":["#
      + #"{"device":"return-air","time":1795226584123,"values":{"wind":2.6,"fault":false},"#
      + #""bad":{"ch4":"out-of-range"},"raw":{"ch4":4.5}},"#
      + #"{"device":"face-101","time":1795226584161,"values":{"ch4":0.12},"#
      + #""bad":{"co":"timeout"}}]}"#
    #expect(String(decoding: payload, as: UTF8.self) == expected)
  }

  @Test("A batch of events carries the stored details as members")
  func events() throws {
    var encoder = encoder
    let payload = encoder.encode(
      batch(
        .events([
          StoredEvent(
            id: 0xfedc_ba98_7654_3210, monotonic: 10, severity: .warning, type: "gap",
            source: "data", details: Array(#""stream":"data","count":3"#.utf8)),
          StoredEvent(
            id: 1, monotonic: 11, severity: .info, type: "stop", source: "agent", details: []),
        ]), durable: false))
    let expected =
      #"{"v":1,"gateway":"gw-520201-01","store":"9f2c61d07be4a835","stream":"events","epoch":7,"#
      + #""seq":4711,"boot":"3d1f0c52","offset":1795140239771,"clock":"synced","durable":false,"#
      + #""events":[{"id":"fedcba9876543210","time":1795140239781,"type":"gap","#
      + #""severity":"warning","source":"data","stream":"data","count":3},"#
      + #"{"id":"0000000000000001","time":1795140239782,"type":"stop","severity":"info","#
      + #""source":"agent"}]}"#
    #expect(String(decoding: payload, as: UTF8.self) == expected)
  }

  @Test("A number that is none never breaks the JSON")
  func notANumber() throws {
    var encoder = encoder
    let device = DeviceSchema(name: "d", points: ["a", "b"])
    let payload = encoder.encode(
      batch(
        .samples([
          StoredSample(
            device: device, monotonic: 0,
            outcomes: [
              PointOutcome(point: 0, outcome: .good(.float32(.nan))),
              PointOutcome(point: 1, outcome: .bad(.outOfRange, raw: .float64(.infinity))),
              PointOutcome(point: 5, outcome: .good(.int(1))),
            ])
        ])))
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any])
    let sample = try #require((object["samples"] as? [[String: Any]])?.first)
    #expect(sample["values"] as? [String: Int] == ["#5": 1])
    #expect(sample["bad"] as? [String: String] == ["a": "not-a-number", "b": "out-of-range"])
    #expect(sample["raw"] == nil)
  }

  @Test("The state names store, epoch and since when")
  func state() {
    var encoder = encoder
    let payload = encoder.state(isOnline: false, store: 0xab, epoch: 3, since: 1_795_226_584_123)
    #expect(
      String(decoding: payload, as: UTF8.self)
        == #"{"v":1,"state":"offline","gateway":"gw-520201-01","destination":"province","#
        + #""agent":"0.1.0","store":"00000000000000ab","epoch":3,"since":1795226584123}"#)
  }

  @Test("Definitions give the same bytes for the same descriptions")
  func definitions() {
    let devices = [
      DeviceDescription(
        name: "return-air",
        points: [
          PointDescription(
            name: "ch4", type: "float32", unit: .percentMethane,
            range: ValueRange(lower: 0, upper: 4), location: "总回风"),
          PointDescription(name: "fault", type: "bool"),
          PointDescription(
            name: "t", type: "int16", unit: .degreeCelsius,
            range: ValueRange(lower: -40.5, upper: 85)),
        ])
    ]
    let payload = PayloadEncoder.definitions(of: devices)
    #expect(
      String(decoding: payload, as: UTF8.self)
        == #"{"v":1,"devices":[{"device":"return-air","points":[{"point":"ch4","type":"float32","#
        + #""unit":"%CH4","range":[0,4],"location":"总回风"},{"point":"fault","type":"bool"},"#
        + #"{"point":"t","type":"int16","unit":"°C","range":[-40.5,85]}]}]}"#)
    #expect(PayloadEncoder.definitions(of: devices) == payload)
  }

  @Test("Definitions tell states, decimals, and when a point is reported")
  func definitionsOfMore() {
    let points = [
      PointDescription(
        name: "pump", type: "uint16", enumeration: [10: "fault", 2: "running", -1: "停"],
        report: ReportRule(deadband: nil, atLeastMilliseconds: 60_000)),
      PointDescription(
        name: "ch4", type: "float32", unit: .percentMethane, decimals: 2,
        report: ReportRule(deadband: 0.05, atLeastMilliseconds: 5000)),
    ]
    let payload = PayloadEncoder.definitions(of: [DeviceDescription(name: "a", points: points)])
    #expect(
      String(decoding: payload, as: UTF8.self)
        == #"{"v":1,"devices":[{"device":"a","points":[{"point":"pump","type":"uint16","#
        + #""enum":{"-1":"停","2":"running","10":"fault"},"report":{"at-least":60000}},"#
        + #"{"point":"ch4","type":"float32","unit":"%CH4","decimals":2,"#
        + #""report":{"deadband":0.05,"at-least":5000}}]}]}"#)
  }

  @Test("Health names every part, its fault and the age of its newest value, and each stream")
  func health() throws {
    var encoder = encoder
    let time = Timestamp(monotonic: 5_000, offset: 1_000_000, clock: .unsynced)
    // The clock was set since.
    let earlier = Timestamp(monotonic: 4_000, offset: 0, clock: .unsynced)
    let report = HealthReport(
      time: time,
      parts: [
        HealthReport.Part(
          kind: .bus, name: "line-1", fault: "timeout", since: 900, newestValue: earlier),
        HealthReport.Part(kind: .device, name: "air", fault: nil, since: 1, newestValue: nil),
        HealthReport.Part(
          kind: .destination, name: "province", fault: nil, since: 2, newestValue: nil),
      ], storeFault: nil)
    let newest = BatchIdentity(store: store, stream: .data, epoch: 7, seq: 4711)
    let oldest = BatchIdentity(store: 1, stream: .data, epoch: 5, seq: 12)
    let payload = encoder.health(
      report, store: store, epoch: 7,
      streams: [
        .data: StreamDelivery(
          summary: StreamSummary(newest: newest, oldest: oldest, unsent: 2, oldestUnsent: 88),
          refused: 1)
      ], refused: ["points/b1946ac9": .tooLarge, "state": .refused])
    let expected =
      #"{"v":1,"gateway":"gw-520201-01","destination":"province","time":1005000,"#
      + #""clock":"unsynced","healthy":false,"faults":{"bus/line-1":"timeout"},"#
      + #""buses":{"line-1":{"fault":"timeout","since":900,"age":1000}},"#
      + #""devices":{"air":{"fault":null,"since":1,"age":null}},"lines":{},"areas":{},"#
      + #""destinations":{"province":{"fault":null,"since":2}},"#
      + #""store":{"id":"9f2c61d07be4a835","epoch":7,"fault":null},"#
      + #""streams":{"data":{"store":"9f2c61d07be4a835","newest":{"epoch":7,"seq":4711},"#
      + #""oldest":{"store":"0000000000000001","epoch":5,"seq":12},"unsent":2,"#
      + #""oldest-unsent":88,"refused":1,"too-large":0}},"#
      + #""refused-topics":{"points/b1946ac9":"too-large","state":"refused"}}"#
    #expect(String(decoding: payload, as: UTF8.self) == expected)
  }

  @Test("An announcement that was refused comes again when it is due, unless it is void by then")
  func refusedAnnouncements() {
    var announcements = Announcements(topics: TopicLayout(prefix: "p"))
    announcements.open(state: [1], definitions: [1: [10]])
    let state = announcements.take()
    let definition = announcements.take()
    #expect(announcements.fault == nil && announcements.retryAt == nil)
    announcements.refused(state, .quotaExceeded, retryAt: 5)
    announcements.refused(definition, .refused, retryAt: 60)
    #expect(announcements.fault == .refused && announcements.retryAt == 5)
    #expect(announcements.refused == ["state": .quotaExceeded, "points/00000001": .refused])
    announcements.requeue(now: 4)
    #expect(announcements.next == nil)
    announcements.requeue(now: 5)
    announcements.requeue(now: 6)
    #expect(announcements.drain() == ["p/state"])
    announcements.accepted(state)
    #expect(announcements.refused == ["points/00000001": .refused])
    // It left the log: what clears the topic decides.
    announcements.update([:])
    announcements.requeue(now: 60)
    let clearing = announcements.take()
    #expect(clearing.payload.isEmpty && announcements.next == nil)
    announcements.refused(definition, .refused, retryAt: 70)
    #expect(announcements.retryAt == nil)
    announcements.accepted(clearing)
    #expect(announcements.fault == nil)
    // A new connection has a new broker's rights.
    announcements.refused(state, .refused, retryAt: 90)
    announcements.open(state: [1], definitions: [:])
    #expect(announcements.fault == nil)
  }

  @Test("Announcements put state first, publish new digests once and clear those that left")
  func announcements() {
    var announcements = Announcements(topics: TopicLayout(prefix: "p"))
    announcements.open(state: [1], definitions: [2: [20], 1: [10]])
    #expect(announcements.drain() == ["p/state", "p/points/00000001", "p/points/00000002"])
    announcements.update([2: [20], 3: [30]])
    #expect(announcements.drain() == ["p/points/00000003", "p/points/00000001 cleared"])
    // The log forgot 2 between two connections: the broker still has it.
    announcements.open(state: [1], definitions: [3: [30]])
    #expect(
      announcements.drain() == ["p/state", "p/points/00000003", "p/points/00000002 cleared"])
    #expect(announcements.covers(3) && !announcements.covers(2))
  }
}

extension Announcements {
  fileprivate mutating func take() -> Message {
    defer { publishedNext() }
    return next ?? Message(topic: "none", payload: [])
  }

  fileprivate mutating func drain() -> [String] {
    var topics: [String] = []
    while let next {
      topics.append(next.topic + (next.payload.isEmpty ? " cleared" : ""))
      publishedNext()
    }
    return topics
  }
}
