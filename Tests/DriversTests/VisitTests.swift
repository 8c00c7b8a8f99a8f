import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// Errands on real connections: beside a bus that polls, and alone.
@Suite("Visits", .ownThread)
struct VisitTests {
  private func line(_ path: String) -> SerialLine { SerialLine(path: path, baud: 115_200) }

  private func fast(_ name: String, unit: UInt8, every: Int64 = 50) -> ModbusDevice {
    device(name, unit: unit, points: [point(0, every: every)])
  }

  private func probe(_ definition: ModbusBusDefinition, _ names: Set<String>) -> BusErrand {
    .probe(BusProbe(definition, devices: names, isTraced: true))
  }

  private func done(_ errand: BusErrand) throws -> BusProbe {
    guard case .probe(let probe) = errand else { throw WaitedInVain("a probe") }
    return probe
  }

  @Test("A bus reads points for somebody between its own requests, with the bytes")
  func besideABus() async throws {
    let slave = try LibmodbusSlave(.init(holdings: [42, 43]))
    defer { slave.stop() }
    let definition = bus(port: slave.port, fast("d", unit: 1))
    try await withBus(definition) { bus, sink in
      try await waitUntil("values") { sink.goodValues(of: "d").count >= 3 }
      let samples = sink.samples.count
      let ticket = try #require(bus.visit(probe(definition, ["d"])))
      try await waitUntil("it is done") { ticket.look().isDone }
      let probe = try done(ticket.look().errand)
      #expect(probe.readings.map(\.outcome) == [.good(.uint(42))])
      let events = try #require(probe.transactions.first).events
      #expect(events.first?.kind == .sent && events.first?.microseconds == 0)
      #expect(events.last?.kind == .received)
      #expect(events.last?.bytes.suffix(2) == [0, 42])
      try await waitUntil("it goes on") { sink.samples.count > samples + 3 }
      let statistics = bus.statistics
      let unit = try #require(statistics.units.first)
      #expect(unit.unit == 1 && unit.answers >= 3 && unit.lastFailure == nil)
      #expect(try #require(unit.turnarounds.quantile(0.5)) < 1_000_000)
      #expect(statistics.counters.connects == 1)
    }
  }

