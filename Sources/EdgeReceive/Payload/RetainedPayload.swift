import Telemetry

/// The retained `state` of a gateway.
struct GatewayState: Sendable, Hashable {
  var gateway: String
  /// The destination that this topic belongs to, such as `province`.
  var destination: String?
  var isOnline: Bool

  /// Decodes a payload of `state`.
  init(_ payload: [UInt8]) throws(PayloadError) {
    let fields = try JSONFields(BatchDecoder.json(payload))
    try BatchDecoder.checkVersion(fields)
    gateway = try fields.string("gateway")
    destination = try fields.optionalString("destination")
    let state = try fields.string("state")
    guard state == "online" || state == "offline" else {
      throw fields.error("state", "\"online\" or \"offline\" is expected, not \"\(state)\"")
    }
    isOnline = state == "online"
  }
}

/// What the retained `health` of a gateway says about completeness and faults.
struct GatewayHealth: Sendable, Hashable {
  /// The number of a batch within a stream of one store.
  struct Position: Sendable, Hashable {
    var epoch: UInt32
    var seq: UInt64
  }

  /// A stream's summary for this destination.
  struct Stream: Sendable, Hashable {
    var store: UInt64
    /// The newest batch there is; `nil` for an empty stream.
    var newest: Position?
    /// Batches that this destination has not acknowledged.
    var unsent: UInt64?
  }

  var gateway: String?
  var streams: [StreamName: Stream] = [:]
  /// Faults by name, in alphabetical order, such as `return-air: timeout`.
  var faults: [String]

  /// Decodes a payload of `health`.
  init(_ payload: [UInt8]) throws(PayloadError) {
    let fields = try JSONFields(BatchDecoder.json(payload))
    try BatchDecoder.checkVersion(fields)
    gateway = try fields.optionalString("gateway")
    let stated = try fields.fields("streams")
    for name in StreamName.allCases where stated.members["\(name)"] != nil {
      streams[name] = try Self.stream(stated.fields("\(name)"))
    }
    faults = Self.faults(fields.members["faults"])
  }

  private static func stream(_ fields: JSONFields) throws(PayloadError) -> Stream {
    var stream = Stream(store: try fields.hexadecimal("store", digits: 16))
    stream.unsent = try fields.optionalInteger("unsent")
    switch fields.members["newest"] {
    case nil, .null: break
    default:
      let newest = try fields.fields("newest")
      let seq: UInt64 = try newest.integer("seq")
      guard seq < SeqSet.largest else { throw newest.error("seq", "\(seq) is no seq") }
      // Of another store only while what an older one holds is being delivered.
      if newest.members["store"] != nil {
        stream.store = try newest.hexadecimal("store", digits: 16)
      }
      stream.newest = Position(epoch: try newest.integer("epoch"), seq: seq)
    }
    return stream
  }

  /// Only shown to humans, so any shape is taken: names, or names with words.
  private static func faults(_ value: JSONValue?) -> [String] {
    switch value {
    case .object(let members):
      members.map { "\($0.key): \($0.value.words)" }.sorted()
    case .array(let elements): elements.map(\.words).sorted()
    default: []
    }
  }
}

extension JSONValue {
  /// The value for a human.
  fileprivate var words: String {
    switch self {
    case .null: "-"
    case .bool(let flag): "\(flag)"
    case .number(let text), .string(let text): text
    case .array(let elements): elements.map(\.words).joined(separator: ", ")
    case .object(let members):
      members.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.words)" }
        .joined(separator: ", ")
    }
  }
}

/// What `points/<digest>` says of points, as far as a table shows it or an account needs it.
struct PointDefinitions: Sendable, Hashable {
  /// The unit of each point that has one.
  var units: [DevicePoint: String] = [:]
  /// When each point is reported that is not at every reading.
  var rules: [DevicePoint: ReportRule] = [:]

  /// Decodes a payload of `points/<digest>`.
  init(_ payload: [UInt8]) throws(PayloadError) {
    let fields = try JSONFields(BatchDecoder.json(payload))
    try BatchDecoder.checkVersion(fields)
    for device in try fields.objects("devices") {
      let name = try device.string("device")
      for point in try device.objects("points") {
        let key = DevicePoint(device: name, point: try point.string("point"))
        units[key] = try point.optionalString("unit")
        guard point.members["report"] != nil else { continue }
        let rule = try point.fields("report")
        rules[key] = ReportRule(
          deadband: try Self.number("deadband", of: rule),
          atLeastMilliseconds: try rule.milliseconds("at-least"))
      }
    }
  }

  private static func number(
    _ name: String, of fields: JSONFields
  ) throws(PayloadError) -> Double? {
    guard let value = fields.members[name] else { return nil }
    guard case .number(let text) = value, let number = Double(text) else {
      throw fields.error(name, "a number is expected, not \(value.kind)")
    }
    return number
  }
}
