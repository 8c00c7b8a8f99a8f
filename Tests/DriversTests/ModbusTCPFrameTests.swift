import Testing
import TestSupport

@testable import Drivers

@Suite("Modbus TCP frame")
struct ModbusTCPFrameTests {
  private let request = ReadRequest(table: .holding, address: 0x006B, count: 3)

  private func answer(
    _ pdu: [UInt8], transaction: UInt16 = 7, unit: UInt8 = 3, to request: ReadRequest? = nil
  ) throws -> ReadAnswer {
    try ModbusTCPFrame(transaction: transaction, unit: unit, pdu: pdu)
      .answer(to: request ?? self.request, transaction: 7, unit: 3)
  }

  @Test("A request is the specification's example, behind its header")
  func encodesARequest() {
    let frame = ModbusTCPFrame(transaction: 0x1501, unit: 0x11, pdu: request.pdu)
    #expect(frame.bytes == [0x15, 0x01, 0, 0, 0, 6, 0x11, 3, 0, 0x6B, 0, 3])
  }

  @Test(
    "Each table has its function code",
    arguments: zip(
      [ModbusTable.coil, .discrete, .holding, .input], [1, 2, 3, 4] as [UInt8]))
  func choosesTheFunction(table: ModbusTable, code: UInt8) {
    #expect(ReadRequest(table: table, address: 0, count: 1).pdu.first == code)
  }

  @Test("The specification's example answer is read")
  func decodesRegisters() throws {
    #expect(try answer([3, 6, 0x02, 0x2B, 0, 0, 0, 0x64]) == .values([0x022B, 0, 0x64]))
  }

  @Test("The specification's example coils are read, the lowest bit first")
  func decodesBits() throws {
    let coils = ReadRequest(table: .coil, address: 0x13, count: 19)
    let bits: [UInt16] = [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]
    #expect(try answer([1, 3, 0xCD, 0x6B, 0x05], to: coils) == .values(bits))
  }

  @Test("An exception is an answer")
  func decodesAnException() throws {
    #expect(try answer([0x83, 2]) == .exception(2))
    #expect(throws: AnswerError.wrongLength(found: 0, expected: 1)) { try answer([0x83]) }
  }

  @Test("What can't be the answer says what is wrong with it")
  func refusesWrongAnswers() {
    let good: [UInt8] = [3, 6, 0, 1, 0, 2, 0, 3]
    #expect(throws: AnswerError.wrongTransaction(found: 8, expected: 7)) {
      try answer(good, transaction: 8)
    }
    #expect(throws: AnswerError.wrongUnit(found: 4, expected: 3)) { try answer(good, unit: 4) }
    #expect(throws: AnswerError.wrongFunction(found: 4, expected: 3)) {
      try answer([4] + good.dropFirst())
    }
    #expect(throws: AnswerError.wrongFunction(found: 0x84, expected: 3)) { try answer([0x84, 2]) }
    #expect(throws: AnswerError.wrongLength(found: 4, expected: 6)) {
      try answer([3, 4, 0, 1, 0, 2])
    }
    #expect(throws: AnswerError.wrongLength(found: 6, expected: 6)) {
      // The right number of bytes, but another one stated.
      try answer([3, 4] + good.dropFirst(2))
    }
    #expect(throws: AnswerError.wrongLength(found: 0, expected: 6)) { try answer([3]) }
  }

  @Test("A frame is taken once it is complete, and what follows stays")
  func takesCompleteFrames() throws {
    let frame = ModbusTCPFrame(transaction: 9, unit: 1, pdu: [3, 2, 0, 5])
    var received: [UInt8] = []
    for byte in frame.bytes {
      #expect(try ModbusTCPFrame.take(from: &received) == nil)
      received.append(byte)
    }
    received.append(0xAA)
    #expect(try ModbusTCPFrame.take(from: &received) == frame)
    #expect(received == [0xAA])
  }

  @Test("A header that can't be one ends the framing")
  func refusesImpossibleHeaders() throws {
    var otherProtocol: [UInt8] = [0, 1, 0, 1, 0, 3]
    let wrongProtocol = #expect(throws: AnswerError.self) {
      try ModbusTCPFrame.take(from: &otherProtocol)
    }
    #expect(wrongProtocol == .wrongProtocol(found: 1))
    #expect(wrongProtocol?.losesFraming == true)
    for length: UInt8 in [0, 1, 255] {
      var received: [UInt8] = [0, 1, 0, 0, 0, length]
      let error = #expect(throws: AnswerError.self) {
        try ModbusTCPFrame.take(from: &received)
      }
      #expect(error == .impossibleLength(found: Int(length), expected: 2...254))
      #expect(error?.losesFraming == true)
    }
  }

  @Test("Frames come back from any cut of the stream", arguments: 0..<50 as Range<UInt64>)
  func survivesAnyCut(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let frames = (0..<20).map { _ in
      ModbusTCPFrame(
        transaction: .random(in: 0 ... .max, using: &generator),
        unit: .random(in: 0 ... .max, using: &generator),
        pdu: (0..<Int.random(in: 1...253, using: &generator)).map { _ in
          .random(in: 0 ... .max, using: &generator)
        })
    }
    var stream = frames.flatMap(\.bytes)[...]
    var received: [UInt8] = []
    var taken: [ModbusTCPFrame] = []
    while !stream.isEmpty {
      let chunk = stream.prefix(.random(in: 1...300, using: &generator))
      stream = stream.dropFirst(chunk.count)
      received += chunk
      while let frame = try ModbusTCPFrame.take(from: &received) { taken.append(frame) }
    }
    #expect(taken == frames)
  }

  @Test("Random bytes are never an answer and never a crash", arguments: 0..<50 as Range<UInt64>)
  func survivesRandomBytes(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let pdu = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
        UInt8.random(in: 0 ... .max, using: &generator)
      }
      let result = Result { try answer(pdu) }
      let mayBeRight = (pdu.count == 8 && pdu[0] == 3 && pdu[1] == 6) || pdu[0] == 0x83
      if !mayBeRight { #expect(throws: AnswerError.self) { try result.get() } }
    }
  }

  @Test("Transactions skip 0, and only those asked before count as late")
  func numbersTransactions() {
    var counter = TransactionCounter(last: 65_534)
    #expect(!counter.isLate(65_534), "it was not asked on this connection")
    #expect((0..<3).map { _ in counter.next() } == [65_535, 1, 2])
    #expect(counter.isLate(1))
    #expect(counter.isLate(65_535))
    #expect(!counter.isLate(2), "the current one")
    #expect(!counter.isLate(3), "not asked yet")
    #expect(!counter.isLate(0))
    #expect(!counter.isLate(65_534))
    for _ in 0..<5000 { _ = counter.next() }
    #expect(counter.isLate(counter.current - 1024))
    #expect(!counter.isLate(counter.current - 1025), "far too old")
  }
}
