import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// Modbus RTU through a serial server that passes bytes on.
@Suite("RTU over TCP", .ownThread)
struct SerialServerTests {
  private let request = ReadRequest(table: .holding, address: 4, count: 2)
  private let soon = Duration.milliseconds(300)
  private let enough = Duration.seconds(patienceSeconds)

  private typealias Answer = @Sendable (ScriptedLine.Request) -> [ScriptedServer.Step]

  private func server(_ answer: @escaping Answer) throws -> ScriptedServer {
    try ScriptedServer.listening(requestLength: ModbusRTUFrame.requestLength) {
      answer(ScriptedLine.Request(number: $0.number, bytes: $0.bytes))
    }
  }

  private func connect(
    _ server: ScriptedServer, baud: Int? = nil
  ) throws -> ModbusRTUConnection<SerialServer> {
    try ModbusRTUConnection.open(
      RTUOverTCP(host: "127.0.0.1", port: server.port, baud: baud), BusManners(),
      lookup: HostLookup())
  }

  private func bus(_ server: ScriptedServer, timeout: Int64, _ devices: ModbusDevice...)
    -> ModbusBusDefinition
  {
    ModbusBusDefinition(
      name: "server", endpoint: .rtuOverTCP(RTUOverTCP(host: "127.0.0.1", port: server.port)),
      timeoutMilliseconds: timeout, devices: devices)
  }

