import Drivers
import Telemetry

/// A point with what a test does not care about filled in.
func point(
  _ name: String, _ table: ModbusTable, _ address: UInt16,
  _ type: RegisterType = .uint16, order: ByteOrder = .abcd, scale: DecimalNumber? = nil,
  offset: DecimalNumber? = nil, range: ValueRange? = nil, every: Int64 = 1000
) -> ModbusPoint {
  ModbusPoint(
    description: PointDescription(name: name, type: "\(type)", range: range), table: table,
    address: address, type: type, order: order, scale: scale, offset: offset,
    everyMilliseconds: every)
}

/// A point in the holding registers.
func point(
  _ address: UInt16, _ type: RegisterType = .uint16, _ order: ByteOrder = .abcd,
  every: Int64 = 1000
) -> ModbusPoint {
  point("p", .holding, address, type, order: order, every: every)
}

/// A device with one holding register.
func device(
  _ name: String, unit: UInt8, points: [ModbusPoint] = [point(0)]
) -> ModbusDevice {
  ModbusDevice(name: name, unit: unit, points: points)
}

/// A bus on the loopback interface.
func bus(
  port: UInt16 = 502, host: String = "127.0.0.1", timeout: Int64 = 1000, _ devices: ModbusDevice...
) -> ModbusBusDefinition {
  ModbusBusDefinition(
    name: "station", endpoint: .tcp(host: host, port: port), timeoutMilliseconds: timeout,
    devices: devices)
}
