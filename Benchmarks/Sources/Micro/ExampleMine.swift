internal import Buffering
internal import Drivers
internal import Telemetry

/// What the benchmarks poll, store and publish: 16 stations of 16 points each, on one bus.
enum ExampleMine {
  static let stations = 16
  static let pointsPerStation = 16
  static let every: Int64 = 1000

  /// A moment of a synchronised clock.
  static let start = Timestamp(
    monotonic: 1_000_000, offset: 1_760_000_000_000, clock: .synced)

  static let bus = ModbusBusDefinition(
    name: "shaft", endpoint: .tcp(host: "192.0.2.1", port: 502), timeoutMilliseconds: 1000,
    devices: (1...stations).map(device))

  /// Ten gas and air readings as floats, four scaled integers, two contacts, without holes.
  private static func device(_ number: Int) -> ModbusDevice {
    var address: UInt16 = 0
    let points = (0..<pointsPerStation).map { index -> ModbusPoint in
      let (name, type) = kind(index)
      defer { address += UInt16(type.addressCount) }
      return ModbusPoint(
        description: PointDescription(
          name: name, type: "\(type)", range: ValueRange(lower: -50, upper: 5000)),
        table: .input, address: address, type: type,
        scale: type == .int16 ? DecimalNumber(mantissa: 1, decimals: 1) : nil,
        everyMilliseconds: every)
    }
    return ModbusDevice(name: "station-\(number)", unit: UInt8(number), points: points)
  }

  private static func kind(_ index: Int) -> (name: String, type: RegisterType) {
    switch index {
    case 0..<10: ("methane-\(index)", .float32)
    case 10..<14: ("pressure-\(index)", .int16)
    default: ("door-\(index)", .bit(0))
    }
  }

  /// Registers of a station that reads differently each time: what a value costs to print depends
  /// on its digits, so they come again after 16 readings.
  static func registers(reading: Int) -> [UInt16] {
    (0..<pointsPerStation).flatMap { index -> [UInt16] in
      switch kind(index).type {
      case .float32:
        let value = Float(20 + index) + Float(reading % 16) / 10
        return [UInt16(value.bitPattern >> 16), UInt16(value.bitPattern & 0xFFFF)]
      case .int16: return [UInt16(1000 + index * 10 + reading % 8)]
      default: return [UInt16(reading & 1)]
      }
    }
  }

  /// The answer of a station as it comes over the wire.
  static func answer(to request: [UInt8], _ registers: [UInt16]) -> [UInt8] {
    let data = registers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    let length = UInt16(3 + data.count)
    return Array(request[..<4]) + [UInt8(length >> 8), UInt8(length & 0xFF)]
      + Array(request[6..<8]) + [UInt8(data.count)] + data
  }

  /// A sample of each station, as polling makes them.
  static let samples: [DefinedSample] = {
    let sink = LastSample()
    var polling = ModbusRehearsal(bus, at: start)
    return (0..<stations).compactMap { station in
      guard let request = polling.nextRequest(at: start) else { return nil }
      polling.take(registers(reading: station), for: request, at: start, into: sink)
      return sink.sample.map { DefinedSample($0, definitions: 1) }
    }
  }()
}

/// Keeps what polling made last.
final class LastSample: SampleSink {
  // The benchmarks have one thread.
  nonisolated(unsafe) private(set) var sample: Sample?

  func accept(_ sample: Sample) { self.sample = sample }
  func accept(_ event: Event) {}
}