  @Test("Answers are found whole, split, behind noise and before garbage")
  func reads() throws {
    let server = try server { request in
      let answer = request.registers(UInt16(request.number))
      return switch request.number {
      case 0: [.send(answer)]
      case 1: [.drip(answer, everyMilliseconds: 3)]
      case 2: [.send([0xFF, 0, 3] + answer + [1, 2, 3])]
      case 3: [.send(request.exception(2))]
      default: [.send(request.bytes + answer)]
      }
    }
    defer { server.stop() }
    var connection = try connect(server)
    for number: UInt16 in [0, 1, 2] {
      #expect(
        try connection.read(request, unit: 3, timeout: enough) == .values([number, number]))
    }
    #expect(try connection.read(request, unit: 3, timeout: enough) == .exception(2))
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([4, 4]))
  }

  @Test("A damaged and a foreign answer cost their request only")
  func refusesWrongAnswers() throws {
    let server = try server { request in
      switch request.number {
      case 0: [.send(Array(request.registers(1).dropLast()) + [0])]
      case 1: [.send(request.registers(1, unit: 9))]
      default: [.send(request.registers(2))]
      }
    }
    defer { server.stop() }
    var connection = try connect(server)
    #expect(throws: TransactionError.wrongChecksum) {
      try connection.read(request, unit: 3, timeout: enough)
    }
    #expect(throws: TransactionError.badAnswer(.wrongUnit(found: 9, expected: 3))) {
      try connection.read(request, unit: 3, timeout: enough)
    }
    #expect(try connection.read(request, unit: 4, timeout: enough) == .values([2, 2]))
  }

  @Test("One deadline covers an answer that drips, however long it goes on")
  func boundsADrip() throws {
    let server = try server { [.drip($0.registers(1), everyMilliseconds: 300)] }
    defer { server.stop() }
    var connection = try connect(server)
    let start = ContinuousClock.now
    #expect(throws: TransactionError.timeout(brokeOff: false, heard: .part)) {
      try connection.read(request, unit: 3, timeout: .milliseconds(700))
    }
    #expect(start.duration(to: .now) < .seconds(2.5), "9 bytes of 300 ms are 2.7 s")
  }

  @Test("After a time-out the same is not asked on this connection, unless an answer has come")
  func doubtsTheConnection() throws {
    let server = try server { request in
      request.unit == 3 ? [] : [.send(request.registers(4))]
    }
    defer { server.stop() }
    var connection = try connect(server)
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      try connection.read(request, unit: 3, timeout: soon)
    }
    #expect(throws: TransactionError.staleConnection) {
      try connection.read(request, unit: 3, timeout: soon)
    }
    #expect(server.received.count == 1, "nothing was sent")
    // What TCP held back would have come before this answer.
    #expect(try connection.read(request, unit: 4, timeout: enough) == .values([4, 4]))
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      try connection.read(request, unit: 3, timeout: soon)
    }
  }

  @Test("A silent unit does not cost the others their connection")
  func keepsTheConnection() async throws {
    let server = try server { request in
      request.unit == 2 ? [] : [.send(request.registers(UInt16(request.unit)))]
    }
    defer { server.stop() }
    let devices = (1...3).map {
      device("unit-\($0)", unit: UInt8($0), points: [point(0, every: 500)])
    }
    var definition = bus(server, timeout: 1000)
    definition.devices = devices
    try await withBus(definition) { bus, sink in
      try await waitUntil("the silent one is offline, the others go on") {
        sink.reasons(of: "unit-2").contains(.offline) && sink.goodValues(of: "unit-3").count >= 5
      }
      #expect(Set(sink.goodValues(of: "unit-3")) == [.uint(3)])
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("An answer that the network held back dies with its connection")
  func neverTakesAHeldBackAnswer() async throws {
    // Each answer carries its request's number. Every third comes when the next request does, as
    // after a stall; on the same connection it would be taken for the next one's.
    let held = Monitor<[Int: [UInt8]]>([:])
    let server = try ScriptedServer.listening(requestLength: ModbusRTUFrame.requestLength) { raw in
      let request = ScriptedLine.Request(number: raw.number, bytes: raw.bytes)
      let answer = request.registers(UInt16(raw.number))
      return held.withLock { held in
        let before = held.removeValue(forKey: raw.connection) ?? []
        guard raw.number % 3 == 2 else { return [.send(before + answer)] }
        held[raw.connection] = answer
        return []
      }
    }
    defer { server.stop() }
    let definition = bus(
      server, timeout: 300, device("d", unit: 1, points: [point(0, every: 100)]))
    try await withBus(definition) { bus, sink in
      try await waitUntil("several answers were held back") {
        sink.reasons(of: "d").count { $0 == .timeout } >= 3 && sink.goodValues(of: "d").count >= 6
      }
      for case .uint(let number) in sink.goodValues(of: "d") {
        #expect(number % 3 != 2, "the answer \(number) was taken for another")
      }
      #expect(bus.counters.connects >= 3)
      #expect(sink.states(of: "server") == ["open"], "a new connection is no fault")
    }
  }

  @Test("A server that hangs up is connected anew")
  func reconnects() async throws {
    let server = try server { request in
      request.number % 4 == 3 ? [.hangUp] : [.send(request.registers(1))]
    }
    defer { server.stop() }
    let definition = bus(
      server, timeout: 5000, device("d", unit: 1, points: [point(0, every: 50)]))
    try await withBus(definition) { bus, sink in
      try await waitUntil("several connections") {
        bus.counters.connects >= 3 && sink.goodValues(of: "d").count >= 8
      }
      #expect(Set(sink.goodValues(of: "d")) == [.uint(1)])
      #expect(Set(sink.reasons(of: "d")).isSubset(of: [.busClosed, .notRead]))
    }
  }

  @Test("The server's speed, where it is given, parts messages and lengthens the answer's time")
  func knowsTheSpeed() throws {
    let server = try server { request in
      // 9 characters at 300 Bd are 330 ms.
      [.drip(request.registers(1), everyMilliseconds: 40)]
    }
    defer { server.stop() }
    var quick = try connect(server)
    #expect(throws: TransactionError.timeout(brokeOff: false, heard: .part)) {
      try quick.read(request, unit: 3, timeout: .milliseconds(100))
    }
    var slow = try connect(server, baud: 300)
    #expect(try slow.read(request, unit: 3, timeout: enough) == .values([1, 1]))
    _ = try slow.read(request, unit: 3, timeout: enough)
    let times = server.received.map(\.time).suffix(2)
    let (first, second) = (try #require(times.first), try #require(times.last))
    // The answer's 8 pauses, and 3.5 characters.
    #expect(first.duration(to: second) >= .milliseconds(320 + 128))
  }

  @Test("An errand has its answer where each new connection is the schedule's first")
  func errandOverANewConnection() async throws {
    let server = try server { [.send($0.registers(1, unit: 2))] }
    defer { server.stop() }
    let one = device("d", unit: 1, points: [point(0, every: 50)])
    let definition = bus(server, timeout: 200, one)
    try await withBus(definition) { bus, _ in
      try await waitUntil("it is asked") { bus.counters.badAnswers >= 1 }
      let probe = BusProbe(definition, devices: ["d"], isTraced: false)
      let ticket = try #require(bus.visit(.probe(probe)))
      try await waitUntil("it is done") { ticket.look().isDone }
      guard case .probe(let done) = ticket.look().errand else { throw WaitedInVain("a probe") }
      #expect(done.readings.map(\.outcome) == [.bad(.badAnswer)])
      let asked = bus.counters.badAnswers
      try await waitUntil("the schedule goes on") { bus.counters.badAnswers > asked }
    }
  }
}
