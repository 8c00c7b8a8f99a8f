public import Telemetry

/// The four address spaces of Modbus, by the contract's table keys.
public enum ModbusTable: String, Sendable, Hashable, CaseIterable {
  case coil
  case discrete
  case input
  case holding

  /// Whether an address holds one bit; else it holds 16.
  public var holdsBits: Bool { self == .coil || self == .discrete }
}

/// An exact decimal number of the configuration, `mantissa × 10^-decimals`.
public struct DecimalNumber: Sendable, Hashable {
  /// The digits as one integer.
  public var mantissa: Int64
  /// How many of the digits stand behind the decimal point.
  public var decimals: UInt8

  /// Makes a number of its parts.
  public init(mantissa: Int64, decimals: UInt8) {
    self.mantissa = mantissa
    self.decimals = decimals
  }
}

/// One point of a Modbus device: where it stands and how it is read. Value = register × scale +
/// offset.
public struct ModbusPoint: Sendable, Hashable {
  /// The point's name, its unit of measure, range and location.
  public var description: PointDescription
  /// The table it stands in.
  public var table: ModbusTable
  /// The 0-based wire address of its first register or bit.
  public var address: UInt16
  /// How the registers are read.
  public var type: RegisterType
  /// Order of bytes and words.
  public var order: ByteOrder
  /// `nil`: 1.
  public var scale: DecimalNumber?
  /// `nil`: 0.
  public var offset: DecimalNumber?
  /// Milliseconds between readings.
  public var everyMilliseconds: Int64
  /// Which bits of an unsigned type are the value, 0 the least significant; `nil`: all.
  public var bits: ClosedRange<UInt8>?
  /// What the registers hold in place of a value; see `RegisterType.pattern(of:)`.
  public var special: SpecialPatterns
  /// Whether no other point's address is asked in its request.
  public var isAlone: Bool
  /// Whether it is asked before points that are not.
  public var isSafety: Bool

  /// Makes a point.
  public init(
    description: PointDescription, table: ModbusTable, address: UInt16, type: RegisterType,
    order: ByteOrder = .abcd, scale: DecimalNumber? = nil, offset: DecimalNumber? = nil,
    everyMilliseconds: Int64, bits: ClosedRange<UInt8>? = nil,
    special: SpecialPatterns = SpecialPatterns(), isAlone: Bool = false, isSafety: Bool = false
  ) {
    self.description = description
    self.table = table
    self.address = address
    self.type = type
    self.order = order
    self.scale = scale
    self.offset = offset
    self.everyMilliseconds = everyMilliseconds
    self.bits = bits
    self.special = special
    self.isAlone = isAlone
    self.isSafety = isSafety
  }
}

/// A Modbus device: a unit on a bus, with points.
public struct ModbusDevice: Sendable, Hashable {
  /// The device's configured name.
  public var name: String
  /// The unit (slave address), 1…247.
  public var unit: UInt8
  /// Its points, in the configuration's order; samples index them so.
  public var points: [ModbusPoint]
  /// Registers that one request to it may read, 1…125; at least as many as its widest point has.
  public var maximumRegisters: Int
  /// Bits that one request to it may read, 1…2000.
  public var maximumBits: Int
  /// Milliseconds that the unit may need before it begins to answer, beyond the bus's time-out.
  public var turnaroundMilliseconds: Int64
  /// The least silence on the bus before a request to the unit and behind its answer, in
  /// milliseconds.
  public var pauseMilliseconds: Int64

  /// Makes a device.
  public init(
    name: String, unit: UInt8, points: [ModbusPoint],
    maximumRegisters: Int = RequestLimits.registers.upperBound,
    maximumBits: Int = RequestLimits.bits.upperBound, turnaroundMilliseconds: Int64 = 0,
    pauseMilliseconds: Int64 = 0
  ) {
    self.name = name
    self.unit = unit
    self.points = points
    self.maximumRegisters = maximumRegisters
    self.maximumBits = maximumBits
    self.turnaroundMilliseconds = turnaroundMilliseconds
    self.pauseMilliseconds = pauseMilliseconds
  }
}

/// How a bus is reached.
public enum ModbusEndpoint: Sendable, Hashable {
  /// Modbus TCP; `host` is a name or an address.
  case tcp(host: String, port: UInt16)
  /// Modbus RTU on a serial port.
  case rtu(SerialLine)
  /// Modbus RTU through a serial server in transparent mode.
  case rtuOverTCP(RTUOverTCP)

  /// Whether messages are framed as on a serial line, with a checksum and without numbers.
  public var framesAsRTU: Bool {
    if case .tcp = self { false } else { true }
  }

  /// Whether what is sent comes back before the answer, as configured.
  var echoes: Bool {
    switch self {
    case .tcp: false
    case .rtu(let line): line.echoes
    case .rtuOverTCP(let server): server.echoes
    }
  }

  /// The serial line as far as its speed is known; `nil` for a bus over TCP.
  public var line: SerialLine? {
    switch self {
    case .tcp: nil
    case .rtu(let line): line
    case .rtuOverTCP(let server): server.line
    }
  }
}

/// A serial server in transparent mode: it passes the bytes of Modbus RTU on as they are.
public struct RTUOverTCP: Sendable, Hashable {
  /// A name or an address.
  public var host: String
  /// Its TCP port.
  public var port: UInt16
  /// The speed that the server's port is set to, if it was told: what an answer takes there is then
  /// not of the time-out, and silences are kept.
  public var baud: Int?
  /// Whether what is sent comes back before the answer.
  public var echoes: Bool

  /// Makes one.
  public init(host: String, port: UInt16, baud: Int? = nil, echoes: Bool = false) {
    self.host = host
    self.port = port
    self.baud = baud
    self.echoes = echoes
  }

  /// The server's port, reckoned with the specification's 11 bits a character.
  public var line: SerialLine? { baud.map { SerialLine(path: "\(host):\(port)", baud: $0) } }
}

/// A bus with its devices, as configured.
public struct ModbusBusDefinition: Sendable, Hashable {
  /// The bus's configured name.
  public var name: String
  /// How it is reached.
  public var endpoint: ModbusEndpoint
  /// How long an answer may take, in milliseconds, from the end of the request; on a serial line
  /// the time until it begins, because the line's speed tells how long it lasts.
  public var timeoutMilliseconds: Int64
  /// The devices on it.
  public var devices: [ModbusDevice]
  /// How the connection and the units are treated.
  public var manners: BusManners

  /// Makes a bus.
  public init(
    name: String, endpoint: ModbusEndpoint, timeoutMilliseconds: Int64, devices: [ModbusDevice],
    manners: BusManners = BusManners()
  ) {
    self.name = name
    self.endpoint = endpoint
    self.timeoutMilliseconds = timeoutMilliseconds
    self.devices = devices
    self.manners = manners
  }
}
