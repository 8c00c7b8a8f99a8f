/// A Modbus TCP message: the MBAP header (Modbus Messaging on TCP/IP V1.0b, section 3.1.3) around
/// a function code with its data.
struct ModbusTCPFrame: Sendable, Hashable {
  /// Chosen by the client, echoed by the server.
  var transaction: UInt16
  /// The unit behind the address.
  var unit: UInt8
  /// Function code and data, 1…253 bytes.
  var pdu: [UInt8]

  /// Transaction, protocol, length: what stands before the bytes that the length counts.
  static let prefixLength = 6
  /// What the header's length may be: unit and function code at least, 254 at most.
  static let lengths = 2...254

  /// The frame as it goes over the wire.
  var bytes: [UInt8] {
    let length = UInt16(pdu.count + 1)
    return [
      UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0, 0, UInt8(length >> 8),
      UInt8(length & 0xFF), unit,
    ] + pdu
  }

  /// Takes the first frame off what was received; `nil` while it is not complete.
  static func take(from received: inout [UInt8]) throws(AnswerError) -> ModbusTCPFrame? {
    guard received.count >= prefixLength else { return nil }
    let (transaction, protocolID) = (received.word(at: 0), received.word(at: 2))
    guard protocolID == 0 else { throw .wrongProtocol(found: protocolID) }
    let length = Int(received.word(at: 4))
    guard lengths.contains(length) else {
      throw .impossibleLength(found: length, expected: lengths)
    }
    guard received.count >= prefixLength + length else { return nil }
    let frame = ModbusTCPFrame(
      transaction: transaction, unit: received[prefixLength],
      pdu: Array(received[prefixLength + 1..<prefixLength + length]))
    received.removeFirst(prefixLength + length)
    return frame
  }

  /// Reads the frame as the answer to `request`.
  func answer(
    to request: ReadRequest, transaction expected: UInt16, unit expectedUnit: UInt8
  ) throws(AnswerError) -> ReadAnswer {
    guard transaction == expected else {
      throw .wrongTransaction(found: transaction, expected: expected)
    }
    guard unit == expectedUnit else {
      throw .wrongUnit(found: unit, expected: expectedUnit)
    }
    return try request.answer(from: pdu)
  }
}

extension [UInt8] {
  /// Two bytes, the most significant first.
  fileprivate func word(at index: Int) -> UInt16 {
    UInt16(self[index]) << 8 | UInt16(self[index + 1])
  }
}

/// Numbers a connection's transactions and knows a late answer from a wrong one.
struct TransactionCounter: Sendable, Hashable {
  /// How far back an answer counts as late: far more requests than a bus sends while an answer can
  /// still be under way, far fewer than the 65,535 after which numbers come again.
  static let lateWindow: UInt16 = 1024

  private(set) var current: UInt16
  private var issued: Int

  /// Starts before the first transaction; `last` is 0 but in tests.
  init(last: UInt16 = 0) {
    current = last
    issued = 0
  }

  /// Whether there was any transaction.
  var isUsed: Bool { issued > 0 }

  /// The next transaction's number. Never 0: that is what servers send that don't echo it.
  mutating func next() -> UInt16 {
    current = current == .max ? 1 : current + 1
    issued += 1
    return current
  }

  /// Whether `transaction` was asked before the current one, so that its answer is only late.
  func isLate(_ transaction: UInt16) -> Bool {
    guard transaction != 0 else { return false }
    // 0 is skipped, so numbers lie on a ring of 65,535.
    let behind = (Int(current) - Int(transaction) + 65_535) % 65_535
    return behind > 0 && behind < issued && behind <= Int(Self.lateWindow)
  }
}
