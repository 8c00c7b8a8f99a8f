/// Why a slave refuses a request (Modbus Application Protocol V1.1b3, section 7), or pretends to.
struct ModbusException: Error, Sendable, Hashable {
  /// 1…11 in the specification.
  var code: UInt8

  static let illegalFunction = ModbusException(code: 1)
  static let illegalAddress = ModbusException(code: 2)
  static let illegalValue = ModbusException(code: 3)

  /// The exception as an answer to a request of `function`.
  func answer(to function: UInt8) -> [UInt8] { [function | 0x80, code] }
}

/// One of the four reading requests: a run of addresses of one table.
struct ReadRequest: Sendable, Hashable {
  var table: ModbusTable
  /// 0-based wire address of the first.
  var start: Int
  /// How many registers or bits.
  var count: Int

  /// What fits into an answer of 253 bytes, as the specification rounds it.
  static let registersMax = 125
  static let bitsMax = 2000

  /// The addresses asked for.
  var addresses: Range<Int> { start..<start + count }

  /// Reads a request of its protocol data unit (function code and data). The checks come in the
  /// order of the specification's state diagrams: function, quantity; the address is the slave's.
  init(pdu: some Collection<UInt8>) throws(ModbusException) {
    let bytes = Array(pdu)
    guard let function = bytes.first, let table = Self.table(function) else {
      throw .illegalFunction
    }
    guard bytes.count == 5 else { throw .illegalValue }
    start = Int(bytes[1]) << 8 | Int(bytes[2])
    count = Int(bytes[3]) << 8 | Int(bytes[4])
    self.table = table
    guard (1...(table.holdsBits ? Self.bitsMax : Self.registersMax)).contains(count) else {
      throw .illegalValue
    }
  }

  private static func table(_ function: UInt8) -> ModbusTable? {
    switch function {
    case 1: .coil
    case 2: .discrete
    case 3: .holding
    case 4: .input
    default: nil
    }
  }

  /// The function code that asks for the table.
  var function: UInt8 {
    switch table {
    case .coil: 1
    case .discrete: 2
    case .holding: 3
    case .input: 4
    }
  }
}
