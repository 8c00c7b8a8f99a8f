import Telemetry
import TestSupport
import Testing

@testable import MineSimulator

struct SlaveTests {
  static let slave = Slave(
    device: 0, name: "return-air",
    points: [
      point("ch4", .input, 0, .float32, 0.25), point("co", .input, 4, .uint16, 6),
      point("fan", .discrete, 5, .bool, 1), point("relay", .coil, 9, .bool, 1),
      point("wind", .holding, 2, .uint16, 40),
    ], seed: 1)

  static func point(
    _ name: String, _ table: ModbusTable, _ address: UInt16, _ type: RegisterType, _ level: Double
  ) -> SimulatedPoint {
    SimulatedPoint(
      name: name, table: table, address: address, type: type, order: .abcd, scale: nil,
      signal: .constant(level))
  }

  static func request(_ function: UInt8, _ start: Int, _ count: Int) -> [UInt8] {
    [
      function, UInt8(start >> 8), UInt8(start & 0xff), UInt8(count >> 8), UInt8(count & 0xff),
    ]
  }

  private func answer(_ function: UInt8, _ start: Int, _ count: Int) throws -> Slave.Answer {
    try Self.slave.answer(pdu: Self.request(function, start, count), at: 0)
  }

  @Test("A request over several points carries each, and 0 between them")
  func registers() throws {
    let answer = try answer(4, 0, 6)
    #expect(answer.pdu == [4, 12, 0x3E, 0x80, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0])
    #expect(
      answer.values == [
        PointValue(point: 0, value: .float32(0.25)), PointValue(point: 1, value: .uint(6)),
      ])
  }

  @Test("Half a value is answered, but not claimed")
  func halfValue() throws {
    let answer = try answer(4, 1, 4)
    #expect(answer.pdu == [4, 8, 0, 0, 0, 0, 0, 0, 0, 6])
    #expect(answer.values == [PointValue(point: 1, value: .uint(6))])
  }

  @Test("Bits are packed from the least significant up")
  func bits() throws {
    #expect(try answer(2, 0, 10).pdu == [2, 2, 0b0010_0000, 0])
    #expect(try answer(2, 5, 1).pdu == [2, 1, 1])
    #expect(try answer(1, 1, 10).pdu == [1, 2, 0, 1])
    #expect(try answer(1, 0, 10).values == [PointValue(point: 3, value: .bool(true))])
  }

  @Test("Addresses end 16 beyond a table's last point")
  func addressLimit() throws {
    #expect(try answer(4, 5, 16).values.isEmpty)
    #expect(throws: ModbusException.illegalAddress) { try answer(4, 5, 17) }
    #expect(throws: ModbusException.illegalAddress) { try answer(3, 19, 1) }
    #expect(throws: ModbusException.illegalAddress) { try answer(3, 65_535, 125) }
    let bare = Slave(
      device: 0, name: "a", points: [Self.point("a", .input, 0, .uint16, 1)], seed: 1)
    #expect(throws: ModbusException.illegalAddress) {
      try bare.answer(pdu: Self.request(3, 0, 1), at: 0)
    }
  }

  @Test("Quantities outside the specification are exception 3, before the address is looked at")
  func quantityLimit() throws {
    for (function, most) in [(UInt8(1), 2000), (2, 2000), (3, 125), (4, 125)] {
      #expect(throws: ModbusException.illegalValue) { try answer(function, 0, 0) }
      #expect(throws: ModbusException.illegalValue) { try answer(function, 65_000, most + 1) }
      #expect(throws: ModbusException.illegalAddress) { try answer(function, 65_000, most) }
    }
    #expect(throws: ModbusException.illegalValue) {
      try Self.slave.answer(pdu: [3, 0, 0, 0], at: 0)
    }
    #expect(throws: ModbusException.illegalValue) {
      try Self.slave.answer(pdu: [3, 0, 0, 0, 1, 0], at: 0)
    }
  }

  @Test("Every function but the four reading ones is exception 1")
  func functions() {
    for function in UInt8.min...UInt8.max where !(1...4).contains(function) {
      #expect(throws: ModbusException.illegalFunction) { try answer(function, 0, 1) }
    }
    #expect(throws: ModbusException.illegalFunction) { try Self.slave.answer(pdu: [], at: 0) }
    #expect(ModbusException.illegalFunction.answer(to: 6) == [0x86, 1])
  }

  @Test("Whatever bytes come, the answer has the length that its request implies")
  func anyRequest() {
    var generator = SeededGenerator(seed: 21)
    var answered = 0
    for _ in 0..<20_000 {
      // Mostly near what is right: five bytes, a known function, low addresses.
      let length = Bool.random(using: &generator) ? 5 : Int.random(in: 0...7, using: &generator)
      var pdu = (0..<length).map { _ in UInt8.random(in: 0...30, using: &generator) }
      if length == 5 {
        pdu[0] = UInt8.random(in: 0...5, using: &generator)
        pdu[1] &= 1
        pdu[3] &= 1
      }
      guard let answer = try? Self.slave.answer(pdu: pdu, at: 5) else { continue }
      answered += 1
      let count = Int(pdu[3]) << 8 | Int(pdu[4])
      let bytes = pdu[0] <= 2 ? (count + 7) / 8 : 2 * count
      #expect(answer.pdu.count == 2 + bytes && Int(answer.pdu[1]) == bytes)
    }
    #expect(answered > 500, "\(answered)")
  }
}

struct TCPFrameTests {
  static let frames = (0..<20).map { index in
    TCPFrame(
      transaction: UInt16(index * 3001), unit: UInt8(index),
      pdu: [UInt8](repeating: UInt8(index), count: 1 + index * 13))
  }

  @Test("A stream is cut into the same frames however it arrives")
  func anyCut() throws {
    let stream = Self.frames.flatMap(\.bytes)
    var generator = SeededGenerator(seed: 31)
    for _ in 0..<200 {
      var decoder = TCPFrameDecoder()
      var found: [TCPFrame] = []
      var rest = stream[...]
      while !rest.isEmpty {
        let size = Int.random(in: 1...min(rest.count, 90), using: &generator)
        decoder.append(rest.prefix(size))
        rest = rest.dropFirst(size)
        while let frame = try decoder.next() { found.append(frame) }
      }
      #expect(found == Self.frames)
      #expect(decoder.count == 0)
    }
  }

  @Test("A stream that is not Modbus TCP is given up, not guessed at")
  func desynchronised() {
    // Another protocol; no function code; more than a frame can hold; text.
    for header in [
      [0, 1, 0, 1, 0, 6, 1], [0, 1, 0, 0, 0, 1, 1], [0, 1, 0, 0, 0, 255, 1], Array("GET / H".utf8),
    ] as [[UInt8]] {
      var decoder = TCPFrameDecoder()
      decoder.append(header)
      #expect(throws: TCPFrameDecoder.Desynchronised.self) { try decoder.next() }
    }
  }
}
