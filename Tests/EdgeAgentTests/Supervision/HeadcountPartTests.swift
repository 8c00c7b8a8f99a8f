import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import Drivers
@testable import EdgeAgent

@Suite("The headcount in the agent", .ownThread)
struct HeadcountPartTests {
  private static let lines: Set<String> = ["gate-in", "gate-out"]

  private let clock = ManualClock()
  private let ring = SampleRing()
  private let configuration: AgentConfiguration
  private let board: HealthBoard
  private let part: HeadcountPart
  private let intake: LineIntake

  init() throws {
    configuration = try Fixtures.load(text: InputsTests.text)
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
    part = HeadcountPart(board: board, clock: clock)
    intake = LineIntake(board: board, headcount: part, definitions: 7)
    part.use(configuration.areas, lines: Self.lines, restored: NewestSamples(), definitions: 7)
    for line in ["gate-in", "gate-out"] {
      intake.line(line, changedTo: nil, at: clock.now())
      intake.accept(LineTransition(line: line, isActive: false, time: clock.now()))
    }
  }

  private func pass(_ line: String) {
    for isActive in [true, false] {
      clock.advance(by: 100)
      intake.accept(LineTransition(line: line, isActive: isActive, time: clock.now()))
    }
  }

  private func newest() throws -> Sample {
    try #require(ring.take(atMost: 0).samples.last { $0.sample.device.name == "heading" }).sample
  }

  private func balance() -> Int64? { part.states.first?.balance }

  private func ask(
    _ command: String, _ members: (inout JSONWriter) -> Void = { _ in }
  ) throws -> JSONFields {
    let line = ControlProtocol.request(command, members)
    let request = try ControlRequest(line.dropLast())
    return try JSONFields(JSONParser.parse(HeadcountDesk.answer(request, part)))
  }

  private func set(
    _ area: String = "heading", _ count: Int64 = 4, by name: String = "王", for reason: String = "r"
  ) throws -> JSONFields {
    let order = SetOrder(area: area, count: count, operator: name, reason: reason)
    return try ask("headcount-set") { order.writeMembers(into: &$0) }
  }

  @Test("Who passes a gate is counted; a line that is lost makes the count bad, never 0")
  func counting() throws {
    for _ in 0..<3 { pass("gate-in") }
    pass("gate-out")
    #expect(balance() == 2)
    #expect(try newest().outcomes.first?.outcome == .good(.int(2)))
    intake.line("gate-out", changedTo: .lineMissing, at: clock.now())
    #expect(try newest().outcomes.first?.outcome == .bad(.lineMissing, raw: .int(2)))
    try waitUntil("health names the source") {
      board.report().parts.contains {
        $0.kind == .area && $0.name == "heading" && $0.fault == "gate-out: line-missing"
      }
    }
    intake.line("gate-out", changedTo: nil, at: clock.now())
    try waitUntil("and that it is back") {
      board.report().parts.contains { $0.kind == .area && $0.fault == nil }
    }
  }

  @Test("A restart goes on with the journal's newest sample, a reload with what was counted since")
  func goingOn() throws {
    for _ in 0..<3 { pass("gate-in") }
    let sample = try newest()
    let other = HeadcountPart(board: board, clock: clock)
    other.use(
      configuration.areas, lines: Self.lines, restored: NewestSamples(samples: ["heading": sample]),
      definitions: 6)
    #expect(other.states.first?.balance == 3)
    other.end()
    _ = ring.take(atMost: 0)

    pass("gate-in")
    var changed = configuration.areas
    changed[0].quota = 12
    changed[0].everyMilliseconds = 2000
    part.use(
      changed, lines: Self.lines, restored: NewestSamples(samples: ["heading": sample]),
      definitions: 8)
    #expect(balance() == 4)
    // Nobody says again that the lines are well.
    #expect(part.states.first?.faults == [])
    pass("gate-in")
    #expect(balance() == 5)
    let samples = ring.take(atMost: 0).samples.filter {
      $0.sample.device.name == "heading" && $0.definitions != 6
    }
    #expect(samples.last?.definitions == 8)
    let times = samples.map(\.sample.time.monotonic)
    #expect(zip(times, times.dropFirst()).allSatisfy(<))
  }

