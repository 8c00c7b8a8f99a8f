internal import Drivers
internal import Telemetry

extension ProbeReport {
  /// Writes the members of an object.
  /// - Parameter more: Writes more members of the point.
  func writeMembers(
    into json: inout JSONWriter,
    _ more: (_ device: String, _ point: String, inout JSONWriter) -> Void = { _, _, _ in }
  ) {
    json.key("points")
    json.beginArray()
    for point in points {
      json.beginObject()
      point.writeMembers(into: &json)
      more(point.device, point.name, &json)
      json.endObject()
    }
    json.endArray()
    if !inputs.isEmpty {
      json.key("inputs")
      json.beginArray()
      for input in inputs {
        json.beginObject()
        input.writeMembers(into: &json)
        more(input.device, input.name, &json)
        json.endObject()
      }
      json.endArray()
    }
    guard !transactions.isEmpty else { return }
    json.key("transactions")
    json.beginArray()
    for transaction in transactions {
      json.beginObject()
      json.member("bus", transaction.bus)
      transaction.traced.writeMembers(into: &json)
      json.endObject()
    }
    json.endArray()
    json.member("trace-cut", isTraceCut)
  }

  /// Reads what `writeMembers` wrote.
  init(_ fields: JSONFields) throws(PayloadError) {
    points = []
    for object in try fields.objects("points") { points.append(try Point(object)) }
    inputs = []
    if fields.members["inputs"] != nil {
      for object in try fields.objects("inputs") { inputs.append(try Input(object)) }
    }
    transactions = []
    isTraceCut = false
    guard fields.members["transactions"] != nil else { return }
    for object in try fields.objects("transactions") {
      transactions.append(
        Transaction(bus: try object.string("bus"), traced: try TracedTransaction(object)))
    }
    isTraceCut = try fields.bool("trace-cut")
  }
}

extension ProbeReport.Point {
  fileprivate func writeMembers(into json: inout JSONWriter) {
    json.member("device", device)
    json.member("point", name)
    json.key("modbus")
    json.beginObject()
    json.member("bus", bus)
    json.member("unit", unit)
    json.member("table", table.rawValue)
    json.member("address", address)
    json.endObject()
    if let measure { json.member("unit", measure) }
    if let location { json.member("location", location) }
    if let range {
      json.key("range")
      json.beginArray()
      for limit in range { json.raw(limit.utf8) }
      json.endArray()
    }
    if let registers {
      json.key("registers")
      json.beginArray()
      for register in registers { json.string(registerText(register, in: table)) }
      json.endArray()
    }
    json.member("quality", quality)
    if let value { json.member("value", scalar: value) }
    if let meaning { json.member("means", meaning) }
    if let raw { json.member("raw", scalar: raw) }
    if let microseconds { json.member("microseconds", microseconds) }
    if let problem { json.member("problem", problem) }
  }

  fileprivate init(_ fields: JSONFields) throws(PayloadError) {
    device = try fields.string("device")
    name = try fields.string("point")
    let modbus = try fields.fields("modbus")
    bus = try modbus.string("bus")
    unit = try modbus.integer("unit")
    table = try modbus.word("table")
    address = try modbus.integer("address")
    measure = try fields.optionalString("unit")
    location = try fields.optionalString("location")
    range = fields.members["range"] == nil ? nil : try fields.array("range").map(\.text)
    registers = nil
    if fields.members["registers"] != nil {
      registers = try fields.array("registers").map { UInt16($0.text, radix: 16) ?? 0 }
    }
    quality = try fields.string("quality")
    value = fields.members["value"]
    meaning = try fields.optionalString("means")
    raw = fields.members["raw"]
    microseconds = try fields.optionalInteger("microseconds")
    problem = try fields.optionalString("problem")
  }
}

extension TracedTransaction {
  func writeMembers(into json: inout JSONWriter) {
    json.member("unit", unit)
    json.member("table", table.rawValue)
    json.member("address", address)
    json.member("count", count)
    json.member("microseconds", microseconds)
    json.member("outcome", outcome)
    json.key("events")
    json.beginArray()
    for event in events {
      json.beginObject()
      json.member("microseconds", event.microseconds)
      json.member("kind", event.kind.rawValue)
      json.member("bytes", hexText(event.bytes))
      json.endObject()
    }
    json.endArray()
  }

  init(_ fields: JSONFields) throws(PayloadError) {
    var events: [TraceEvent] = []
    for object in try fields.objects("events") {
      let bytes = try object.string("bytes").split(separator: " ")
      events.append(
        TraceEvent(
          kind: try object.word("kind"), microseconds: try object.integer("microseconds"),
          bytes: bytes.map { UInt8($0, radix: 16) ?? 0 }))
    }
    self.init(
      unit: try fields.integer("unit"), table: try fields.word("table"),
      address: try fields.integer("address"), count: try fields.integer("count"),
      microseconds: try fields.integer("microseconds"), outcome: try fields.string("outcome"),
      events: events)
  }
}

extension JSONWriter {
  /// Writes a member that is a scalar, as it was printed.
  mutating func member(_ name: String, scalar: JSONValue) {
    key(name)
    switch scalar {
    case .bool(let flag): bool(flag)
    case .number(let text): raw(text.utf8)
    case .string(let text): string(text)
    case .null, .array, .object: null()
    }
  }
}

/// Four hexadecimal digits, or a bit.
func registerText(_ register: UInt16, in table: ModbusTable) -> String {
  table.holdsBits ? String(register) : hexadecimal(UInt64(register), digits: 4).uppercased()
}

/// Bytes as they are written in manuals: `01 03 00 0A`.
func hexText(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { hexadecimal(UInt64($0), digits: 2).uppercased() }.joined(separator: " ")
}
