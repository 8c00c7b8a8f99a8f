internal import Telemetry

/// The answer to `status`, as whoever asked understands it. Times are Unix milliseconds, ages and
/// spans milliseconds; members that a later agent adds are passed over.
struct StatusReport: Equatable {
  struct Fault: Equatable {
    var part: String
    var word: String
    var since: Int64
  }

  struct Part: Equatable {
    var name: String
    /// `nil` while it does its work.
    var fault: String?
    var since: Int64
  }

  struct Bus: Equatable {
    var part: Part
    var isConnected: Bool
    var requests: Int
    var timeouts: Int
    var badAnswers: Int
    var wrongChecksums: Int
    var lateAnswers: Int
    var connects: Int
    /// Of its time in transactions during the last minute, in percent as it was printed.
    var use: String?
    var units: [Unit]
  }

  struct Device: Equatable {
    var part: Part
    var bus: String
    /// Of its newest good value.
    var age: Int64?
  }

  struct Destination: Equatable {
    var part: Part
    var isConnected: Bool
    /// Batches, by stream.
    var unsent: [StreamName: Int]
    /// Bytes a second; `nil` for unlimited.
    var historyRate: Int64?
    /// Percent.
    var historyShare: Int?
  }

  /// What the board knows of the time besides `clock`.
  struct Time: Equatable {
    /// Names of clocks that go on without power; `nil` where the agent does not say.
    var realTimeClocks: [String]?
    /// By how much the wall clock was set the last time, and how long ago.
    var lastStep: Int64?
    var lastStepAge: Int64?
  }

  /// A destination that is not configured any more and holds data for a while.
  struct Removed: Equatable {
    var name: String
    var remaining: Int64
    /// Batches, by stream.
    var unsent: [StreamName: Int]
  }

  struct Stream: Equatable {
    var name: StreamName
    var bytes: Int64
    var cap: Int64
    /// Epoch and seq of the newest batch.
    var newest: String?
  }

  struct Store: Equatable {
    var id: String
    var epoch: UInt32
    var directory: String
    var isDurable: Bool
    var fault: String?
    var since: Int64
    var streams: [Stream]
  }

  struct Point: Equatable {
    var device: String
    var name: String
    var unit: String?
    /// `good`, a reason, or `nil` for a point that was not due yet.
    var quality: String?
    /// As it was printed.
    var value: String?
    /// What the value means, of a point that tells states apart.
    var meaning: String?
    /// What was read and is not trusted.
    var raw: String?
    var age: Int64?
  }

  var gateway: String
  var gatewayName: String?
  var agent: String
  var process: Int
  var time: Int64
  var clock: String
  var timeState: Time
  var uptime: Int64
  var isHealthy: Bool
  var faults: [Fault]
  var buses: [Bus]
  var devices: [Device]
  var inputLines: [Line] = []
  var areas: [AreaPart] = []
  var destinations: [Destination]
  var removed: [Removed]
  var store: Store
  var points: [Point]
}

extension StatusReport {
  /// Reads an answer line.
  /// - Throws: what is wrong with it, or what the agent says is wrong with the request.
  init(_ line: [UInt8]) throws(PayloadError) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONParser.parse(line)
    } catch {
      throw PayloadError(path: "", problem: "the answer is no JSON: \(error)")
    }
    let answer = try JSONFields(value)
    let version: Int = try answer.integer("v")
    guard version == ControlProtocol.version else {
      throw PayloadError(
        path: "v",
        problem: "the agent speaks version \(version), this program \(ControlProtocol.version)")
    }
    if let error = try answer.optionalString("error") {
      throw PayloadError(path: error, problem: try answer.optionalString("text") ?? "")
    }
    let gateway = try answer.fields("gateway")
    self.gateway = try gateway.string("id")
    gatewayName = try gateway.optionalString("name")
    agent = try answer.string("agent")
    process = try answer.integer("process")
    time = try answer.milliseconds("time")
    clock = try answer.string("clock")
    timeState = try Time(answer.optionalFields("time-state"))
    uptime = try answer.milliseconds("uptime")
    isHealthy = try answer.bool("healthy")
    faults = try Self.all(answer, "faults", Fault.init)
    buses = try Self.all(answer, "buses", Bus.init)
    devices = try Self.all(answer, "devices", Device.init)
    // An agent of before does not know them.
    if answer.members["lines"] != nil {
      inputLines = try Self.all(answer, "lines", Line.init)
    }
    if answer.members["areas"] != nil {
      areas = try Self.all(answer, "areas", AreaPart.init)
    }
    destinations = try Self.all(answer, "destinations", Destination.init)
    removed =
      answer.members["removed-destinations"] == nil
      ? [] : try Self.all(answer, "removed-destinations", Removed.init)
    store = try Store(answer.fields("store"))
    points = try Self.all(answer, "points", Point.init)
  }

  private static func all<Element>(
    _ fields: JSONFields, _ name: String, _ make: (JSONFields) throws(PayloadError) -> Element
  ) throws(PayloadError) -> [Element] {
    var elements: [Element] = []
    for object in try fields.objects(name) { elements.append(try make(object)) }
    return elements
  }
}

