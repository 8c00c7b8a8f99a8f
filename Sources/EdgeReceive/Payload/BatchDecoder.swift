import Telemetry

/// Decodes the payloads of `data` and `events` by the contract, version 1.
enum BatchDecoder {
  /// A batch closes at 64 KiB; far more than a batch can hold, and a bound on a hostile payload.
  static let largestPayloadBytes = 16 << 20
  /// The version of the contract that this program reads.
  static let version = 1

  /// The batch in `payload`, which came on a topic of `stream`.
  static func batch(_ payload: [UInt8], of stream: StreamName) throws(PayloadError) -> ReceivedBatch
  {
    let fields = try JSONFields(json(payload))
    try checkVersion(fields)
    if let part = fields.members["part"] { throw refusal(of: part) }
    let named = try fields.string("stream")
    guard named == "\(stream)" else {
      throw fields.error("stream", "\"\(named)\" came on a topic of the stream \"\(stream)\"")
    }
    let epoch = EpochName(
      gateway: try fields.string("gateway"),
      store: try fields.hexadecimal("store", digits: 16),
      epoch: try fields.integer("epoch"))
    let seq: UInt64 = try fields.integer("seq")
    guard seq > 0, seq < SeqSet.largest else {
      throw fields.error("seq", "1…\(SeqSet.largest - 1) is expected, not \(seq)")
    }
    let offset = try fields.milliseconds("offset")
    let body: ReceivedBatch.Body =
      switch stream {
      case .data: .samples(try samples(fields, offset: offset))
      case .events: .events(try events(fields, offset: offset, store: epoch.store))
      }
    return ReceivedBatch(
      stream: StreamEpoch(epoch: epoch, stream: stream), seq: seq,
      boot: BootID(rawValue: try fields.hexadecimal("boot", digits: 8)),
      offset: offset, clock: try fields.word("clock"),
      points: stream == .data ? try fields.string("points") : nil,
      isDurable: fields.members["durable"] == nil ? true : try fields.bool("durable"), body: body)
  }

  /// The JSON of a payload, bounded in size.
  static func json(_ payload: [UInt8]) throws(PayloadError) -> JSONValue {
    guard payload.count <= largestPayloadBytes else {
      throw PayloadError(
        path: "", problem: "\(payload.count) bytes, the limit is \(largestPayloadBytes)")
    }
    do throws(JSONError) {
      return try JSONParser.parse(payload)
    } catch {
      throw PayloadError(path: "", problem: "not JSON: \(error)")
    }
  }

  /// Refuses what another version of the contract says.
  static func checkVersion(_ fields: JSONFields) throws(PayloadError) {
    let number: Int = try fields.integer("v")
    guard number == version else {
      throw fields.error("v", "version \(number) is not understood, only \(version)")
    }
  }

  private static func refusal(of part: JSONValue) -> PayloadError {
    var words = "a part of a batch"
    if case .array(let numbers) = part, numbers.count == 2,
      case (.number(let index), .number(let count)) = (numbers[0], numbers[1])
    {
      words = "part \(index) of \(count)"
    }
    return PayloadError(path: "part", problem: "\(words): parts are not supported yet")
  }

  // MARK: Samples

  private static func samples(
    _ batch: JSONFields, offset: Int64
  ) throws(PayloadError) -> [ReceivedSample] {
    var samples: [ReceivedSample] = []
    for fields in try batch.objects("samples") {
      samples.append(
        ReceivedSample(
          device: try fields.string("device"),
          monotonic: try monotonic(fields, offset: offset),
          readings: try readings(fields), flags: fields.members["flags"]))
    }
    return samples
  }

  private static func monotonic(
    _ fields: JSONFields, offset: Int64
  ) throws(PayloadError) -> Int64 {
    try fields.milliseconds("time") - offset
  }

  private static func readings(_ sample: JSONFields) throws(PayloadError) -> [PointReading] {
    let values = try sample.optionalFields("values")
    let bad = try sample.optionalFields("bad")
    let raw = try sample.optionalFields("raw")
    var readings: [PointReading] = []
    readings.reserveCapacity(values.members.count + bad.members.count)
    for (point, value) in values.members {
      readings.append(PointReading(point: point, outcome: .good(try text(value, point, values))))
    }
    for (point, value) in bad.members {
      guard values.members[point] == nil else {
        throw bad.error(point, "the point stands in values too")
      }
      guard case .string(let word) = value, let reason = BadReason.words[word] else {
        throw bad.error(point, "a reason of the contract's list is expected")
      }
      let rawText = try raw.members[point].map { value throws(PayloadError) in
        try text(value, point, raw)
      }
      readings.append(PointReading(point: point, outcome: .bad(reason, raw: rawText)))
    }
    for point in raw.members.keys where bad.members[point] == nil {
      throw raw.error(point, "a raw value without a reason in bad")
    }
    readings.sort { $0.point < $1.point }
    return readings
  }

  /// A value as printed; large integers come as strings, and their text is what counts.
  static func text(
    _ value: JSONValue, _ point: String, _ fields: JSONFields
  ) throws(PayloadError) -> String {
    switch value {
    case .number(let text), .string(let text): text
    case .bool(let flag): flag ? "true" : "false"
    case .null, .array, .object:
      throw fields.error(point, "a number, boolean or string is expected, not \(value.kind)")
    }
  }

  // MARK: Events

  private static func events(
    _ batch: JSONFields, offset: Int64, store: UInt64
  ) throws(PayloadError) -> [ReceivedEvent] {
    var events: [ReceivedEvent] = []
    for fields in try batch.objects("events") {
      _ = try fields.string("id")
      _ = try fields.word("severity", Severity.self)
      _ = try fields.string("source")
      var content = fields.members
      content["time"] = nil
      events.append(
        ReceivedEvent(
          monotonic: try monotonic(fields, offset: offset),
          statement: try EventDecoder.statement(fields, store: store), content: content))
    }
    return events
  }
}

extension BadReason {
  /// Every reason by its word.
  static let words = Dictionary(uniqueKeysWithValues: all.map { ("\($0)", $0) })
}