  @Test("Areas whose balance nobody knows, and those whose lines are stuck, say so in health")
  func unknown() throws {
    pass("gate-in")
    part.lines(areStuck: true)
    #expect(try newest().outcomes.first?.outcome == .bad(.notRead, raw: .int(1)))
    // A reload meanwhile changes nothing of that.
    var changed = configuration.areas
    changed[0].quota = 12
    part.use(changed, lines: Self.lines, restored: NewestSamples(), definitions: 8)
    #expect(part.states.first?.count == .bad(.notRead, raw: .int(1)))
    part.lines(areStuck: false)
    #expect(part.states.first?.count == .good(.int(1)))
    part.end()

    let other = HeadcountPart(board: board, clock: clock)
    defer { other.end() }
    other.use(
      configuration.areas, lines: Self.lines, restored: NewestSamples(), doubt: "store-failed",
      definitions: 7)
    for line in ["gate-in", "gate-out"] { other.line(line, changedTo: nil, at: clock.now()) }
    try waitUntil("health names it") {
      board.report().parts.contains { $0.kind == .area && $0.fault == "balance: not-read" }
    }
    _ = try other.set(area: "heading", to: 7, operator: "王", reason: "r")
    try waitUntil("and that it is known again") {
      board.report().parts.contains { $0.kind == .area && $0.fault == nil }
    }
  }