  @Test("A visit of a dead unit leaves the others their cycles, and each point has its reason")
  func deadUnit() async throws {
    let slave = try ScriptedLine { request in
      request.unit == 9 ? [] : [.send(request.registers(UInt16(request.unit)))]
    }
    defer { slave.stop() }
    var definition = bus(line(slave.path), timeout: 1000)
    var live = fast("live", unit: 1, every: 200)
    // Whatever else the machine does.
    live.turnaroundMilliseconds = 5000
    definition.devices = [live]
    var wanted = definition
    wanted.devices.append(
      device("dead", unit: 9, points: (0..<4).map { point("p\($0)", .holding, $0 * 500) }))
    try await withBus(definition) { bus, sink in
      try await waitUntil("values") { sink.goodValues(of: "live").count >= 3 }
      let ticket = try #require(bus.visit(probe(wanted, ["live", "dead"])))
      try await waitUntil("it is done") { ticket.look().isDone }
      let readings = try done(ticket.look().errand).readings
      #expect(readings.first?.outcome == .good(.uint(1)))
      #expect(
        readings.dropFirst().map(\.outcome)
          == [.bad(.timeout), .bad(.timeout), .bad(.offline), .bad(.offline)])
      #expect(sink.reasons(of: "live").allSatisfy { $0 == .notRead })
      #expect(bus.statistics.units.map(\.unit) == [1])
      #expect(bus.counters.timeouts == 0)
    }
  }

  @Test("A scan beside a bus finds its units and leaves no answer behind for its own questions")
  func scanBesideABus() async throws {
    // Late by more than the first pass waits: it belongs to nobody's next question.
    let slave = try ScriptedLine { request in
      switch request.unit {
      case 1: [.send(request.registers(1))]
      case 4: [.pause(milliseconds: 130), .send(request.registers(4))]
      case 5: [.send(request.exception(2))]
      default: []
      }
    }
    defer { slave.stop() }
    let definition = bus(line(slave.path), timeout: 400, fast("d", unit: 1, every: 100))
    try await withBus(definition) { bus, sink in
      let errand = BusErrand.scan(BusScan(definition, units: 1...6, isTraced: false))
      let ticket = try #require(bus.visit(errand))
      try await waitUntil("it is done") { ticket.look().isDone }
      guard case .scan(let scan) = ticket.look().errand else { throw WaitedInVain("a scan") }
      #expect(scan.found.map(\.unit) == [1, 4, 5])
      #expect(scan.problem == nil)
      #expect(Set(sink.goodValues(of: "d")) == [.uint(1)])
    }
  }

  @Test("A scan whose bus ends, as by a reload, says so and how far it came")
  func scanOfABusThatEnds() async throws {
    let slave = try ScriptedLine { request in
      request.unit == 1 ? [.send(request.registers(1))] : []
    }
    defer { slave.stop() }
    let definition = bus(line(slave.path), timeout: 400, fast("d", unit: 1, every: 100))
    let bus = try ModbusBus(definition: definition, sink: RecordingSink(), clock: KernelClock())
    let task = Task { await bus.run() }
    let errand = BusErrand.scan(BusScan(definition, units: 1...247, isTraced: false))
    let ticket = try #require(bus.visit(errand))
    try await waitUntil("it is under way") { ticket.look().errand.progress.done >= 3 }
    task.cancel()
    await task.value
    guard case (.scan(let scan), true) = ticket.look() else { throw WaitedInVain("a scan's end") }
    #expect(scan.isBrokenOff && scan.found.map(\.unit) == [1])
    #expect((3..<247).contains(scan.asked) && scan.askedOnce == scan.asked - 1)
    #expect(scan.problem?.contains("the configuration was reloaded") == true)
  }

  @Test("On a bus that is refused each point says so, and the errand ends with the bus")
  func refused() async throws {
    let definition = bus(port: try LoopbackPorts.free(), fast("d", unit: 1))
    let sink = RecordingSink()
    let bus = try ModbusBus(definition: definition, sink: sink, clock: KernelClock())
    let task = Task { await bus.run() }
    let ticket = try #require(bus.visit(probe(definition, ["d"])))
    try await waitUntil("it is done") { ticket.look().isDone }
    let reading = try #require(try done(ticket.look().errand).readings.first)
    #expect(reading.outcome == .bad(.refused))
    #expect(reading.problem?.hasSuffix("Connection refused") == true)
    task.cancel()
    await task.value
    #expect(bus.visit(probe(definition, ["d"])) == nil)
  }

  @Test("Alone, a probe says that it is at work before it connects")
  func tellsBeforeItConnects() throws {
    let definition = bus(port: try LoopbackPorts.free(), fast("d", unit: 1))
    var told: [BusErrand.Progress] = []
    let done = DirectVisit.perform(probe(definition, ["d"]), on: definition) {
      told.append($0.progress)
    }
    #expect(told == [BusErrand.Progress(done: 0, total: 1)])
    #expect(done.progress == BusErrand.Progress(done: 1, total: 1))
  }

  @Test("Alone, a probe opens the port, and shows what was late, spurious or on the line before")
  func alone() throws {
    let slave = try ScriptedLine { request in
      switch request.number {
      case 0: [.pause(milliseconds: 1500), .send(request.registers(7))]
      case 1: [.send([0]), .send(request.registers(8)), .send([0xFF, 0xFE])]
      default: [.send(request.registers(9))]
      }
    }
    defer { slave.stop() }
    let definition = bus(
      line(slave.path), timeout: 1000,
      device(
        "d", unit: 3,
        points: [
          point("a", .holding, 0), point("b", .holding, 500, .float32),
          point("c", .holding, 900),
        ]))
    let probe = try done(DirectVisit.perform(self.probe(definition, ["d"]), on: definition))
    #expect(probe.readings.map(\.outcome).first == .bad(.timeout))
    #expect(probe.readings.map(\.registers) == [nil, [8, 8], [9]])
    #expect(probe.transactions.count == 3)
    let first = try #require(probe.transactions.first)
    #expect(first.outcome == "no answer within 1000 ms")
    #expect(first.events.map(\.kind) == [.sent])
    let all = probe.transactions.dropFirst().flatMap(\.events)
    #expect(all.contains { $0.kind == .late })
    // The late answer and the noise behind the second one: on the line before a request, or within
    // its answer, by when they came.
    let bytes = all.filter { $0.kind != .sent && $0.kind != .late }.flatMap(\.bytes)
    #expect(bytes.contains(0xFF))
    for transaction in probe.transactions {
      let sent = transaction.events.filter { $0.kind == .sent }
      #expect(sent.count == 1 && sent.first?.microseconds == 0)
      let times = transaction.events.map(\.microseconds)
      #expect(times == times.sorted())
    }
  }

  @Test("A question that takes longer than the bus's own does not make the bus look stuck")
  func longQuestion() async throws {
    let slave = try ScriptedLine { _ in [] }
    defer { slave.stop() }
    var definition = bus(line(slave.path), timeout: 10)
    definition.manners.connectTimeoutMilliseconds = 100
    let timeout = definition.workMilliseconds + 500
    let heartbeat = Heartbeat(name: "line")
    let bus = try ModbusBus(
      definition: definition, sink: RecordingSink(), clock: KernelClock(), heartbeat: heartbeat)
    async let _ = bus.run()
    let scan = BusScan(definition, units: [9], timeoutMilliseconds: timeout, isTraced: false)
    let ticket = try #require(bus.visit(.scan(scan)))
    var latest: Int64 = 0
    try await waitUntil("it is done") {
      latest = max(latest, heartbeat.lateness(at: Heartbeat.now()) ?? 0)
      return ticket.look().isDone
    }
    #expect(latest == 0)
  }

  @Test("Alone, a station is given its time after connecting, too")
  func pausesAfterConnect() throws {
    let server = try ScriptedServer.listening { [.send($0.registers(1))] }
    defer { server.stop() }
    var definition = bus(port: server.port, fast("d", unit: 1))
    definition.manners.pauseAfterConnectMilliseconds = 300
    let start = ContinuousClock.now
    let probe = try done(DirectVisit.perform(self.probe(definition, ["d"]), on: definition))
    #expect(probe.readings.map(\.outcome) == [.good(.uint(1))])
    #expect(start.duration(to: try #require(server.received.first).time) >= .milliseconds(300))
  }

  @Test("Alone, a port that is not there is the reason of every point")
  func absentPort() throws {
    let definition = bus(line("/dev/does-not-exist"), fast("d", unit: 1))
    let probe = try done(DirectVisit.perform(self.probe(definition, ["d"]), on: definition))
    #expect(probe.readings.map(\.outcome) == [.bad(.busClosed)])
    #expect(probe.readings.first?.problem?.contains("No such file or directory") == true)
  }

  @Test("A bus that closes after each cycle keeps its connection for an errand, then closes it")
  func closesAfterCycle() async throws {
    let server = try ScriptedServer { request in [.send(request.registers(5))] }
    defer { server.stop() }
    try server.listen()
    var definition = bus(port: server.port, fast("d", unit: 1, every: 3_600_000))
    definition.manners.closesAfterCycle = true
    var wanted = definition
    wanted.devices = [
      device("d", unit: 1, points: (0..<4).map { point("p\($0)", .holding, $0 * 500) })
    ]
    try await withBus(definition) { bus, sink in
      try await waitUntil("the first cycle") { sink.goodValues(of: "d").count == 1 }
      let ticket = try #require(bus.visit(probe(wanted, ["d"])))
      try await waitUntil("it is done") { ticket.look().isDone }
      let readings = try done(ticket.look().errand).readings
      #expect(readings.map(\.outcome) == Array(repeating: .good(.uint(5)), count: 4))
      // One of the schedule's, one of the errand's.
      #expect(bus.counters.connects == 2)
    }
  }

  @Test("Where an adapter returns what is sent, that is no noise beside the answer")
  func echo() throws {
    let slave = try ScriptedLine { request in
      [.send(request.bytes), .send(request.registers(6))]
    }
    defer { slave.stop() }
    let definition = bus(line(slave.path), fast("d", unit: 3))
    let probe = try done(DirectVisit.perform(self.probe(definition, ["d"]), on: definition))
    #expect(probe.readings.map(\.outcome) == [.good(.uint(6))])
    #expect(probe.transactions.map(\.outcome) == ["answer with 1 value"])
  }

  @Test("Alone, a station that hangs up after each answer is read to the end")
  func hangsUp() throws {
    let server = try ScriptedServer { request in [.send(request.registers(5)), .hangUp] }
    defer { server.stop() }
    try server.listen()
    let definition = bus(
      port: server.port, timeout: 5000,
      device("d", unit: 1, points: (0..<4).map { point("p\($0)", .holding, $0 * 500) }))
    let probe = try done(DirectVisit.perform(self.probe(definition, ["d"]), on: definition))
    #expect(probe.readings.map(\.outcome) == Array(repeating: .good(.uint(5)), count: 4))
  }
}
