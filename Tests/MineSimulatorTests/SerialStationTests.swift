import CModbus
import Glibc
import TestSupport
import Testing

@testable import MineSimulator

/// A libmodbus master on a port of the simulator.
private final class Master {
  private let context: OpaquePointer

  /// Fails as the port does.
  init?(_ link: String, unit: Int32) throws {
    // 69: even parity.
    context = try #require(modbus_new_rtu(link, 115_200, 69, 8, 1))
    modbus_set_slave(context, unit)
    modbus_set_response_timeout(context, 10, 0)
    guard modbus_connect(context) == 0 else { return nil }
  }

  deinit {
    modbus_close(context)
    modbus_free(context)
  }

  func timeout(milliseconds: UInt32) {
    modbus_set_response_timeout(context, milliseconds / 1000, milliseconds % 1000 * 1000)
  }
  func unit(_ unit: Int32) { modbus_set_slave(context, unit) }
  func flush() { modbus_flush(context) }

  func input(_ start: Int32, _ count: Int32) -> [UInt16]? {
    var words = [UInt16](repeating: 0, count: Int(count))
    return modbus_read_input_registers(context, start, count, &words) == count ? words : nil
  }
}

@Suite("Serial stations", .serialized, .ownThread, .timeLimit(.minutes(2)))
struct SerialStationTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var link: String { directory.path + "/COM1" }
  private var truth: String { directory.path + "/truth" }

  private func scenario(faults: String = "[]") -> String {
    """
    stations: { line: { rtu: { baud: 115200, link: \(link) } } }
    devices:
      a: { station: line, unit: 3,
        points: { v: { input: 0, type: uint16, signal: { constant: 7 } } } }
      b: { station: line, unit: 4,
        points: { v: { input: 0, type: uint16, signal: { constant: 8 } } } }
    faults: \(faults)
    """
  }

  /// A master, once the port is there.
  private func open(unit: Int32) throws -> Master {
    var master: Master?
    try waitUntil("the port is back") {
      master = try Master(link, unit: unit)
      return master != nil
    }
    return try #require(master)
  }

  private func serve(
    faults: String = "[]", _ body: (Master) throws -> Void
  ) throws -> [TruthLine] {
    // A fault list of the empty kind is refused by the scenario, so it is left out.
    let text = scenario(faults: faults).replacingEmptyFaults
    let mine = try RunningMine(text, truth: truth)
    try body(try #require(try Master(link, unit: 3)))
    try mine.finish()
    return try TruthLine.read(truth)
  }

  @Test("libmodbus reads several units of a line, and the ground truth says the same")
  func severalUnits() throws {
    let truth = try serve { master in
      for _ in 0..<10 {
        #expect(master.input(0, 1) == [7])
        master.unit(4)
        #expect(master.input(0, 1) == [8])
        #expect(master.input(100, 1) == nil)
        #expect(errno == MODBUS_ENOBASE + 2)
        master.unit(3)
      }
    }
    #expect(truth.count == 30)
    #expect(truth.filter { $0.device == "a" }.allSatisfy { $0.values == ["v": "7"] })
    #expect(truth.filter { $0.device == "b" && $0.values == ["v": "8"] }.count == 10)
    #expect(truth.filter { $0.fault == "exception-2" }.count == 10)
    try waitUntil("the port goes away with the simulator") { access(link, F_OK) != 0 }
  }

  @Test("A port can be closed and opened again, and nobody gets what another asked")
  func reopens() throws {
    let mine = try RunningMine(scenario().replacingEmptyFaults, truth: truth)
    for _ in 0..<5 {
      try #require(try Master(link, unit: 3)?.input(0, 1) == [7])
    }
    try mine.finish()
    #expect(try TruthLine.read(truth).count == 5)
  }

  @Test("A silent unit keeps silent, a unit that is nobody's too, and the other answers")
  func silence() throws {
    let truth = try serve(faults: "[ { device: a, from: 0s, to: 1d, kind: silent } ]") { master in
      master.timeout(milliseconds: 500)
      #expect(master.input(0, 1) == nil)
      #expect(errno == ETIMEDOUT)
      master.unit(9)
      #expect(master.input(0, 1) == nil)
      master.unit(4)
      master.timeout(milliseconds: 10_000)
      #expect(master.input(0, 1) == [8])
    }
    #expect(truth.map(\.fault) == ["silent", nil])
  }

  @Test("An exception and a late answer come as the scenario says")
  func exceptionAndDelay() throws {
    let faults = """
      [ { device: a, from: 0s, to: 1d, kind: exception, code: 6 },
        { device: b, from: 0s, to: 1d, kind: late, by: 300ms } ]
      """
    let truth = try serve(faults: faults) { master in
      #expect(master.input(0, 1) == nil)
      #expect(errno == MODBUS_ENOBASE + 6)
      master.unit(4)
      let start = monotonicMilliseconds()
      #expect(master.input(0, 1) == [8])
      #expect(monotonicMilliseconds() - start >= 300)
    }
    #expect(truth.map(\.fault) == ["exception-6", nil])
    #expect(truth.last?.late == 300)
  }

  @Test("A cut pulls the port in the middle of an answer, and it comes back")
  func cut() throws {
    let truth = try serve(faults: "[ { device: a, from: 0s, to: 1d, kind: cut } ]") { master in
      #expect(master.input(0, 1) == nil)
      #expect(access(link, F_OK) != 0)
      let again = try open(unit: 4)
      #expect(again.input(0, 1) == [8])
    }
    #expect(truth.map(\.fault) == ["cut", nil])
  }

  @Test("A station that refuses has no port until it ceases to")
  func refuse() throws {
    let faults = "[ { station: line, from: 0s, to: 1s, kind: refuse } ]"
    let mine = try RunningMine(scenario(faults: faults))
    #expect(access(link, F_OK) != 0)
    let master = try open(unit: 3)
    #expect(master.input(0, 1) == [7])
    try mine.finish()
  }

  @Test("Garbage and pieces of requests are passed over at the next silence")
  func garbage() throws {
    var decoder = RTUFrameDecoder(LineSettings(baud: 9600, parity: .even, stopBits: 1))
    let request = RTUFrame(unit: 3, pdu: SlaveTests.request(4, 0, 1))
    decoder.append(request.bytes.prefix(5), at: 0)
    #expect(decoder.next(at: 10) == nil)
    // 5 bytes take 6 ms, the silence 5.
    #expect(decoder.frameEnd == 11)
    #expect(decoder.next(at: 11) == nil)
    #expect(decoder.frameEnd == nil)
    decoder.append(request.bytes, at: 20)
    #expect(decoder.next(at: 34) == nil)
    #expect(decoder.next(at: 35) == request)
    decoder.append(request.bytes.prefix(3), at: 40)
    decoder.append(request.bytes.dropFirst(3), at: 42)
    #expect(decoder.next(at: 60) == request)
    var damaged = request.bytes
    damaged[3] ^= 1
    decoder.append(damaged, at: 100)
    #expect(decoder.next(at: 200) == nil)
    decoder.append([UInt8](repeating: 3, count: 10_000), at: 300)
    #expect(decoder.next(at: 100_000) == nil)
    #expect(decoder.frameEnd == nil)
  }

  @Test("The agent's configuration names the link, and the directory for it")
  func agentConfiguration() throws {
    let text = """
      stations:
        line: { timeout: 200ms, rtu: { baud: 9600, parity: none, stop-bits: 2, link: /tmp/COM1 } }
      devices:
        a: { station: line, unit: 3,
          points: { v: { coil: 0, signal: { duty: { period: 1s, on: 50% } } } } }
      """
    let scenario = try Scenario.decode(Array(text.utf8), file: "s.yaml")
    #expect(
      scenario.agentConfiguration().split(separator: "\n")[1]
        == "  line: { rtu: { port: \"/tmp/COM1\", baud: 9600, parity: none, stop-bits: 2 }, "
        + "timeout: 200ms }"
    )
  }

  @Test("A file that is no link is not replaced")
  func keepsFiles() throws {
    let file = try #require(fopen(link, "w"))
    fclose(file)
    let decoded = try Scenario.decode(Array(scenario().replacingEmptyFaults.utf8), file: "s.yaml")
    #expect(throws: (any Error).self) { try MineServer(decoded, truth: nil) }
    #expect(access(link, F_OK) == 0)
  }
}

extension String {
  fileprivate var replacingEmptyFaults: String {
    hasSuffix("faults: []") ? String(dropLast("faults: []".count)) : self
  }
}
