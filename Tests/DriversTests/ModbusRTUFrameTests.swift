import TestSupport
import Testing

@testable import Drivers

@Suite("Modbus RTU frame")
struct ModbusRTUFrameTests {
  @Test("Frames carry the checksums of the specification's and makers' examples")
  func encodes() {
    // Modbus over serial line V1.02, appendix B: 02 07 has the checksum 0x1241.
    #expect(ModbusRTUFrame(unit: 2, pdu: [7]).bytes == [2, 7, 0x41, 0x12])
    let request = ReadRequest(table: .holding, address: 0, count: 10)
    let frame = ModbusRTUFrame(unit: 1, pdu: request.pdu)
    #expect(frame.bytes == [1, 3, 0, 0, 0, 10, 0xC5, 0xCD])
    #expect(ModbusRTUFrame(frame.bytes[...]) == frame)
  }

  @Test("One wrong bit anywhere is found")
  func findsDamage() {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<50 {
      let length = Int.random(in: 1...253, using: &generator)
      let pdu = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let frame = ModbusRTUFrame(unit: .random(in: 1...247, using: &generator), pdu: pdu)
      #expect(ModbusRTUFrame(frame.bytes[...]) == frame)
      var damaged = frame.bytes
      damaged[Int.random(in: damaged.indices, using: &generator)] ^=
        1 << UInt8.random(in: 0..<8, using: &generator)
      #expect(ModbusRTUFrame(damaged[...]) == nil)
    }
  }

  @Test("A line's characters and silences take what its settings say")
  func timesALine() {
    let standard = SerialLine(path: "/dev/ttyS1", baud: 9600)
    #expect(standard.bitsPerCharacter == 11)
    #expect(standard.microseconds(ofCharacters: 8) == 9167)
    #expect(standard.silenceMicroseconds == 4011)
    let short = SerialLine(path: "/dev/ttyS1", baud: 19_200, parity: .none)
    #expect(short.bitsPerCharacter == 10)
    #expect(short.silenceMicroseconds == 1823)
    let fast = SerialLine(path: "/dev/ttyS1", baud: 115_200, parity: .none, stopBits: 2)
    #expect(fast.bitsPerCharacter == 11)
    #expect(fast.silenceMicroseconds == 1750)
  }
}

@Suite("Reception of a Modbus RTU answer")
struct ModbusRTUReceptionTests {
  private let request = ReadRequest(table: .holding, address: 4, count: 2)
  private let good = ModbusRTUFrame(unit: 3, pdu: [3, 4, 0, 7, 0, 8]).bytes

  private func reception(
    _ bytes: [UInt8], late: Set<AnswerShape> = [], piece: Int = 1
  ) -> ModbusRTUReception {
    let sent = ModbusRTUFrame(unit: 3, pdu: request.pdu).bytes
    var reception = ModbusRTUReception(request, unit: 3, sent: sent)
    var rest = bytes[...]
    while !rest.isEmpty, reception.answer == nil {
      reception.append(Array(rest.prefix(piece)), lateShapes: late)
      rest = rest.dropFirst(piece)
    }
    return reception
  }

  @Test("An answer is found however it comes, and not before its last byte", arguments: 1...9)
  func findsAnswers(_ piece: Int) {
    #expect(reception(good, piece: piece).answer == .values([7, 8]))
    let broken = reception(good.dropLast(), piece: piece)
    #expect(broken.answer == nil)
    #expect(!broken.isComplete)
    #expect(broken.failure == .timeout(brokeOff: false, heard: .part))
  }

  @Test("Spurious bytes before an answer and behind it do not cost it", arguments: [1, 3, 100])
  func passesOverNoise(_ piece: Int) {
    for noise: [UInt8] in [[0], [0xFF], [3], [3, 3], [3, 3, 4], [0, 0, 0]] {
      #expect(reception(noise + good + [0], piece: piece).answer == .values([7, 8]), "\(noise)")
    }
  }

  @Test("An adapter that returns the request does not cost the answer", arguments: [1, 100])
  func passesOverAnEcho(_ piece: Int) {
    let echo = ModbusRTUFrame(unit: 3, pdu: request.pdu).bytes
    #expect(reception(echo + good, piece: piece).answer == .values([7, 8]))
    let alone = reception(echo, piece: piece)
    #expect(alone.isEmpty)
    #expect(alone.failure == .timeout(brokeOff: false, heard: .echo))
  }

  @Test("An echo that has an answer's form is not taken for one", arguments: [[], [0], [0xFF, 3]])
  func knowsAnEcho(spurious: [UInt8]) {
    let bits = ReadRequest(table: .coil, address: 0x0305, count: 20)
    let sent = ModbusRTUFrame(unit: 3, pdu: bits.pdu).bytes
    var reception = ModbusRTUReception(bits, unit: 3, sent: sent)
    reception.append(spurious + sent, lateShapes: [])
    #expect(reception.answer == nil)
    reception.append(
      ModbusRTUFrame(unit: 3, pdu: [1, 3, 0xFF, 0, 0xF]).bytes, lateShapes: [])
    let values = [UInt16](repeating: 1, count: 8) + [UInt16](repeating: 0, count: 8) + [1, 1, 1, 1]
    #expect(reception.answer == .values(values))
  }