extension StatusReport.Fault {
  init(_ fields: JSONFields) throws(PayloadError) {
    part = try fields.string("part")
    word = try fields.string("fault")
    since = try fields.milliseconds("since")
  }
}

extension StatusReport.Part {
  init(_ fields: JSONFields) throws(PayloadError) {
    name = try fields.string("name")
    fault = try fields.optionalString("fault")
    since = try fields.milliseconds("since")
  }
}

extension StatusReport.Bus {
  init(_ fields: JSONFields) throws(PayloadError) {
    part = try StatusReport.Part(fields)
    isConnected = try fields.bool("connected")
    let counters = try fields.fields("counters")
    requests = try counters.integer("requests")
    timeouts = try counters.integer("timeouts")
    badAnswers = try counters.integer("bad-answers")
    wrongChecksums = try counters.integer("wrong-checksums")
    lateAnswers = try counters.integer("late-answers")
    connects = try counters.integer("connects")
    if case .number(let text)? = fields.members["use"] { use = text }
    units = []
    guard fields.members["units"] != nil else { return }
    for object in try fields.objects("units") { units.append(try StatusReport.Unit(object)) }
  }
}

extension StatusReport.Device {
  init(_ fields: JSONFields) throws(PayloadError) {
    part = try StatusReport.Part(fields)
    bus = try fields.string("bus")
    age = try fields.optionalInteger("age")
  }
}

extension StatusReport.Destination {
  init(_ fields: JSONFields) throws(PayloadError) {
    part = try StatusReport.Part(fields)
    isConnected = try fields.bool("connected")
    let counts = try fields.fields("unsent")
    unsent = [:]
    for stream in StreamName.allCases { unsent[stream] = try counts.integer("\(stream)", Int.self) }
    let history = try fields.optionalFields("history")
    historyRate = try history.optionalInteger("rate")
    historyShare = try history.optionalInteger("share")
  }
}

extension StatusReport.Time {
  init(_ fields: JSONFields) throws(PayloadError) {
    if fields.members["real-time-clocks"] != nil {
      var names: [String] = []
      for value in try fields.array("real-time-clocks") {
        guard case .string(let name) = value else {
          throw fields.error("real-time-clocks", "names are expected, not \(value.kind)")
        }
        names.append(name)
      }
      realTimeClocks = names
    }
    let step = try fields.optionalFields("last-step")
    lastStep = try step.optionalInteger("milliseconds")
    lastStepAge = try step.optionalInteger("age")
  }
}

extension StatusReport.Removed {
  init(_ fields: JSONFields) throws(PayloadError) {
    name = try fields.string("name")
    remaining = try fields.milliseconds("remaining")
    let counts = try fields.fields("unsent")
    unsent = [:]
    for stream in StreamName.allCases { unsent[stream] = try counts.integer("\(stream)", Int.self) }
  }
}

extension StatusReport.Store {
  init(_ fields: JSONFields) throws(PayloadError) {
    id = try fields.string("id")
    epoch = try fields.integer("epoch")
    directory = try fields.string("directory")
    isDurable = try fields.bool("durable")
    fault = try fields.optionalString("fault")
    since = try fields.milliseconds("since")
    let all = try fields.fields("streams")
    streams = []
    for stream in StreamName.allCases {
      let counts = try all.fields("\(stream)")
      let newest = try counts.optionalFields("newest")
      let epoch: UInt32? = try newest.optionalInteger("epoch")
      let seq: UInt64? = try newest.optionalInteger("seq")
      let name = epoch.flatMap { epoch in seq.map { "\(epoch)/\($0)" } }
      streams.append(
        StatusReport.Stream(
          name: stream, bytes: try counts.integer("bytes"), cap: try counts.integer("cap"),
          newest: name))
    }
  }
}

extension StatusReport.Point {
  init(_ fields: JSONFields) throws(PayloadError) {
    device = try fields.string("device")
    name = try fields.string("point")
    unit = try fields.optionalString("unit")
    quality = try fields.optionalString("quality")
    value = fields.members["value"].flatMap(Self.text)
    meaning = try fields.optionalString("means")
    raw = fields.members["raw"].flatMap(Self.text)
    age = try fields.optionalInteger("age")
  }

  private static func text(_ value: JSONValue) -> String? {
    switch value {
    case .bool(let flag): "\(flag)"
    case .number(let text), .string(let text): text
    case .null, .array, .object: nil
    }
  }
}
