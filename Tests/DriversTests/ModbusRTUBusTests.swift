import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Modbus RTU bus", .ownThread)
struct ModbusRTUBusTests {
  private func fast(_ name: String, unit: UInt8, every: Int64 = 50) -> ModbusDevice {
    device(name, unit: unit, points: [point(0, every: every)])
  }

  private func line(_ path: String) -> SerialLine { SerialLine(path: path, baud: 115_200) }

  @Test("A libmodbus slave on a serial line is read each cycle")
  func readsALibmodbusSlave() async throws {
    let slave = try LibmodbusLine(unit: 5, holdings: [42])
    defer { slave.stop() }
    try await withBus(bus(line(slave.path), fast("d", unit: 5))) { bus, sink in
      try await waitUntil("ten values") { sink.goodValues(of: "d").count >= 10 }
      #expect(Set(sink.goodValues(of: "d")) == [.uint(42)])
      #expect(sink.states(of: "line") == ["open"])
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("A silent unit is backed off while the others on the line are read; the port stays open")
  func survivesASilentUnit() async throws {
    let slave = try ScriptedLine { request in
      request.unit == 2 ? [] : [.send(request.registers(UInt16(request.unit)))]
    }
    defer { slave.stop() }
    let devices = (1...4).map { fast("unit-\($0)", unit: UInt8($0), every: 1000) }
    var definition = bus(line(slave.path), timeout: 400)
    definition.devices = devices
    try await withBus(definition) { bus, sink in
      try await waitUntil("the silent one is offline, the others go on") {
        sink.reasons(of: "unit-2").contains(.offline) && sink.goodValues(of: "unit-4").count >= 5
      }
      let asked = sink.reasons(of: "unit-2").filter { $0 != .notRead }
      #expect(asked.prefix(3) == [.timeout, .timeout, .timeout])
      #expect(sink.states(of: "unit-2") == ["lost"])
      for unit: UInt64 in [1, 3, 4] {
        #expect(Set(sink.goodValues(of: "unit-\(unit)")) == [.uint(unit)])
        // How punctual they are is for a test that has the machine for itself.
        #expect(!sink.reasons(of: "unit-\(unit)").contains(.offline))
      }
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("A late answer is not taken for the next one, of its own unit or another", arguments: 1...2)
  func neverMixesAnswers(_ units: Int) async throws {
    // Each answer carries its request's number. Every third comes 1.5 time-outs after it, which
    // leaves as long again to a machine that is busy before the answer may be taken for another.
    let slave = try ScriptedLine { request in
      let answer = request.registers(UInt16(request.number))
      return request.number % 3 == 2
        ? [.pause(milliseconds: 1500), .send(answer)] : [.send(answer)]
    }
    defer { slave.stop() }
    var definition = bus(line(slave.path), timeout: 1000)
    definition.devices = (1...units).map { fast("unit-\($0)", unit: UInt8($0)) }
    try await withBus(definition) { bus, sink in
      try await waitUntil("several answers were late") {
        bus.counters.lateAnswers >= 2
          && (1...units).allSatisfy { sink.goodValues(of: "unit-\($0)").count >= 3 }
      }
      for unit in 1...units {
        for case .uint(let number) in sink.goodValues(of: "unit-\(unit)") {
          #expect(number % 3 != 2, "the late answer \(number) was taken for another")
          let asked = slave.received[Int(number)].unit
          #expect(asked == UInt8(unit), "unit \(unit) has unit \(asked)'s answer \(number)")
        }
      }
    }
  }

  @Test("An answer behind noise and silence is not taken for the next one")
  func neverMixesAnswersBehindNoise() async throws {
    // Each answer carries its request's number. Every third comes when the noise before it was
    // judged long ago.
    let slave = try ScriptedLine { request in
      let answer = request.registers(UInt16(request.number))
      guard request.number % 3 == 2 else { return [.send(answer)] }
      let noise = [UInt8](repeating: 0x55, count: answer.count)
      return [.send(noise), .pause(milliseconds: 300), .send(answer)]
    }
    defer { slave.stop() }
    try await withBus(bus(line(slave.path), fast("d", unit: 1))) { bus, sink in
      try await waitUntil("several answers were behind noise") {
        sink.reasons(of: "d").count { $0 == .crc } >= 2 && sink.goodValues(of: "d").count >= 5
      }
      for case .uint(let number) in sink.goodValues(of: "d") {
        #expect(number % 3 != 2, "the answer \(number) was taken for another")
      }
    }
  }

  @Test("Damaged answers are crc, and do not back their unit off")
  func namesDamage() async throws {
    let slave = try ScriptedLine { request in
      var answer = request.registers(1)
      if request.number % 2 == 0 { answer[3] ^= 1 }
      return [.send(answer)]
    }
    defer { slave.stop() }
    try await withBus(bus(line(slave.path), timeout: 5000, fast("d", unit: 1, every: 150))) {
      bus, sink in
      try await waitUntil("both kinds") {
        sink.reasons(of: "d").count { $0 == .crc } >= 3 && sink.goodValues(of: "d").count >= 3
      }
      #expect(Set(sink.reasons(of: "d")).subtracting([.notRead]) == [.crc])
      #expect(Set(sink.goodValues(of: "d")) == [.uint(1)])
      #expect(bus.counters.wrongChecksums >= 3)
    }
  }

  @Test("An absent port is bus-closed each cycle, heals when it appears, and again when pulled")
  func healsAnAbsentPort() async throws {
    let slave = try ScriptedLine(isPresent: false) { [.send($0.registers(9))] }
    defer { slave.stop() }
    try await withBus(bus(line(slave.path), fast("d", unit: 1))) { _, sink in
      try await waitUntil("the device is lost") {
        sink.states(of: "d") == ["lost"] && sink.reasons(of: "d").count >= 5
      }
      #expect(Set(sink.reasons(of: "d")) == [.busClosed])
      #expect(
        sink.events.first { $0.source == "line" }?.stateDetail
          == StateDetail(
            state: "closed", reason: "open \(slave.path): No such file or directory"))
      try slave.appear()
      try await waitUntil("values come") { sink.goodValues(of: "d").count >= 3 }
      slave.vanish()
      try await waitUntil("pulled") { sink.states(of: "line") == ["closed", "open", "closed"] }
      let failed = sink.reasons(of: "d").count
      try await waitUntil("each cycle says so") { sink.reasons(of: "d").count >= failed + 5 }
      try slave.appear()
      try await waitUntil("back") {
        sink.states(of: "line") == ["closed", "open", "closed", "open"]
      }
      #expect(Set(sink.reasons(of: "d")).subtracting([.notRead]) == [.busClosed])
      // Cycles are 50 ms apart: none is missing between the first and the last.
      let times = sink.samples(of: "d").map(\.time.monotonic).sorted()
      let span = (times.last ?? 0) - (times.first ?? 0)
      #expect(Int64(times.count) >= span / 50 - 1)
    }
  }
}
