import Telemetry

/// Decodes the details of the events that explain holes or times.
enum EventDecoder {
  /// What the event says; types that explain nothing are not looked into.
  static func statement(
    _ event: JSONFields, store: UInt64
  ) throws(PayloadError) -> ReceivedEvent.Statement {
    switch try event.string("type") {
    case "start": .start(try start(event))
    case "gap": .gap(try gap(event, store: store))
    case "clock": .clock(try clock(event))
    default: .other
    }
  }

  private static func start(_ event: JSONFields) throws(PayloadError) -> [EpochSummary] {
    var summaries: [EpochSummary] = []
    for fields in try event.objects("previous") {
      let stated = try fields.fields("last")
      var last: [StreamName: UInt64] = [:]
      for stream in StreamName.allCases {
        last[stream] = try stated.optionalInteger("\(stream)") ?? 0
      }
      summaries.append(
        EpochSummary(
          store: try fields.hexadecimal("store", digits: 16),
          epoch: try fields.integer("epoch"), last: last, clean: try fields.bool("clean")))
    }
    return summaries
  }

  private static func gap(_ event: JSONFields, store: UInt64) throws(PayloadError) -> GapDetail {
    GapDetail(
      stream: try stream(event), span: try span(event, store: store),
      count: try event.optionalInteger("count"), reason: try event.word("reason"),
      destinations: try destinations(event))
  }

  private static func stream(_ event: JSONFields) throws(PayloadError) -> StreamName {
    let name = try event.string("stream")
    guard let stream = StreamName.allCases.first(where: { "\($0)" == name }) else {
      throw event.error("stream", "\"data\" or \"events\" is expected, not \"\(name)\"")
    }
    return stream
  }

  /// By seqs where those are given, else by time. A gap that names no store speaks of its own.
  private static func span(_ event: JSONFields, store: UInt64) throws(PayloadError) -> GapSpan {
    if event.members["from-seq"] != nil {
      let from: UInt64 = try event.integer("from-seq")
      let to: UInt64 = try event.integer("to-seq")
      guard from <= to, from > 0, to < SeqSet.largest else {
        throw event.error("to-seq", "\(from)…\(to) is no range of seqs")
      }
      let named: UInt64 =
        event.members["store"] == nil ? store : try event.hexadecimal("store", digits: 16)
      return .batches(store: named, epoch: try event.integer("epoch"), from: from, to: to)
    }
    let from = try event.milliseconds("from")
    let to = try event.milliseconds("to")
    guard from <= to else { throw event.error("to", "\(to) is before from, \(from)") }
    return .time(from: from, to: to)
  }

  private static func destinations(_ event: JSONFields) throws(PayloadError) -> [String] {
    guard event.members["destinations"] != nil else { return [] }
    var names: [String] = []
    for name in try event.array("destinations") {
      guard case .string(let name) = name else {
        throw event.error("destinations", "names are expected, not \(name.kind)")
      }
      names.append(name)
    }
    return names
  }

  private static func clock(_ event: JSONFields) throws(PayloadError) -> ClockDetail {
    ClockDetail(
      from: try event.optionalString("from").flatMap(ClockState.init), to: try event.word("to"),
      boot: BootID(rawValue: try event.hexadecimal("boot", digits: 8)),
      offset: try event.milliseconds("offset"), step: try event.optionalInteger("step") ?? 0)
  }
}
