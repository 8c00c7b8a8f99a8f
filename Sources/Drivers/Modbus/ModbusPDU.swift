/// A read request as the protocol has it, without unit and framing.
struct ReadRequest: Sendable, Hashable {
  /// The table that is read.
  var table: ModbusTable
  /// The first wire address.
  var address: UInt16
  /// How many registers or bits, from 1 to the table's limit.
  var count: Int
}

/// What a unit answered.
enum ReadAnswer: Sendable, Hashable {
  /// One word an address: a register, or a bit as 0 or 1.
  case values([UInt16])
  /// The unit declines, with a code of section 7 of the specification.
  case exception(UInt8)
}

extension ReadAnswer {
  /// How long after its deadline an answer may be read. Beyond it the process has stood still, and
  /// nobody knows when the answer came: its values would bear a wrong time.
  static let standstill: Duration = .seconds(1)
}

extension ContinuousClock.Instant {
  /// Whether the process stood still since: asked behind the reading of the clock that is to date
  /// an answer, because it may have stood still between the two.
  var hasStoodStill: Bool { self + ReadAnswer.standstill < .now }
}

/// An answer that can't be the one to the request.
enum AnswerError: Error, Hashable {
  case wrongTransaction(found: UInt16, expected: UInt16)
  case wrongProtocol(found: UInt16)
  case impossibleLength(found: Int, expected: ClosedRange<Int>)
  case wrongUnit(found: UInt8, expected: UInt8)
  case wrongFunction(found: UInt8, expected: UInt8)
  /// Bytes behind the function code.
  case wrongLength(found: Int, expected: Int)
  /// What came back first on a line that echoes is not what was sent.
  case wrongEcho
  /// Bytes came without a pause, so that nothing could be asked.
  case neverSilent

  /// Whether what follows on the connection can't be told apart any more.
  var losesFraming: Bool {
    switch self {
    case .wrongProtocol, .impossibleLength: true
    case .wrongTransaction, .wrongUnit, .wrongFunction, .wrongLength, .wrongEcho, .neverSilent:
      false
    }
  }
}

extension AnswerError: CustomStringConvertible {
  private func bytes(_ count: Int) -> String { "\(count) \(count == 1 ? "byte" : "bytes")" }

  /// What was found and what was expected.
  var description: String {
    switch self {
    case .wrongTransaction(let found, let expected):
      "answer of transaction \(found); expected \(expected)"
    case .wrongProtocol(let found):
      "answer of protocol \(found); expected 0 (Modbus)"
    case .impossibleLength(let found, let expected):
      "answer of \(bytes(found)) behind the header's length; expected "
        + "\(expected.lowerBound) to \(expected.upperBound)"
    case .wrongUnit(let found, let expected):
      "answer of unit \(found); expected \(expected)"
    case .wrongFunction(let found, let expected):
      "answer to function \(found); expected \(expected)"
    case .wrongLength(let found, let expected):
      "answer with \(bytes(found)) of data; expected \(expected)"
    case .wrongEcho:
      "the request did not come back as it was sent; expected its echo (echo: true)"
    case .neverSilent:
      "the line is never silent; expected 3.5 characters of silence before a request"
    }
  }
}

extension ReadRequest {
  /// Set in an exception answer's function code (section 7).
  static let exceptionFlag: UInt8 = 0x80

  /// The function code of an exception answer.
  var exceptionFunction: UInt8 { table.readFunction | Self.exceptionFlag }

  /// Function code, address and count (sections 6.1 to 6.4).
  var pdu: [UInt8] {
    let count = UInt16(count)
    return [
      table.readFunction, UInt8(address >> 8), UInt8(address & 0xFF), UInt8(count >> 8),
      UInt8(count & 0xFF),
    ]
  }

  /// Bytes of data in a good answer.
  var dataLength: Int { table.dataLength(of: count) }

  /// Reads an answer's function code and data.
  func answer(from pdu: [UInt8]) throws(AnswerError) -> ReadAnswer {
    let function = pdu.first ?? 0
    if function == exceptionFunction {
      guard pdu.count == 2 else { throw .wrongLength(found: pdu.count - 1, expected: 1) }
      return .exception(pdu[1])
    }
    guard function == table.readFunction else {
      throw .wrongFunction(found: function, expected: table.readFunction)
    }
    // Both the count that the slave states and the bytes that came have to be right.
    guard pdu.count == dataLength + 2, Int(pdu[1]) == dataLength else {
      throw .wrongLength(found: max(0, pdu.count - 2), expected: dataLength)
    }
    return .values(table.holdsBits ? bits(pdu.dropFirst(2)) : registers(pdu.dropFirst(2)))
  }

  private func registers(_ data: ArraySlice<UInt8>) -> [UInt16] {
    (0..<count).map { index in
      let high = data.startIndex + index * 2
      return UInt16(data[high]) << 8 | UInt16(data[high + 1])
    }
  }

  private func bits(_ data: ArraySlice<UInt8>) -> [UInt16] {
    (0..<count).map { UInt16(data[data.startIndex + $0 / 8] >> UInt8($0 % 8) & 1) }
  }
}

extension ModbusTable {
  /// The function code that reads the table: sections 6.1 to 6.4.
  var readFunction: UInt8 {
    switch self {
    case .coil: 1
    case .discrete: 2
    case .holding: 3
    case .input: 4
    }
  }
}
