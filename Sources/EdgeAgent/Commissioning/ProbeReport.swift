internal import Drivers
internal import Telemetry

/// What a probe found, the same whether this program asked the devices or a running agent did.
struct ProbeReport: Equatable {
  struct Point: Equatable {
    var device: String
    var bus: String
    /// The device's unit on the bus.
    var unit: UInt8
    var name: String
    var table: ModbusTable
    /// The wire address.
    var address: UInt16
    /// The unit of measure.
    var measure: String?
    var location: String?
    /// The limits as the configuration prints them.
    var range: [String]?
    /// As they came; of a table of bits 0 or 1.
    var registers: [UInt16]?
    /// `good` or a reason.
    var quality: String
    /// As payloads print it.
    var value: JSONValue?
    /// What the value means, of a point that tells states apart.
    var meaning: String?
    /// What was read and is not trusted.
    var raw: JSONValue?
    /// What its transaction took; `nil` if it was not asked.
    var microseconds: Int64?
    /// What went wrong, in words.
    var problem: String?

    var isGood: Bool { quality == "good" }
  }

  struct Transaction: Equatable {
    var bus: String
    var traced: TracedTransaction
  }

  var points: [Point]
  /// Of GPIO lines and areas.
  var inputs: [Input] = []
  /// Empty unless the bytes were to be shown.
  var transactions: [Transaction]
  /// Whether more went over the wire than is kept.
  var isTraceCut: Bool

  var isGood: Bool { points.allSatisfy(\.isGood) && inputs.allSatisfy(\.isGood) }
}

extension ProbeReport {
  /// The report of probes that are done.
  init(_ probes: [(bus: ModbusBusDefinition, probe: BusProbe)]) {
    points = probes.flatMap { bus, probe in
      let devices = Dictionary(bus.devices.map { ($0.name, $0) }) { first, _ in first }
      return probe.readings.compactMap { reading in
        devices[reading.device].map { Point(reading, of: $0, on: bus.name) }
      }
    }
    transactions = probes.flatMap { bus, probe in
      probe.transactions.map { Transaction(bus: bus.name, traced: $0) }
    }
    isTraceCut = probes.contains { $0.probe.isTraceCut }
  }
}

extension ProbeReport.Point {
  fileprivate init(_ reading: BusProbe.Reading, of device: ModbusDevice, on bus: String) {
    let point = device.points[reading.point]
    let description = point.description
    self.device = device.name
    self.bus = bus
    unit = device.unit
    name = description.name
    table = point.table
    address = point.address
    measure = description.unit?.rawValue
    location = description.location
    range = description.range?.texts
    registers = reading.registers
    microseconds = reading.microseconds
    problem = reading.problem
    switch reading.outcome {
    case .good(let value):
      quality = "good"
      self.value = JSONValue(value)
      meaning = description.meaning(of: value)
    case .bad(let reason, let raw):
      quality = "\(reason)"
      self.raw = raw.map { JSONValue($0) }
    }
  }
}

extension JSONValue {
  /// A point's value as payloads carry it.
  init(_ value: Value) {
    var json = JSONWriter(capacity: 32)
    json.value(value)
    // What this writer wrote is JSON.
    self = (try? JSONParser.parse(json.bytes)) ?? .null
  }

  /// The text of a scalar; empty for anything else.
  var text: String {
    switch self {
    case .bool(let flag): "\(flag)"
    case .number(let text), .string(let text): text
    case .null, .array, .object: ""
    }
  }
}

extension ValueRange {
  /// Both limits as a technician writes them.
  var texts: [String] { [limitText(lower), limitText(upper)] }
}

/// A limit as a technician writes it: 4, not 4.0.
private func limitText(_ value: Double) -> String {
  guard let whole = Int64(exactly: value), whole.magnitude <= Value.largestExactInteger else {
    return value.description
  }
  return String(whole)
}
