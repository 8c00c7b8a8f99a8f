import Telemetry
import Testing

@testable import EdgeReceive

@Suite struct DecoderTests {
  private func decode(_ text: String) throws -> ReceivedBatch {
    try BatchDecoder.batch(Array(text.utf8), of: .data)
  }

  /// The example of the contract.
  private let example = """
    {"v":1,"gateway":"gw-520201-01","store":"9f2c61d07be4a835","stream":"data","epoch":7,"seq":4711,
     "boot":"3d1f0c52","offset":1795140239771,"clock":"synced","points":"b1946ac9",
     "samples":[
      {"device":"return-air","time":1795226584123,"values":{"wind":2.6,"fault":false},\
    "bad":{"ch4":"out-of-range"},"raw":{"ch4":4.5}},
      {"device":"face-101","time":1795226584161,"values":{"ch4":0.12},"bad":{"co":"timeout"},\
    "flags":{"ch4":["maintenance"]}}]}
    """

  @Test("The contract's example is read as it is meant")
  func readsExample() throws {
    let batch = try decode(example)
    #expect(batch.stream.epoch.gateway == "gw-520201-01")
    #expect(batch.stream.epoch.store == 0x9f2c_61d0_7be4_a835)
    #expect(batch.stream.epoch.epoch == 7)
    #expect(batch.seq == 4711)
    #expect(batch.boot == BootID(rawValue: 0x3d1f_0c52))
    #expect(batch.isDurable)
    guard case .samples(let samples) = batch.body else {
      Issue.record("no samples")
      return
    }
    #expect(samples.map(\.device) == ["return-air", "face-101"])
    #expect(samples[0].monotonic == 1_795_226_584_123 - 1_795_140_239_771)
    let readings = [
      PointReading(point: "ch4", outcome: .bad(.outOfRange, raw: "4.5")),
      PointReading(point: "fault", outcome: .good("false")),
      PointReading(point: "wind", outcome: .good("2.6")),
    ]
    #expect(samples[0].readings == readings)
  }

  @Test(
    "A malformed batch is refused with the member that is wrong",
    arguments: [
      ("\"v\":1", "\"v\":2", "v: version 2 is not understood, only 1"),
      ("\"epoch\":7,", "", "epoch: is missing"),
      (
        "\"epoch\":7", "\"epoch\":-7", "epoch: an integer of 0…4294967295 is expected, not a number"
      ),
      ("\"seq\":4711", "\"seq\":0", "seq: 1…9223372036854775807 is expected, not 0"),
      ("9f2c61d07be4a835", "9f2c", "store: 16 hexadecimal digits are expected, not \"9f2c\""),
      ("\"data\"", "\"events\"", "stream: \"events\" came on a topic of the stream \"data\""),
      ("synced", "maybe", "clock: \"maybe\" is none of the contract's words"),
      (
        "\"timeout\"", "\"tired\"", "samples[1].bad.co: a reason of the contract's list is expected"
      ),
      (
        "\"wind\":2.6", "\"wind\":null",
        "samples[0].values.wind: a number, boolean or string is expected, not null"
      ),
      ("\"wind\":2.6", "\"ch4\":2.6", "samples[0].bad.ch4: the point stands in values too"),
      (
        "\"raw\":{\"ch4\"", "\"raw\":{\"co\"",
        "samples[0].raw.co: a raw value without a reason in bad"
      ),
      (
        "1795226584123", "1e3",
        "samples[0].time: an integer of -9223372036854775808…9223372036854775807 is expected, not "
          + "a number"
      ),
      (
        "1795226584123", "9223372036854775807",
        "samples[0].time: milliseconds within ±2^53 are expected, not 9223372036854775807"
      ),
      ("{\"v\"", "{\"part\":[1,3],\"v\"", "part: part 1 of 3: parts are not supported yet"),
    ])
  func refuses(_ change: (old: String, new: String, problem: String)) throws {
    let parts = example.split(separator: change.old, maxSplits: 1, omittingEmptySubsequences: false)
    try #require(parts.count == 2)
    let error = #expect(throws: PayloadError.self) {
      try decode(parts.joined(separator: change.new))
    }
    #expect(error?.description == change.problem)
  }

  @Test("Unknown members are skipped: adding a field is free")
  func skipsUnknownMembers() throws {
    let text = "{\"new\":{\"x\":[1]}," + example.dropFirst()
    #expect(try decode(text) == decode(example))
  }

  @Test("Every reason of the list is read")
  func readsEveryReason() {
    for reason in BadReason.all { #expect(BadReason.words["\(reason)"] == reason) }
  }

  @Test(
    "Topics are recognised by their last levels",
    arguments: [
      ("mine/v1/5/5/gw/data", "mine/v1/5/5/gw", Topic.Channel.data(isHistory: false)),
      ("a/data/history", "a", .data(isHistory: true)),
      ("a/events", "a", .events(isHistory: false)),
      ("a/events/history", "a", .events(isHistory: true)),
      ("a/state", "a", .state), ("a/health", "a", .health),
      ("a/points/b1946ac9", "a", .points(digest: "b1946ac9")),
      ("a/ack", "a", .other), ("", "", .other), ("data", "", .data(isHistory: false)),
    ])
  func recognisesTopics(_ text: String, _ prefix: String, _ channel: Topic.Channel) {
    #expect(Topic(text).prefix == prefix)
    #expect(Topic(text).channel == channel)
  }

  @Test("Point definitions give the units")
  func readsUnits() throws {
    let text = """
      {"v":1,"devices":[{"device":"return-air","points":[\
      {"point":"ch4","type":"float32","unit":"%CH4","range":[0,4]},\
      {"point":"fault","type":"bool"}]}]}
      """
    let units = try PointDefinitions(Array(text.utf8)).units
    #expect(units == [DevicePoint(device: "return-air", point: "ch4"): "%CH4"])
  }
}
