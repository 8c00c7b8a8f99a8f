import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// How connections over TCP are made, kept and given back.
@Suite("Manners over TCP", .ownThread)
struct ConnectionMannersTests {
  private let request = ReadRequest(table: .holding, address: 4, count: 2)
  private let enough = Duration.seconds(patienceSeconds)

  private func option(_ socket: borrowing ModbusSocket, _ level: Int32, _ name: Int32) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(socket.descriptor, level, name, &value, &size)
    return value
  }

  @Test(
    "The kernel is told to find half-open connections", arguments: [30_000, 1, nil] as [Int64?])
  func keepAlive(_ milliseconds: Int64?) throws {
    let server = try ScriptedServer.listening { _ in [] }
    defer { server.stop() }
    var manners = BusManners()
    #expect(manners.keepAliveMilliseconds == 30_000)
    manners.keepAliveMilliseconds = milliseconds
    let socket = try ModbusSocket.open(
      host: "127.0.0.1", port: server.port, manners: manners, lookup: HostLookup())
    let tcp = Int32(IPPROTO_TCP)
    #expect(option(socket, SOL_SOCKET, SO_KEEPALIVE) == (milliseconds == nil ? 0 : 1))
    if let milliseconds {
      #expect(option(socket, tcp, TCP_KEEPIDLE) == (milliseconds == 1 ? 1 : 30))
      #expect(option(socket, tcp, TCP_KEEPINTVL) == 5)
      #expect(option(socket, tcp, TCP_KEEPCNT) == 3)
    }
    #expect(option(socket, tcp, TCP_USER_TIMEOUT) == 5_000)
    #expect(option(socket, tcp, TCP_NODELAY) == 1)
  }

  @Test("An attempt to connect ends with its own time-out")
  func connectTimeout() throws {
    let station = try BlackHole(isPlugged: true)
    var manners = BusManners()
    manners.connectTimeoutMilliseconds = 200
    let start = ContinuousClock.now
    let error = #expect(throws: ConnectError.self) {
      _ = try ModbusSocket.open(
        host: "127.0.0.1", port: station.port, manners: manners, lookup: HostLookup())
    }
    let taken = start.duration(to: .now)
    #expect(taken >= .milliseconds(190))
    #expect(taken < .seconds(2), "less than the default")
    #expect(error?.description == "connect 127.0.0.1:\(station.port): Connection timed out")
    withExtendedLifetime(station) {}
  }

  @Test("A pause is kept before a request to its unit and behind it, whoever is asked next")
  func pauses() throws {
    let server = try ScriptedServer.listening { [.send($0.registers(1))] }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    for unit: UInt8 in [1, 2, 3] {
      let pause: Duration = unit == 2 ? .milliseconds(200) : .zero
      _ = try connection.read(request, unit: unit, timeout: enough, pause: pause)
    }
    let times = server.received.map(\.time)
    #expect(times[0].duration(to: times[1]) >= .milliseconds(190))
    #expect(times[1].duration(to: times[2]) >= .milliseconds(190))
  }

  @Test("A station is given its time after connecting")
  func pausesAfterConnect() async throws {
    let server = try ScriptedServer.listening { request in
      // The second connection follows the hang-up at once.
      request.number == 0 ? [.send(request.registers(1)), .hangUp] : [.send(request.registers(2))]
    }
    defer { server.stop() }
    var definition = bus(
      port: server.port, device("d", unit: 1, points: [point(0, every: 50)]))
    definition.manners.pauseAfterConnectMilliseconds = 400
    try await withBus(definition) { bus, sink in
      try await waitUntil("values") { sink.goodValues(of: "d").count >= 5 }
      #expect(bus.counters.connects == 2)
    }
    let times = server.received.map(\.time)
    #expect(times[0].duration(to: times[1]) >= .milliseconds(390))
    #expect(times[1].duration(to: times[2]) < .milliseconds(390))
  }

  @Test("A connection that nothing is asked on is closed after its time, and is no fault")
  func idleTimeout() async throws {
    let server = try ScriptedServer.listening { [.send($0.registers(1))] }
    defer { server.stop() }
    var definition = bus(
      port: server.port, device("d", unit: 1, points: [point(0, every: 600)]))
    definition.manners.idleTimeoutMilliseconds = 100
    try await withBus(definition) { bus, sink in
      try await waitUntil("several cycles") { sink.goodValues(of: "d").count >= 4 }
      try await waitUntil("the connection rests") { server.connections.open == 0 }
      #expect(bus.counters.connects >= 3)
      #expect(Set(sink.reasons(of: "d")).subtracting([.notRead]).isEmpty)
      #expect(sink.states(of: "station") == ["open"])
    }
  }

  @Test("A connection in use stays, however short its idle time-out is against the run")
  func keepsWhatIsUsed() async throws {
    let server = try ScriptedServer.listening { [.send($0.registers(1))] }
    defer { server.stop() }
    var definition = bus(
      port: server.port, device("d", unit: 1, points: [point(0, every: 50)]))
    definition.manners.idleTimeoutMilliseconds = 60_000
    try await withBus(definition) { bus, sink in
      try await waitUntil("many cycles") { sink.goodValues(of: "d").count >= 20 }
      #expect(bus.counters.connects == 1)
    }
  }

  @Test("With close-after-cycle a station's one place is free between the cycles")
  func closesAfterCycle() async throws {
    let server = try ScriptedServer.listening { [.send($0.registers(UInt16($0.unit)))] }
    defer { server.stop() }
    let devices = (1...3).map {
      device("unit-\($0)", unit: UInt8($0), points: [point(0, every: 400)])
    }
    var definition = bus(port: server.port)
    definition.devices = devices
    definition.manners.closesAfterCycle = true
    try await withBus(definition) { bus, sink in
      try await waitUntil("several cycles") { sink.goodValues(of: "unit-3").count >= 5 }
      try await waitUntil("the place is free") { server.connections.open == 0 }
      for unit: UInt64 in 1...3 {
        #expect(Set(sink.goodValues(of: "unit-\(unit)")) == [.uint(unit)])
        #expect(Set(sink.reasons(of: "unit-\(unit)")).subtracting([.notRead]).isEmpty)
      }
      #expect(sink.states(of: "station") == ["open"])
      #expect(server.connections.accepted >= 5)
    }
  }

  @Test("A resting connection is not made for units that are not asked")
  func restsWhileBackedOff() {
    var machine = ModbusBusStateMachine(
      bus(timeout: 100, device("d", unit: 1, points: [point(0, every: 1000)])), start: 0)
    func at(_ time: Int64) -> Timestamp {
      Timestamp(monotonic: time, offset: 0, clock: .synced)
    }
    var now: Int64 = 0
    var connects: [Int64] = []
    var timeouts = 0
    while now < 60_000 {
      switch machine.next(at: at(now)) {
      case .connect:
        connects.append(now)
        machine.connected(at: at(now))
      case .ask(let turn):
        timeouts += 1
        now += 100
        machine.finish(turn, with: .failure(.timeout(brokeOff: false)), at: at(now))
      case .sleep(let until):
        machine.rest()
        now = max(now + 1, until)
      }
    }
    let reports = machine.takeReports()
    let samples = reports.count { if case .sample = $0 { true } else { false } }
    #expect(samples >= 60, "every cycle has its outcome")
    #expect(timeouts < 20)
    // One for each question, and at most one more when the connection itself was doubted.
    #expect(connects.count <= 2 * timeouts)
    #expect(connects.count < 40, "\(connects)")
    #expect(!machine.isOpen)
  }

  @Test("Two buses on one station have a connection each")
  func sharesAStation() async throws {
    let server = try ScriptedServer.listening { [.send($0.registers(UInt16($0.unit)))] }
    defer { server.stop() }
    let first = bus(port: server.port, device("a", unit: 1, points: [point(0, every: 50)]))
    let second = bus(port: server.port, device("b", unit: 2, points: [point(0, every: 50)]))
    try await withBus(first) { _, one in
      try await withBus(second) { _, two in
        try await waitUntil("both are read") {
          one.goodValues(of: "a").count >= 5 && two.goodValues(of: "b").count >= 5
        }
        #expect(Set(one.goodValues(of: "a")) == [.uint(1)])
        #expect(Set(two.goodValues(of: "b")) == [.uint(2)])
        #expect(server.connections.accepted == 2)
      }
    }
  }
}
