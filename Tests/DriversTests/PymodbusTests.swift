import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// Against a slave that we did not write, over TCP and on a serial line. One after the other: each
/// case starts two programs in Python, and dozens of those at once keep the cores from all else.
@Suite("pymodbus' server", .serialized, .ownThread)
struct PymodbusTests {
  private func definition(
    of slave: PymodbusSlave, over carrier: PymodbusSlave.Carrier, timeout: Int64 = 2000,
    _ devices: [ModbusDevice]
  ) -> ModbusBusDefinition {
    let endpoint: ModbusEndpoint =
      switch carrier {
      case .tcp: .tcp(host: "127.0.0.1", port: slave.port)
      case .rtu: .rtu(SerialLine(path: slave.path, baud: 115_200))
      }
    return ModbusBusDefinition(
      name: "bus", endpoint: endpoint, timeoutMilliseconds: timeout, devices: devices)
  }

  @Test("Every table and type is read", arguments: PymodbusSlave.Carrier.allCases)
  func tablesAndTypes(carrier: PymodbusSlave.Carrier) async throws {
    let float = Float(21.7).bitPattern
    let double = (-1e-9).bitPattern
    let words = (0..<4).map { UInt16(truncatingIfNeeded: double >> (48 - 16 * UInt64($0))) }
    let slave = try PymodbusSlave(
      [
        1: .init(
          coils: [0, 1], discretes: [1, 0, 0, 0, 0, 0, 0, 0, 1], inputs: [3, 0xFFFF],
          holdings: [UInt16(float >> 16), UInt16(float & 0xFFFF), 0b100, 1, 2] + words)
      ], over: carrier)
    let points = [
      point("ch4", .holding, 0, .float32, every: 50),
      point("door", .holding, 2, .bit(2), every: 50),
      point("word", .holding, 4, .uint16, every: 50),
      point("swapped", .holding, 3, .uint32, order: .cdab, every: 50),
      point("tiny", .holding, 5, .float64, every: 50), point("wind", .input, 0, .uint16, every: 50),
      point("temp", .input, 1, .int16, every: 50), point("fan", .discrete, 8, .bool, every: 50),
      point("pump", .coil, 1, .bool, every: 50),
    ]
    let expected: [Value] = [
      .float32(21.7), .bool(true), .uint(2), .uint(0x2_0001), .float64(-1e-9), .uint(3), .int(-1),
      .bool(true), .bool(true),
    ]
    let bus = definition(of: slave, over: carrier, [device("d", unit: 1, points: points)])
    try await withBus(bus) { bus, sink in
      try await waitUntil("every point is read three times") {
        points.indices.allSatisfy { sink.goodValues(of: "d", point: $0).count >= 3 }
      }
      for (index, value) in expected.enumerated() {
        #expect(Set(sink.goodValues(of: "d", point: index)) == [value], "\(points[index])")
      }
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("Several units keep to themselves", arguments: PymodbusSlave.Carrier.allCases)
  func units(carrier: PymodbusSlave.Carrier) async throws {
    let numbers = [1, 7, 200, 247]
    let units = numbers.map { ($0, PymodbusSlave.Unit(holdings: [UInt16(1000 + $0)])) }
    let slave = try PymodbusSlave(Dictionary(uniqueKeysWithValues: units), over: carrier)
    let devices = numbers.map {
      device("unit-\($0)", unit: UInt8($0), points: [point(0, every: 50)])
    }
    try await withBus(definition(of: slave, over: carrier, devices)) { _, sink in
      for number in numbers {
        try await waitUntil("unit \(number) is read five times") {
          sink.goodValues(of: "unit-\(number)").count >= 5
        }
        let values = Set(sink.goodValues(of: "unit-\(number)"))
        #expect(values == [.uint(UInt64(1000 + number))])
      }
    }
  }

  @Test(
    "Each exception is a reason, and the unit's other tables are read",
    arguments: [1, 2, 3, 4, 5, 6, 7, 8, 10, 11])
  func exceptions(code: Int) async throws {
    let unit = PymodbusSlave.Unit(inputs: [5], holdings: [6], exceptions: [3: code])
    let slave = try PymodbusSlave([9: unit], over: .tcp)
    let points = [point("h", .holding, 0, every: 100), point("i", .input, 0, every: 100)]
    let bus = definition(of: slave, over: .tcp, [device("d", unit: 9, points: points)])
    try await withBus(bus) { _, sink in
      let reason = BadReason.exception(UInt8(code))
      try await waitUntil("\(reason) is told, the other is read") {
        sink.reasons(of: "d", point: 0).contains(reason)
          && sink.goodValues(of: "d", point: 1).contains(.uint(5))
      }
      #expect(sink.goodValues(of: "d", point: 0) == [])
    }
  }

  @Test("One register that it lacks costs its neighbours nothing", arguments: [0, 4])
  func missingRegister(hole: Int) async throws {
    let slave = try PymodbusSlave([1: .init(holdings: [10, 11, 12, 13])], over: .tcp)
    // Behind the last register, or with a hole before it.
    let points = [0, 1, 2, 3, 4 + hole].map { point("p\($0)", .holding, UInt16($0), every: 100) }
    let bus = definition(of: slave, over: .tcp, [device("d", unit: 1, points: points)])
    try await withBus(bus) { _, sink in
      try await waitUntil("four are read, the fifth says why not") {
        (0..<4).allSatisfy { sink.goodValues(of: "d", point: $0).count >= 3 }
          && sink.reasons(of: "d", point: 4).contains(.exception(2))
      }
      for index in 0..<4 {
        #expect(Set(sink.goodValues(of: "d", point: index)) == [.uint(UInt64(10 + index))])
      }
      #expect(sink.goodValues(of: "d", point: 4) == [])
    }
  }

  /// Faults, and the reason that some of their answers come to for certain.
  static let faults: [(kind: String, certain: BadReason?)] = [
    ("silence", .timeout), ("delay", nil), ("drip", nil), ("split", nil), ("merge", .timeout),
    ("next", .timeout), ("cut", .timeout), ("flip", nil), ("noise", nil), ("burst", nil),
    ("garbage", nil), ("duplicate", nil), ("other-unit", .badAnswer),
    ("wrong-function", .badAnswer), ("wrong-count", .badAnswer), ("late", .timeout),
    ("too-late", .timeout), ("echo", nil),
  ]

  @Test(
    "What suffers a fault is right, or says why not", arguments: faults.map(\.kind),
    PymodbusSlave.Carrier.allCases)
  func fault(kind: String, carrier: PymodbusSlave.Carrier) async throws {
    let units: [Int: PymodbusSlave.Unit] = [
      1: .init(inputs: [31, 32], holdings: [11, 12, 13]), 2: .init(holdings: [21, 22, 23]),
    ]
    let slave = try PymodbusSlave(units, over: carrier, faults: [kind])
    let devices = [1, 2].map { unit in
      device(
        "unit-\(unit)", unit: UInt8(unit),
        points: [point("h", .holding, 1, every: 100), point("g", .holding, 2, every: 100)])
    }
    // An answer in another unit's name that comes when that one has been asked is its answer for
    // any master on a line: the machine must not be late by a time-out.
    let timeout = PymodbusSlave.timeout * (kind == "other-unit" ? 5 : 1)
    let bus = definition(of: slave, over: carrier, timeout: timeout, devices)
    let certain = try #require(Self.faults.first { $0.kind == kind }).certain
    try await withBus(bus) { _, sink in
      try await waitUntil("faults, and good values of both units") {
        slave.faultCount >= 4 && (1...2).allSatisfy { sink.goodValues(of: "unit-\($0)").count >= 4 }
          && (certain.map(sink.reasons(of: "unit-1").contains) ?? true)
      }
      for unit in 1...2 {
        for index in 0...1 {
          let values = Set(sink.goodValues(of: "unit-\(unit)", point: index))
          #expect(values == [.uint(UInt64(10 * unit + 2 + index))])
          let reasons = Set(sink.reasons(of: "unit-\(unit)", point: index))
          // A machine that is busy is late by itself, so any of the line's own reasons will do.
          let line: Set<BadReason> = [
            .timeout, .offline, .notRead, .crc, .badAnswer, .busClosed,
          ]
          #expect(reasons.isSubset(of: line), "\(reasons)")
        }
      }
    }
  }

  @Test("Transaction numbers that are wrong are seen")
  func transactions() async throws {
    let slave = try PymodbusSlave(
      [1: .init(holdings: [5])], over: .tcp, faults: ["wrong-transaction"])
    let bus = definition(
      of: slave, over: .tcp, timeout: PymodbusSlave.timeout,
      [device("d", unit: 1, points: [point(0, every: 100)])])
    try await withBus(bus) { bus, sink in
      try await waitUntil("wrong numbers, and good values") {
        bus.counters.badAnswers >= 2 && sink.goodValues(of: "d").count >= 4
      }
      #expect(Set(sink.goodValues(of: "d")) == [.uint(5)])
    }
  }
}
