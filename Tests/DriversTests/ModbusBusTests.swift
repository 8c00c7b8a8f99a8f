import LinuxSystem
import Synchronization
import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Modbus bus", .ownThread)
struct ModbusBusTests {
  private func fast(_ name: String, unit: UInt8) -> ModbusDevice {
    device(name, unit: unit, points: [point(0, every: 20)])
  }

  @Test("A libmodbus slave is read in every type and table, each cycle")
  func readsALibmodbusSlave() async throws {
    let float = Float(21.7).bitPattern
    let slave = try LibmodbusSlave(
      .init(
        coils: [false, true], discretes: [true, false], inputs: [3, 0xFFFF],
        holdings: [UInt16(float >> 16), UInt16(float & 0xFFFF), 0b100, 0, 0, 0, 0, 42]))
    defer { slave.stop() }
    let points = [
      point("ch4", .holding, 0, .float32, every: 20),
      point("wind", .input, 0, .uint16, scale: DecimalNumber(mantissa: 1, decimals: 1), every: 20),
      point("temp", .input, 1, .int16, every: 20),
      point("door", .holding, 2, .bit(2), every: 20),
      point("total", .holding, 4, .uint64, every: 20),
      point("fan", .discrete, 0, .bool, every: 20), point("pump", .coil, 1, .bool, every: 20),
    ]
    let expected: [Value] = [
      .float32(21.7), .decimal(mantissa: 3, decimals: 1), .int(-1), .bool(true), .uint(42),
      .bool(true), .bool(true),
    ]
    try await withBus(bus(port: slave.port, device("d", unit: 1, points: points))) { bus, sink in
      try await waitUntil("every point is read three times") {
        points.indices.allSatisfy { sink.goodValues(of: "d", point: $0).count >= 3 }
      }
      for (index, value) in expected.enumerated() {
        #expect(Set(sink.goodValues(of: "d", point: index)) == [value])
      }
      #expect(sink.samples(of: "d").first?.device.points == points.map(\.description.name))
      #expect(sink.states(of: "station") == ["open"])
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("Buses run beside each other: one without its station costs the other nothing")
  func runsBusesBesideEachOther() async throws {
    let slave = try LibmodbusSlave(.init(holdings: [5]))
    defer { slave.stop() }
    let closed = try ScriptedServer { _ in [] }
    defer { closed.stop() }
    try await withBus(bus(port: closed.port, fast("lost", unit: 1))) { _, lost in
      try await withBus(bus(port: slave.port, fast("d", unit: 1))) { _, sink in
        try await waitUntil("one is read, the other says why not") {
          sink.goodValues(of: "d").count >= 10 && lost.reasons(of: "lost").count >= 10
        }
        #expect(Set(sink.goodValues(of: "d")) == [.uint(5)])
        #expect(Set(lost.reasons(of: "lost")) == [.refused])
      }
    }
  }

  @Test("A refused connection heals, and each change is reported once")
  func healsARefusedConnection() async throws {
    let server = try ScriptedServer { [.send($0.registers(9))] }
    defer { server.stop() }
    try await withBus(bus(port: server.port, fast("d", unit: 1))) { _, sink in
      try await waitUntil("the device is lost") { sink.states(of: "d") == ["lost"] }
      #expect(sink.states(of: "station") == ["closed"])
      try server.listen()
      try await waitUntil("values come") { sink.goodValues(of: "d").count >= 3 }
      #expect(sink.states(of: "d") == ["lost", "recovered"])
      #expect(sink.states(of: "station") == ["closed", "open"])
    }
  }

  @Test("A silent unit is backed off while its neighbour is read in every cycle")
  func survivesASilentUnit() async throws {
    let server = try ScriptedServer.listening { $0.unit == 2 ? [] : [.send($0.registers(1))] }
    defer { server.stop() }
    let alive = device("alive", unit: 1, points: [point(0, every: 300)])
    let dead = device("dead", unit: 2, points: [point(0, every: 300)])
    try await withBus(bus(port: server.port, timeout: 1000, alive, dead)) { bus, sink in
      try await waitUntil("the dead unit is offline") {
        sink.reasons(of: "dead").contains(.offline) && sink.goodValues(of: "alive").count >= 6
      }
      // Where the machine stalls a turn may be passed over; what was asked had no answer.
      let asked = sink.reasons(of: "dead").filter { $0 != .notRead }
      #expect(asked.prefix(3) == [.timeout, .timeout, .timeout])
      #expect(sink.states(of: "dead") == ["lost"])
      #expect(!sink.reasons(of: "alive").contains(.timeout))
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("A late answer is never another value")
  func neverMixesAnswers() async throws {
    // The n-th request is answered with n, every third one only when the next has come.
    let server = try ScriptedServer.listening { request in
      let own = request.registers(UInt16(request.number))
      if request.number % 3 == 2 { return [] }
      guard request.number % 3 == 0, request.number > 0 else { return [.send(own)] }
      let late = request.frame(
        request.registersPDU(UInt16(request.number - 1)), transaction: request.transaction - 1)
      return [.send(late), .send(own)]
    }
    defer { server.stop() }
    try await withBus(bus(port: server.port, timeout: 500, fast("d", unit: 1))) { bus, sink in
      try await waitUntil("several answers were late") {
        bus.counters.lateAnswers >= 3 && sink.goodValues(of: "d").count >= 7
      }
      for case .uint(let number) in sink.goodValues(of: "d") {
        #expect(number % 3 != 2, "answer \(number) came late and was taken for another")
      }
      #expect(bus.counters.timeouts >= 3)
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("An answer that breaks off costs its own cycle; the next is right")
  func recoversFromABrokenAnswer() async throws {
    let server = try ScriptedServer.listening { request in
      switch request.number % 4 {
      case 1: [.send(Array(request.registers(7).dropLast(2)))]
      case 3: [.send(Array(request.registers(7).prefix(9))), .hangUp]
      default: [.send(request.registers(7))]
      }
    }
    defer { server.stop() }
    try await withBus(bus(port: server.port, timeout: 200, fast("d", unit: 1))) { bus, sink in
      try await waitUntil("both faults were met and survived") {
        let reasons = sink.reasons(of: "d")
        return reasons.count { $0 == .busClosed } >= 2 && reasons.count { $0 == .timeout } >= 2
          && sink.goodValues(of: "d").count >= 4
      }
      #expect(Set(sink.goodValues(of: "d")) == [.uint(7)])
    }
  }

  @Test("An exception is named by its code, and the unit goes on being asked")
  func namesExceptions() async throws {
    let server = try ScriptedServer.listening { [.send($0.exception(6))] }
    defer { server.stop() }
    try await withBus(bus(port: server.port, fast("d", unit: 1))) { bus, sink in
      try await waitUntil("several cycles") { sink.reasons(of: "d").count >= 6 }
      #expect(Set(sink.reasons(of: "d")).subtracting([.notRead, .busClosed]) == [.exception(6)])
      #expect(bus.counters.timeouts == 0)
    }
  }

  @Test("A hole that a libmodbus slave does not have is read around")
  func readsAroundAHole() async throws {
    // The slave has 8 registers; the plan reads 0…12 at once and the second point is not there.
    let slave = try LibmodbusSlave(.init(holdings: [1, 2, 3, 4, 5, 6, 7, 8]))
    defer { slave.stop() }
    let points = [point("a", .holding, 0, every: 50), point("b", .holding, 12, every: 50)]
    try await withBus(bus(port: slave.port, device("d", unit: 1, points: points))) { _, sink in
      try await waitUntil("both points have outcomes") {
        sink.goodValues(of: "d").count >= 3 && sink.reasons(of: "d", point: 1).count >= 3
      }
      // A machine that stalls connects when cycles are due already, and misses some.
      let passing: Set<BadReason> = [.notRead, .busClosed]
      #expect(passing.isSuperset(of: sink.reasons(of: "d")))
      #expect(
        Set(sink.reasons(of: "d", point: 1)).subtracting(passing) == [.exception(2)])
    }
  }

  @Test("A station that restarts is read again, without an event for an idle hang-up")
  func followsARestart() async throws {
    // Hangs up after each answer, as stations with few connections do.
    let server = try ScriptedServer.listening { [.send($0.registers(4)), .hangUp] }
    defer { server.stop() }
    let slow = device("d", unit: 1, points: [point(0, every: 200)])
    try await withBus(bus(port: server.port, slow)) { bus, sink in
      try await waitUntil("several cycles") { sink.goodValues(of: "d").count >= 4 }
      #expect(sink.reasons(of: "d").filter { $0 != .notRead }.isEmpty)
      #expect(sink.states(of: "station") == ["open"])
      #expect(bus.counters.connects >= 4)
    }
  }

  @Test("Cancelling ends a bus that sleeps, and one that can't connect")
  func endsWhenCancelled() async throws {
    let closed = try ScriptedServer { _ in [] }
    defer { closed.stop() }
    let hourly = device("d", unit: 1, points: [point(0, every: 3_600_000)])
    let slave = try LibmodbusSlave(.init(holdings: [1]))
    defer { slave.stop() }
    let start = ContinuousClock.now
    try await withBus(bus(port: slave.port, hourly)) { _, sink in
      try await waitUntil("read once") { sink.goodValues(of: "d").count == 1 }
    }
    try await withBus(bus(port: closed.port, hourly)) { _, sink in
      try await waitUntil("refused once") { sink.reasons(of: "d").count == 1 }
    }
    #expect(start.duration(to: .now) < .seconds(patienceSeconds))
  }
}
