import CModbus
import Glibc
import TestSupport
import Testing

@testable import MineSimulator

/// The judge of whether this is Modbus: the library that the agent reads with.
@Suite(.serialized, .ownThread)
struct LibmodbusTests {
  private static let scenario = """
    stations: { a: { port: 1 } }
    devices:
      return-air:
        station: a
        unit: 3
        points:
          ch4: { input: 0, type: float32, signal: { methane: { base: 0.2, burst: 0.5 } } }
          co: { input: 5, type: int32, scale: 0.01, order: CDAB,
            signal: { wave: { mean: -6, amplitude: 3, period: 1s } } }
          wind: { holding: 2, type: uint16, scale: 0.1,
            signal: { wave: { mean: 4, amplitude: 2, period: 1s } } }
          fan: { discrete: 5, signal: { duty: { period: 20ms, on: 50% } } }
          relay: { coil: 9, signal: { duty: { period: 1d, on: 100% } } }
    faults:
      - { device: return-air, from: 1d, to: 2d, kind: cut }
    """

  private final class Client {
    let context: OpaquePointer

    init(port: UInt16, unit: Int32) throws {
      context = try #require(modbus_new_tcp("127.0.0.1", Int32(port)))
      modbus_set_slave(context, unit)
      modbus_set_response_timeout(context, 10, 0)
      try #require(modbus_connect(context) == 0)
    }

    deinit {
      modbus_close(context)
      modbus_free(context)
    }

    func input(_ start: Int32, _ count: Int32) -> [UInt16]? {
      var words = [UInt16](repeating: 0, count: Int(count))
      return modbus_read_input_registers(context, start, count, &words) == count ? words : nil
    }

    func holding(_ start: Int32, _ count: Int32) -> [UInt16]? {
      var words = [UInt16](repeating: 0, count: Int(count))
      return modbus_read_registers(context, start, count, &words) == count ? words : nil
    }
  }

  @Test("libmodbus reads all four tables, and the ground truth says the same")
  func fourTables() throws {
    let directory = try TemporaryDirectory()
    let mine = try RunningMine(Self.scenario, truth: directory.file("truth"))
    let client = try Client(port: mine.ports[0], unit: 3)
    var expected: [[String: String]] = []
    for _ in 0..<100 {
      var words = try #require(client.input(0, 7))
      let ch4 = modbus_get_float_abcd(&words)
      let co = Int32(truncatingIfNeeded: UInt32(words[6]) << 16 | UInt32(words[5]))
      expected.append([
        "ch4": ch4.description, "co": hundredths(co),
      ])
      #expect(words[2] == 0 && words[3] == 0 && words[4] == 0)

      let wind = try #require(client.holding(2, 1))[0]
      expected.append(["wind": wind % 10 == 0 ? "\(wind / 10)" : "\(wind / 10).\(wind % 10)"])

      var bits = [UInt8](repeating: 9, count: 8)
      try #require(modbus_read_input_bits(client.context, 0, 8, &bits) == 8)
      #expect([0, 1].contains(bits[5]) && bits.enumerated().allSatisfy { $0 == 5 || $1 == 0 })
      expected.append(["fan": bits[5] == 1 ? "true" : "false"])
      try #require(modbus_read_bits(client.context, 9, 1, &bits) == 1)
      expected.append(["relay": bits[0] == 1 ? "true" : "false"])
    }
    try mine.finish()
    let truth = try TruthLine.read(directory.file("truth"))
    #expect(truth.map(\.values) == expected)
    #expect(Set(expected.compactMap { $0["fan"] }) == ["true", "false"])
    #expect(Set(expected.compactMap { $0["ch4"] }).count > 10)
  }

  /// `value` hundredths in plain decimal notation without trailing zeros.
  private func hundredths(_ value: Int32) -> String {
    let digits = String(value.magnitude)
    var text = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    text.insert(".", at: text.index(text.endIndex, offsetBy: -2))
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return (value < 0 ? "-" : "") + text
  }

  @Test("libmodbus understands the exceptions")
  func exceptions() throws {
    let mine = try RunningMine(Self.scenario)
    let client = try Client(port: mine.ports[0], unit: 3)
    #expect(client.input(7, 16) != nil)
    #expect(client.input(8, 16) == nil)
    #expect(errno == EMBXILADD)
    #expect(modbus_write_register(client.context, 2, 1) == -1)
    #expect(errno == EMBXILFUN)
    #expect(client.holding(2, 1) != nil)
    try mine.finish()
  }

  /// The library's macros do not come over: MODBUS_ENOBASE + exception code.
  private let EMBXILFUN = MODBUS_ENOBASE + 1
  private let EMBXILADD = MODBUS_ENOBASE + 2

  @Test("Sixteen stations of sixteen floats are read at once by a client each")
  func sixteenStations() async throws {
    let directory = try TemporaryDirectory()
    let text = """
      stations: { s: { port: 1, repeat: 16 } }
      devices: { d: { station: s, unit: 1, repeat: 16, points: { v: { input: 0, type: float32,
        repeat: 16, signal: { wave: { mean: 10, amplitude: 3, period: 60s } } } } } }
      """
    let mine = try RunningMine(text, truth: directory.file("truth"))
    let clients = try mine.ports.map { try Client(port: $0, unit: 1) }
    var read: [String: [[String: String]]] = [:]
    for _ in 0..<20 {
      for (index, client) in clients.enumerated() {
        var words = try #require(client.input(0, 32))
        var values: [String: String] = [:]
        for point in 0..<16 {
          let value = words.withUnsafeMutableBufferPointer { words in
            modbus_get_float_abcd(words.baseAddress.map { $0 + 2 * point })
          }
          values["v-\(point + 1)"] = value.description
        }
        read["d-\(index + 1)", default: []].append(values)
      }
    }
    try mine.finish()
    let truth = try TruthLine.read(directory.file("truth"))
    #expect(truth.count == 320)
    #expect(Dictionary(grouping: truth, by: \.device).mapValues { $0.compactMap(\.values) } == read)
    #expect(Set(truth.compactMap(\.values)).count > 16)
  }
}
