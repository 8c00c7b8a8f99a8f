import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// How a master behaves on a serial line beyond asking and listening.
@Suite("Manners on a serial line", .ownThread)
struct LineMannersTests {
  private let request = ReadRequest(table: .holding, address: 4, count: 2)
  private let soon = Duration.milliseconds(300)
  private let enough = Duration.seconds(patienceSeconds)

  private func line(_ path: String, echoes: Bool = false) -> SerialLine {
    SerialLine(path: path, baud: 115_200, echoes: echoes)
  }

  @Test("A pause is kept before a request to its unit and behind it, whoever is asked next")
  func pauses() throws {
    let slave = try ScriptedLine { [.send($0.registers(1))] }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    // Unit 2 asks for 200 ms around it; units 1 and 3 for nothing.
    for unit: UInt8 in [1, 2, 3, 1] {
      let pause: Duration = unit == 2 ? .milliseconds(200) : .zero
      _ = try connection.read(request, unit: unit, timeout: enough, pause: pause)
    }
    let times = slave.received.map(\.time)
    #expect(times[0].duration(to: times[1]) >= .milliseconds(200))
    #expect(times[1].duration(to: times[2]) >= .milliseconds(200))
    #expect(slave.received.map(\.unit) == [1, 2, 3, 1])
  }

  @Test("A slow unit's turn-around is beyond the bus's time-out; the others keep that")
  func turnaround() async throws {
    let slave = try ScriptedLine { request in
      switch request.unit {
      case 1: [.pause(milliseconds: 700), .send(request.registers(7))]
      default: []
      }
    }
    defer { slave.stop() }
    var slow = device("slow", unit: 1, points: [point(0, every: 500)])
    slow.turnaroundMilliseconds = 10_000
    let silent = device("silent", unit: 2, points: [point(0, every: 500)])
    let definition = bus(line(slave.path), timeout: 200, slow, silent)
    try await withBus(definition) { bus, sink in
      try await waitUntil("both have their outcomes") {
        sink.goodValues(of: "slow").count >= 3 && sink.reasons(of: "silent").contains(.offline)
      }
      #expect(Set(sink.goodValues(of: "slow")) == [.uint(7)])
      #expect(Set(sink.reasons(of: "slow")).subtracting([.notRead]).isEmpty)
      #expect(sink.reasons(of: "silent").contains(.timeout))
    }
    // Three time-outs of 200 ms and no 10 s: else the test would have waited in vain.
    let timings = UnitTimings(definition)
    #expect(timings[1] == .init(timeoutMilliseconds: 10_200, pauseMilliseconds: 0))
    #expect(timings[2] == .init(timeoutMilliseconds: 200, pauseMilliseconds: 0))
    #expect(definition.workMilliseconds > 4 * 10_200)
  }

  @Test("An echo is taken away byte for byte before the answer, also one that comes in pieces")
  func echoes() throws {
    let slave = try ScriptedLine { request in
      let all = request.bytes + request.registers(5)
      return request.number % 2 == 0
        ? [.send(all)] : [.drip(all, everyMilliseconds: 2)]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path, echoes: true))
    for _ in 0..<4 {
      #expect(try connection.read(request, unit: 3, timeout: enough) == .values([5, 5]))
    }
  }

  @Test(
    "A unit's turn-around is from the request to its answer, whatever else comes before that",
    arguments: [true, false])
  func measuresBehindAnEcho(demandsEcho: Bool) throws {
    let slave = try ScriptedLine { request in
      [.send(request.bytes), .pause(milliseconds: 150), .send(request.registers(5))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path, echoes: demandsEcho))
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([5, 5]))
    let turnaround = connection.turnaround
    #expect(try #require(turnaround) >= .milliseconds(140))
  }

  @Test("An echo that differs, or is not there, is a bad answer; the next request is good")
  func wrongEcho() throws {
    let slave = try ScriptedLine { request in
      var echo = request.bytes
      switch request.number {
      case 0: echo[3] ^= 0x20
      case 1: echo = []
      default: break
      }
      return [.send(echo + request.registers(5))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path, echoes: true))
    for _ in 0..<2 {
      let start = ContinuousClock.now
      #expect(throws: TransactionError.badAnswer(.wrongEcho)) {
        try connection.read(request, unit: 3, timeout: enough)
      }
      #expect(start.duration(to: .now) < enough / 2, "it is known at once")
    }
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([5, 5]))
  }

  @Test("An echo alone is silence, and known for what it is")
  func echoAlone() throws {
    for echoes in [false, true] {
      let slave = try ScriptedLine { [.send($0.bytes)] }
      defer { slave.stop() }
      var connection = try ModbusRTUConnection.open(line(slave.path, echoes: echoes))
      #expect(throws: TransactionError.timeout(brokeOff: false, heard: .echo)) {
        try connection.read(request, unit: 3, timeout: soon)
      }
    }
  }

  @Test(
    "Noise before an answer and garbage behind it cost neither it nor the next",
    arguments: Seeds.given(orFirst: 8))
  func survivesNoise(_ seed: UInt64) throws {
    let generator = Monitor(SeededGenerator(seed: seed))
    let noise = { @Sendable (most: Int) -> [UInt8] in
      generator.withLock { generator in
        (0..<Int.random(in: 0...most, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
      }
    }
    let slave = try ScriptedLine { request in
      [.send(noise(12) + request.registers(UInt16(request.number)) + noise(200))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    for number in 0..<30 {
      let answer = try connection.read(request, unit: 3, timeout: enough)
      #expect(answer == .values([UInt16(number), UInt16(number)]))
    }
  }

  @Test("An answer that drips is over at its deadline, and the next unit's is good")
  func boundsADrip() throws {
    let slave = try ScriptedLine { request in
      request.unit == 1
        ? [.drip(request.registers(5), everyMilliseconds: 200)] : [.send(request.registers(6))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    #expect(throws: TransactionError.timeout(brokeOff: false, heard: .part)) {
      try connection.read(request, unit: 1, timeout: soon)
    }
    var answer: ReadAnswer?
    for _ in 0..<20 where answer == nil {
      answer = try? connection.read(request, unit: 2, timeout: .seconds(4))
    }
    #expect(answer == .values([6, 6]))
  }
}
