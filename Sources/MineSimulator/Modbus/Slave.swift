internal import Telemetry

/// A point as the slave plays it: where it stands and what it measures.
struct SimulatedPoint: Sendable, Hashable {
  var name: String
  var table: ModbusTable
  /// 0-based wire address of its first register or bit.
  var address: UInt16
  var type: RegisterType
  var order: ByteOrder
  /// Measured value = register × scale; only for integers of up to 32 bits.
  var scale: DecimalNumber?
  /// What it measures; without meaning for a text.
  var signal: Signal
  /// What a string holds.
  var text: SimulatedText?

  /// How many addresses it takes.
  var addressCount: Int { text?.registers ?? type.addressCount }

  /// The addresses it takes, which may end beyond the table only in a scenario that was refused.
  var addresses: Range<Int> { Int(address)..<Int(address) + addressCount }
}

/// A text and the registers that it has room in.
struct SimulatedText: Sendable, Hashable {
  var text: String
  var registers: Int
}

/// What a point measured; `point` is its index in its device.
struct PointValue: Sendable, Hashable {
  var point: Int
  var value: Value
}

/// A Modbus slave without a wire: takes a request's protocol data unit and the time, and says what
/// the answer is. Framing, delays and faults are around it.
struct Slave: Sendable {
  /// Where it stands in the scenario's list of devices.
  let device: Int
  let points: [SimulatedPoint]
  private let noise: [Noise]
  /// For each table the first address that does not exist.
  private let ends: [ModbusTable: Int]

  /// Real devices answer a little beyond their last documented register.
  static let slackAddresses = 16

  init(device: Int, name: String, points: [SimulatedPoint], seed: UInt64) {
    self.device = device
    self.points = points
    noise = points.map { Noise(seed: seed, device: name, point: $0.name) }
    ends = Dictionary(grouping: points, by: \.table).mapValues { points in
      let end = points.map(\.addresses.upperBound).max() ?? 0
      return min(end + Self.slackAddresses, 1 << 16)
    }
  }

  /// A good answer: its protocol data unit, and the values of the points that it carries whole.
  struct Answer: Sendable, Hashable {
    var pdu: [UInt8]
    var values: [PointValue]
  }

  /// Answers a request `milliseconds` after the simulation's start. Each point that the request
  /// touches is measured once; addresses between points read 0.
  func answer(pdu: some Collection<UInt8>, at milliseconds: Int64) throws(ModbusException) -> Answer
  {
    let request = try ReadRequest(pdu: pdu)
    guard let end = ends[request.table], request.addresses.upperBound <= end else {
      throw .illegalAddress
    }
    var cells = [UInt16](repeating: 0, count: request.count)
    var values: [PointValue] = []
    for (index, point) in points.enumerated() where point.table == request.table {
      let wanted = point.addresses.clamped(to: request.addresses)
      guard !wanted.isEmpty else { continue }
      let reading = reading(of: index, at: milliseconds)
      for address in wanted {
        cells[address - request.start] = reading.words[address - Int(point.address)]
      }
      if wanted == point.addresses { values.append(PointValue(point: index, value: reading.value)) }
    }
    return Answer(pdu: Self.encode(cells, request), values: values)
  }

  /// What a point measures at a moment.
  func reading(of index: Int, at milliseconds: Int64) -> Reading {
    let point = points[index]
    if let text = point.text {
      return Reading(text: text.text, registers: text.registers, order: point.order)
    }
    let level = point.signal.value(at: milliseconds, noise: noise[index])
    return Reading(level: level, type: point.type, order: point.order, scale: point.scale)
  }

  private static func encode(_ cells: [UInt16], _ request: ReadRequest) -> [UInt8] {
    var data: [UInt8]
    if request.table.holdsBits {
      data = [UInt8](repeating: 0, count: (cells.count + 7) / 8)
      for (index, cell) in cells.enumerated() where cell != 0 {
        data[index / 8] |= 1 << UInt8(index % 8)
      }
    } else {
      data = cells.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
    }
    return [request.function, UInt8(data.count)] + data
  }
}