  @Test(
    "An exception that may be late counts only if no other answer comes", arguments: [1, 5, 100])
  func doubtsExceptions(_ piece: Int) {
    let exception = ModbusRTUFrame(unit: 3, pdu: [0x83, 6]).bytes
    let longer = AnswerShape(unit: 3, function: 3, dataLength: 6)
    var found = reception(exception + good, late: [longer], piece: piece)
    #expect(found.answer == .values([7, 8]))
    #expect(found.takeLate() == [longer])
    found = reception(exception + exception, late: [longer], piece: piece)
    #expect(found.answer == .exception(6))
    #expect(found.takeLate() == [longer])
    found = reception(exception, late: [longer], piece: piece)
    #expect(found.answer == nil)
    #expect(found.isEmpty, "the time goes on")
    #expect(found.doubtedAnswer == .exception(6))
    for other in [
      AnswerShape(unit: 4, function: 3, dataLength: 6),
      AnswerShape(unit: 3, function: 4, dataLength: 6),
    ] {
      #expect(reception(exception, late: [other], piece: piece).answer == .exception(6))
    }
  }

  @Test("An exception is an answer; a damaged one is not")
  func readsExceptions() {
    let exception = ModbusRTUFrame(unit: 3, pdu: [0x83, 2]).bytes
    #expect(reception(exception).answer == .exception(2))
    var damaged = exception
    damaged[2] = 1
    #expect(reception(damaged).answer == nil)
    #expect(reception(damaged).isComplete)
    #expect(reception(damaged).failure == .wrongChecksum)
  }

  @Test("What is not the answer says what is wrong with it")
  func namesFaults() {
    func failure(_ unit: UInt8, _ pdu: [UInt8]) -> TransactionError {
      let reception = reception(ModbusRTUFrame(unit: unit, pdu: pdu).bytes, piece: 100)
      #expect(reception.answer == nil)
      #expect(reception.isComplete)
      return reception.failure
    }
    #expect(failure(4, [3, 4, 0, 7, 0, 8]) == .badAnswer(.wrongUnit(found: 4, expected: 3)))
    #expect(failure(3, [4, 4, 0, 7, 0, 8]) == .badAnswer(.wrongFunction(found: 4, expected: 3)))
    #expect(failure(3, [3, 2, 0, 7]) == .badAnswer(.wrongLength(found: 2, expected: 4)))
    #expect(failure(3, [17, 1]) == .badAnswer(.wrongFunction(found: 17, expected: 3)))
    var damaged = good
    damaged[4] ^= 1
    #expect(reception(damaged).failure == .wrongChecksum)
    #expect(reception(damaged).isComplete)
  }

  @Test("Noise is no damaged answer: the answer may still come", arguments: [1, 4, 100])
  func tellsNoiseFromDamage(_ piece: Int) {
    var damaged = good
    damaged[4] ^= 1
    let noise = [UInt8](repeating: 0x55, count: good.count)
    #expect(reception(noise, piece: piece).failure == .noise)
    #expect(reception(noise, piece: piece).isComplete)
    // Behind what an adapter puts before it, it is still the answer.
    #expect(reception([0] + damaged, piece: piece).failure == .wrongChecksum)
    // The beginning of one that had no room to be whole.
    #expect(reception(noise + damaged.dropLast(), piece: piece).failure == .noise)
    #expect(
      reception(Array(noise.dropLast()), piece: piece).failure
        == .timeout(brokeOff: false, heard: .noise))
    for bytes: [UInt8] in [[3], [3, 3], [3, 0x83], [3, 3, 9, 9]] {
      #expect(reception(bytes).failure == .timeout(brokeOff: false, heard: .part))
    }
    for bytes: [UInt8] in [[0], [3, 4], [4, 3, 4]] {
      #expect(reception(bytes).failure == .timeout(brokeOff: false, heard: .noise))
    }
  }

  @Test("A late answer of another unit, function or length is passed over and told")
  func passesOverLateAnswers() {
    let shapes: Set<AnswerShape> = [
      AnswerShape(unit: 5, function: 3, dataLength: 4),
      AnswerShape(unit: 3, function: 4, dataLength: 4),
    ]
    let late =
      ModbusRTUFrame(unit: 5, pdu: [3, 4, 9, 9, 9, 9]).bytes
      + ModbusRTUFrame(unit: 3, pdu: [0x84, 2]).bytes
    var alone = reception(late, late: shapes)
    #expect(alone.isEmpty)
    #expect(Set(alone.takeLate()) == shapes)
    #expect(alone.takeLate() == [])
    #expect(alone.failure == .timeout(brokeOff: false))
    #expect(reception(late + good, late: shapes).answer == .values([7, 8]))
  }

  @Test("Random bytes are no answer, whatever they are")
  func survivesGarbage() {
    var generator = SeededGenerator(seed: 17)
    for _ in 0..<2000 {
      let length = Int.random(in: 0...64, using: &generator)
      let garbage = (0..<length).map { _ in UInt8.random(in: 0...5, using: &generator) }
      let reception = reception(garbage, piece: 8)
      // Small numbers meet unit, function and length often; a checksum they meet once in 65,536.
      #expect(reception.answer == nil)
      let failure = reception.failure
      #expect(length > 0 || failure == .timeout(brokeOff: false))
    }
  }
}
