import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("An area's headcount")
struct AreaTests {
  private static let turnstile = GateDefinition(
    name: "gate-1", sensors: .turnstile(enter: "in", leave: "out"))
  private static let lock = GateDefinition(
    name: "lock", sensors: .beams(outer: "outer", inner: "inner"))

  private struct Play {
    let clock = ManualClock()
    let ledger = AreaLedger()
    let headcount: Headcount
    let area: AreaDefinition

    init(
      gates: [GateDefinition] = [turnstile], reported: [String] = [], quota: Int64? = nil,
      restored: Sample? = nil
    ) {
      let names = AreaPoint.names(
        gates: gates, hasReported: !reported.isEmpty, hasQuota: quota != nil)
      area = AreaDefinition(
        name: "heading", gates: gates,
        reported: reported.map {
          PointReference(device: "positioning", point: $0, everyMilliseconds: 2000)
        }, quota: quota, points: names.map { PointDescription(name: $0, type: "int64") })
      headcount = Headcount(
        [area], restored: restored.map { ["heading": $0] } ?? [:], sink: ledger, clock: clock)
    }

    /// The lines can be read, and are not active.
    func begin() {
      for line in area.gates.flatMap(\.sensors.lines) {
        headcount.line(line, changedTo: nil, at: clock.now())
        change(line, false)
      }
    }

    func change(_ line: String, _ isActive: Bool) {
      headcount.accept(LineTransition(line: line, isActive: isActive, time: clock.now()))
    }

    func pulse(_ line: String, times: Int = 1) {
      for _ in 0..<times {
        change(line, true)
        change(line, false)
        clock.advance(by: 150)
      }
    }

    func report(_ outcomes: [String: Outcome]) {
      let schema = DeviceSchema(name: "positioning", points: outcomes.keys.sorted())
      headcount.take(
        Sample(
          device: schema, time: clock.now(),
          outcomes: schema.points.enumerated().map { index, name in
            PointOutcome(point: index, outcome: outcomes[name] ?? .bad(.timeout))
          }))
    }

    func newest(_ point: String) -> Outcome? {
      guard let sample = ledger.samples.last,
        let index = sample.device.points.firstIndex(of: point)
      else { return nil }
      return sample.outcomes[index].outcome
    }
  }

  @Test("Who enters and leaves is counted, each change is a sample, and turns are in between")
  func turnstile() {
    let play = Play(quota: 9)
    #expect(play.headcount.tick() == play.clock.monotonic + 1000)
    #expect(play.newest("count") == .bad(.notRead, raw: .int(0)))
    play.begin()
    play.clock.advance(by: 200)
    let before = play.ledger.samples.count
    play.pulse("in", times: 3)
    play.pulse("out")
    #expect(play.ledger.samples.count == before + 4)
    for (point, value) in [("count", 2), ("quota", 9), ("balance", 2), ("gate-1", 2)] {
      #expect(play.newest(point) == .good(.int(Int64(value))), "\(point)")
    }
    #expect(play.newest("age") == .good(.decimal(mantissa: 0, decimals: 1)))
    #expect(play.newest("reported") == nil)
    #expect(play.ledger.events.map(\.state) == [.began])
    play.clock.advance(by: 300)
    #expect(play.headcount.tick() == play.clock.monotonic + 900)
    #expect(play.ledger.samples.count == before + 5)
  }