  @Test("Of a line that is not configured any more nothing is kept, and nothing taken")
  func removedLine() throws {
    pass("gate-in")
    part.use([], lines: ["gate-out"], restored: NewestSamples(), definitions: 8)
    // What was on its way when the line was removed.
    intake.line("gate-in", changedTo: nil, at: clock.now())
    intake.accept(LineTransition(line: "gate-in", isActive: false, time: clock.now()))
    part.use(configuration.areas, lines: Self.lines, restored: NewestSamples(), definitions: 9)
    #expect(
      part.states.first?.faults == [AreaState.Fault(source: "gate-in", reason: .notRead)])
    pass("gate-out")
    #expect(try newest().outcomes.first?.outcome == .bad(.notRead, raw: .int(0)))
  }

  @Test("Lines that were given back change no count")
  func closed() throws {
    pass("gate-in")
    _ = ring.take(atMost: 0)
    intake.close()
    pass("gate-in")
    intake.line("gate-in", changedTo: .lineMissing, at: clock.now())
    #expect(balance() == 1)
    #expect(part.states.first?.faults == [])
    #expect(
      ring.take(atMost: 0).samples.allSatisfy {
        $0.sample.device.name == "heading" && $0.sample.outcomes[0].outcome == .good(.int(1))
      })
  }

  @Test("More changes than are reported at once are in the last sample before the end")
  func end() throws {
    for _ in 0..<30 {
      intake.accept(LineTransition(line: "gate-in", isActive: true, time: clock.now()))
      intake.accept(LineTransition(line: "gate-in", isActive: false, time: clock.now()))
    }
    part.end()
    let sample = try newest()
    let restored = HeadcountPart(board: board, clock: clock)
    restored.use(
      configuration.areas, lines: Self.lines, restored: NewestSamples(samples: ["heading": sample]),
      definitions: 7)
    #expect(restored.states.first?.balance == 30)
  }

  @Test("Without areas nothing is told and nothing is shown")
  func empty() throws {
    part.use([], lines: Self.lines, restored: NewestSamples(), definitions: 7)
    #expect(part.states.isEmpty)
    pass("gate-in")
    #expect(try ask("headcount").objects("areas").isEmpty)
    #expect(throws: ControlRefusal.self) { try set() }
  }

  @Test("A count is set with who and why, in an event, and the next sample has it")
  func setting() throws {
    pass("gate-in")
    _ = ring.take(atMost: 0)
    let area = try set().fields("area")
    #expect(try area.integer("balance") == 4)
    #expect(try area.integer("previous") == 1)
    let content = ring.take(atMost: 0)
    let detail = HeadcountDetail(state: .set, count: 4, previous: 1, operator: "王", reason: "r")
    #expect(content.events.map(\.detail) == [.headcount(detail)])
    #expect(content.samples.last?.sample.outcomes.first?.outcome == .good(.int(4)))
    let shown = try StatusReport.Area(try #require(try ask("headcount").objects("areas").first))
    #expect(shown.name == "heading" && shown.balance == 4 && shown.quota == 9)
    #expect(shown.gates == [StatusReport.Area.Gate(name: "gate-1", balance: 0)])
    #expect(try ask("headcount") { $0.member("area", "heading") }.objects("areas").count == 1)
  }

  @Test("What can't be set is refused with a word and changes nothing")
  func refusals() throws {
    func word(_ body: () throws -> JSONFields) -> ControlRefusal.Word? {
      do {
        _ = try body()
        return nil
      } catch {
        return (error as? ControlRefusal)?.word
      }
    }
    pass("gate-in")
    _ = ring.take(atMost: 0)
    #expect(word { try set("other") } == .unknownName)
    #expect(word { try ask("headcount") { $0.member("area", "other") } } == .unknownName)
    #expect(word { try set(count: -1) } == .malformedRequest)
    #expect(word { try set(count: Headcount.mostPersons + 1) } == .malformedRequest)
    #expect(word { try set(by: " \t") } == .malformedRequest)
    #expect(word { try set(by: "a\u{1b}[2J") } == .malformedRequest)
    #expect(word { try set(for: "") } == .malformedRequest)
    #expect(word { try set(for: String(repeating: "x", count: 513)) } == .malformedRequest)
    #expect(word { try ask("headcount-set") { $0.member("area", "heading") } } == .malformedRequest)
    var areas = configuration.areas
    areas[0].gates = []
    areas[0].reported = [PointReference(device: "p", point: "n", everyMilliseconds: 1000)]
    part.use(areas, lines: Self.lines, restored: NewestSamples(), definitions: 7)
    #expect(word { try set() } == .notSettable)
    #expect(ring.take(atMost: 0).events.isEmpty)
  }

  @Test("Each refusal names its own cause and what is expected")
  func refusalWords() throws {
    func words(_ body: () throws -> JSONFields) -> String? {
      do {
        _ = try body()
        return nil
      } catch {
        return (error as? ControlRefusal)?.text
      }
    }
    let order = { (count: String) in
      #"{"v":1,"command":"headcount-set","area":"heading","count":\#(count),"#
        + #""operator":"w","reason":"r"}"#
    }
    for count in ["-3", "3.5", "1000001", #""many""#] {
      let text = words {
        let request = try ControlRequest(order(count).utf8)
        return try JSONFields(JSONParser.parse(HeadcountDesk.answer(request, part)))
      }
      let said = count.filter { $0 != "\"" }
      #expect(text == "count: 0…1000000 is expected, not \(said)")
    }
    let unknown = "the agent has no area other; it has heading; "
    #expect(words { try set("other") }?.hasPrefix(unknown) == true)
    #expect(
      words { try ask("headcount") { $0.member("area", "other") } }?.hasPrefix(unknown) == true)
    #expect(words { try set(by: "") } == "operator: it is empty")
    #expect(words { try set(by: " ") } == "operator: there is nothing in it but blanks")
    #expect(words { try set(by: "w\u{FFFD}") } == "operator: it is not UTF-8")
    #expect(
      words { try set(for: "a\nb") } == "reason: it has a line's end or a control character in it")
    #expect(
      words { try set(for: String(repeating: "x", count: 513)) }
        == "reason: it has 513 bytes; 512 at most are taken")
    #expect(balance() == 0)
  }

  private func set(count: Int64) throws -> JSONFields { try set("heading", count) }
}