  @Test("Two beams tell who enters and who leaves")
  func beams() {
    let play = Play(gates: [Self.lock])
    play.begin()
    for (line, isActive) in [("outer", true), ("inner", true), ("outer", false), ("inner", false)] {
      play.clock.advance(by: 200)
      play.change(line, isActive)
    }
    #expect(play.newest("lock") == .good(.int(1)))
    play.headcount.lineIsSuspect("inner", at: play.clock.now())
    play.change("outer", false)
    #expect(
      play.ledger.events.last
        == HeadcountDetail(
          state: .gateSuspect, count: 1, gate: "lock", reason: "edges-missing"))
    // The second doubt within a second is told when that is over.
    #expect(play.ledger.events.count == 2)
    play.clock.advance(by: 1000)
    _ = play.headcount.tick()
    #expect(play.ledger.events.count == 3)
  }

  @Test("The area is never below 0 without an event; a gate may be")
  func belowZero() {
    let play = Play(gates: [
      Self.turnstile, GateDefinition(name: "adit", sensors: .turnstile(enter: "e2", leave: nil)),
    ])
    play.begin()
    play.pulse("e2")
    play.pulse("out", times: 2)
    #expect(play.newest("balance") == .good(.int(0)))
    #expect(play.newest("gate-1") == .good(.int(-2)))
    #expect(play.newest("adit") == .good(.int(1)))
    #expect(
      play.ledger.events.last == HeadcountDetail(state: .belowZero, count: 0, gate: "gate-1"))
    play.pulse("in")
    #expect(play.newest("count") == .good(.int(1)))
  }

  @Test("A lost line makes the count bad with the last one as raw, never 0, until it is back")
  func lostLine() {
    let play = Play()
    play.begin()
    play.pulse("in", times: 2)
    play.headcount.line("out", changedTo: .lineMissing, at: play.clock.now())
    play.clock.advance(by: 1500)
    _ = play.headcount.tick()
    #expect(play.newest("count") == .bad(.lineMissing, raw: .int(2)))
    #expect(play.newest("balance") == .bad(.lineMissing, raw: .int(2)))
    #expect(play.newest("age") == .good(.decimal(mantissa: 15, decimals: 1)))
    #expect(
      play.headcount.states.first?.faults == [.init(source: "out", reason: .lineMissing)])
    #expect(
      play.ledger.events.last
        == HeadcountDetail(
          state: .sourceLost, count: 2, lostSource: "out", reason: "line-missing"))
    play.pulse("in")
    #expect(play.newest("count") == .bad(.lineMissing, raw: .int(3)))
    play.headcount.line("out", changedTo: nil, at: play.clock.now())
    // It is found active: who caused that passed while nobody saw the line.
    play.change("out", true)
    play.change("out", false)
    #expect(play.newest("count") == .good(.int(3)))
    #expect(play.ledger.events.last == HeadcountDetail(state: .sourceBack, count: 3))
  }

  @Test("The larger of the gates' and the devices' count is the count; parts of a person are one")
  func larger() {
    let play = Play(reported: ["a", "b"])
    play.begin()
    play.report(["a": .good(.uint(2)), "b": .good(.float32(0.4))])
    #expect(play.newest("count") == .good(.int(3)))
    #expect(play.newest("reported") == .good(.int(3)))
    play.clock.advance(by: 200)
    play.pulse("in", times: 5)
    #expect(play.newest("count") == .good(.int(5)))
    #expect(play.headcount.states.first?.reported == 3)
  }

  @Test(
    "A device's point that is bad, absurd or silent makes the count bad",
    arguments: [
      (.bad(.timeout), .timeout), (.good(.float64(.nan)), .notANumber),
      (.good(.int(-1)), .outOfRange), (.good(.float64(1e12)), .outOfRange),
      (.good(.text("4")), .notANumber), (nil, .notRead),
    ] as [(Outcome?, BadReason)])
  func lostPoint(outcome: Outcome?, reason: BadReason) {
    let play = Play(gates: [], reported: ["a"])
    _ = play.headcount.tick()
    #expect(play.newest("count") == .bad(.notRead))
    #expect(play.ledger.events.isEmpty)
    play.report(["a": .good(.int(4))])
    #expect(play.newest("count") == .good(.int(4)))
    play.clock.advance(by: 11_000)
    _ = play.headcount.tick()
    #expect(play.newest("count") == .good(.int(4)))
    play.clock.advance(by: 100)
    if let outcome { play.report(["a": outcome]) }
    _ = play.headcount.tick()
    #expect(play.newest("count") == .bad(reason, raw: .int(4)))
    #expect(play.newest("reported") == .bad(reason, raw: .int(4)))
    #expect(play.newest("age") == .good(.decimal(mantissa: 111, decimals: 1)))
    #expect(play.ledger.events.map(\.state) == [.sourceLost])
    play.clock.advance(by: 200)
    play.report(["a": .good(.int(5))])
    #expect(play.newest("count") == .good(.int(5)))
    #expect(play.ledger.events.map(\.state) == [.sourceLost, .sourceBack])
  }

  @Test("A source that comes and goes is told each 10 s, and the count's quality at once")
  func flakySource() {
    let play = Play(gates: [], reported: ["a", "b"])
    var lost = 0
    for turn in 0..<600 {
      let isLost = turn % 2 == 0
      play.report(["a": isLost ? .bad(.crc) : .good(.int(4)), "b": .good(.int(1))])
      _ = play.headcount.tick()
      let raw: Value? = turn == 0 ? nil : .int(5)
      #expect(play.newest("count") == (isLost ? .bad(.crc, raw: raw) : .good(.int(5))))
      lost += isLost ? 1 : 0
      play.clock.advance(by: 100)
    }
    #expect(lost == 300)
    let states = play.ledger.events.map(\.state)
    #expect(states == (0..<12).map { $0 % 2 == 0 ? .sourceLost : .sourceBack })
  }

  @Test("A loss that came too soon after another is told when it still lasts, and its end then")
  func quietLoss() {
    let play = Play(gates: [], reported: ["a", "b"])
    func report(_ a: Outcome, _ b: Outcome, after milliseconds: Int64) {
      play.clock.advance(by: milliseconds)
      play.report(["a": a, "b": b])
      _ = play.headcount.tick()
    }
    let lost = Outcome.bad(.crc)
    let well = Outcome.good(.int(1))
    report(lost, well, after: 0)
    report(well, well, after: 100)
    report(lost, lost, after: 100)
    // Not all are there again: the first one's second loss was not told yet.
    report(lost, well, after: 100)
    #expect(play.ledger.events.map(\.lostSource) == ["positioning.a", nil, "positioning.b"])
    report(lost, well, after: 9600)
    #expect(play.ledger.events.count == 3)
    #expect((play.headcount.tick() ?? 0) - play.clock.monotonic <= 100)
    play.clock.advance(by: 100)
    _ = play.headcount.tick()
    #expect(play.ledger.events.map(\.lostSource).last == "positioning.a")
    report(well, well, after: 100)
    #expect(
      play.ledger.events.map(\.state) == [
        .sourceLost, .sourceBack, .sourceLost, .sourceLost, .sourceBack,
      ])
  }

  @Test("A source that nobody hears of after the start is told once it had its time")
  func neverHeard() {
    let play = Play(reported: ["a"])
    for _ in 0..<11 {
      _ = play.headcount.tick()
      play.clock.advance(by: 1000)
    }
    #expect(play.ledger.events.compactMap(\.lostSource) == ["in", "out"])
    play.clock.advance(by: 1)
    _ = play.headcount.tick()
    #expect(play.ledger.events.compactMap(\.lostSource) == ["in", "out", "positioning.a"])
    #expect(play.newest("count") == .bad(.notRead, raw: .int(0)))
  }

  @Test("A count goes on from the last sample, good or bad, and begins where there is none")
  func restored() throws {
    let first = Play(gates: [Self.turnstile, Self.lock])
    first.begin()
    first.pulse("in", times: 4)
    for isLost in [false, true] {
      if isLost { first.headcount.line("inner", changedTo: .lineBusy, at: first.clock.now()) }
      let sample = try #require(first.ledger.samples.last)
      // Order and number of points may have changed.
      let second = Play(gates: [Self.lock, Self.turnstile], quota: 3, restored: sample)
      second.begin()
      second.pulse("in")
      #expect(second.ledger.events == [HeadcountDetail(state: .resumed, count: 4)])
      #expect(second.newest("count") == .good(.int(5)))
      #expect(second.newest("gate-1") == .good(.int(5)))
      #expect(second.newest("lock") == .good(.int(0)))
    }
  }

  @Test("A balance whose end can't be read any more says so in a warning, old or new")
  func damaged() {
    let first = Play()
    first.begin()
    first.pulse("in", times: 4)
    for sample in [nil, first.ledger.samples.last] {
      var area = Area(first.area, restored: sample, reason: "damaged", at: first.clock.now())
      let events = area.takeOutputs().compactMap { output -> Event? in
        if case .event(let event) = output { event } else { nil }
      }
      let detail = HeadcountDetail(
        state: sample == nil ? .began : .resumed, count: sample == nil ? nil : 4, reason: "damaged")
      #expect(events.map(\.detail) == [.headcount(detail)])
      #expect(events.map(\.severity) == [.warning])
    }
  }

  @Test("An operator sets what the gates say; the event says who, why and what it was")
  func set() throws {
    let play = Play()
    play.begin()
    play.pulse("in", times: 2)
    let (state, previous) = try play.headcount.set(
      area: "heading", to: 7, operator: "Wang", reason: "lamp room list")
    #expect(previous == 2)
    #expect(state.count == .good(.int(7)))
    #expect(play.newest("count") == .good(.int(7)))
    #expect(play.newest("gate-1") == .good(.int(0)))
    #expect(
      play.ledger.events.last
        == HeadcountDetail(
          state: .set, count: 7, previous: 2, operator: "Wang", reason: "lamp room list"))
    play.clock.advance(by: 200)
    play.pulse("out")
    #expect(play.newest("count") == .good(.int(6)))
    #expect(throws: HeadcountRefusal.noArea("x")) {
      try play.headcount.set(area: "x", to: 1, operator: "", reason: "")
    }
    #expect(throws: HeadcountRefusal.outOfRange(-1)) {
      try play.headcount.set(area: "heading", to: -1, operator: "", reason: "")
    }
    let reported = Play(gates: [], reported: ["a"])
    #expect(throws: HeadcountRefusal.noGates("heading")) {
      try reported.headcount.set(area: "heading", to: 1, operator: "", reason: "")
    }
  }

  @Test("A line that flutters is counted whole and sampled ten times a second")
  func flutter() {
    let play = Play()
    play.begin()
    play.clock.advance(by: 1000)
    let before = play.ledger.samples.count
    for _ in 0..<1000 {
      play.change("in", true)
      play.change("in", false)
      play.clock.advance(by: 1)
    }
    #expect(play.ledger.samples.count == before + 10)
    _ = play.headcount.tick()
    #expect(play.newest("count") == .good(.int(1000)))
    #expect(play.headcount.states.first?.count == .good(.int(1000)))
  }

  @Test(
    "Whatever comes, balances are sums, nothing is below 0 without an event, no loss is silent",
    arguments: Seeds.given(orFirst: 100))
  func property(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let play = Play(gates: [Self.turnstile, Self.lock], reported: ["a"])
    play.begin()
    var lost: Set<String> = []
    for _ in 0..<300 {
      play.clock.advance(by: .random(in: 0...1500, using: &generator))
      let before = try #require(play.headcount.states.first)
      let line = ["in", "out", "outer", "inner"].randomElement(using: &generator) ?? "in"
      switch Int.random(in: 0..<20, using: &generator) {
      case 0:
        play.headcount.line(line, changedTo: .lineMissing, at: play.clock.now())
        lost.insert(line)
      case 1...2:
        play.headcount.line(line, changedTo: nil, at: play.clock.now())
        lost.remove(line)
      case 3: play.headcount.lineIsSuspect(line, at: play.clock.now())
      case 4...6:
        play.report([
          "a": Bool.random(using: &generator)
            ? .bad(.offline) : .good(.int(.random(in: 0...5, using: &generator)))
        ])
      case 7: _ = play.headcount.tick()
      default: play.change(line, .random(using: &generator))
      }
      let state = try #require(play.headcount.states.first)
      let balance = try #require(state.balance)
      let moved =
        state.gates.map(\.balance).reduce(0, +) - before.gates.map(\.balance).reduce(0, +)
      try #require(balance == max(0, (before.balance ?? 0) + moved))
      if (before.balance ?? 0) + moved < 0 {
        play.clock.advance(by: 1000)
        _ = play.headcount.tick()
        try #require(play.ledger.events.suffix(4).contains { $0.state == .belowZero })
      }
      switch state.count {
      case .good(let value):
        #expect(lost.isEmpty)
        #expect(value == .int(max(balance, state.reported ?? -1)))
      case .bad(_, let raw):
        #expect(!state.faults.isEmpty)
        #expect(raw == .int(max(balance, state.reported ?? 0)))
      }
      #expect(lost.isSubset(of: state.faults.map(\.source)))
    }
  }
}
