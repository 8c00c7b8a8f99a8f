import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("How an area's headcount begins")
struct AreaBeginningTests {
  private struct Play {
    let clock = ManualClock()
    let ledger = AreaLedger()
    let headcount: Headcount

    init(restored: Sample? = nil, reason: String? = nil, doubt: String? = nil) {
      let gates = [
        GateDefinition(name: "gate-1", sensors: .turnstile(enter: "in", leave: "out"))
      ]
      let names = AreaPoint.names(gates: gates, hasReported: false, hasQuota: false)
      let area = AreaDefinition(
        name: "heading", gates: gates, reported: [], quota: nil,
        points: names.map { PointDescription(name: $0, type: "int64") })
      headcount = Headcount(
        [area], restored: restored.map { ["heading": $0] } ?? [:], reason: reason, doubt: doubt,
        sink: ledger, clock: clock)
      for line in ["in", "out"] {
        headcount.line(line, changedTo: nil, at: clock.now())
        headcount.accept(LineTransition(line: line, isActive: false, time: clock.now()))
      }
    }

    func enter() {
      for isActive in [true, false] {
        clock.advance(by: 150)
        headcount.accept(LineTransition(line: "in", isActive: isActive, time: clock.now()))
      }
    }

    func newest(_ point: String) -> Outcome? {
      guard let sample = ledger.samples.last,
        let index = sample.device.points.firstIndex(of: point)
      else { return nil }
      return sample.outcomes[index].outcome
    }

    /// How it began, and how grave that is.
    var beginning: [String] {
      ledger.outputs.withLock { $0 }.compactMap { output in
        guard case .event(let event) = output, case .headcount(let detail) = event.detail else {
          return nil
        }
        let count = detail.count.map { "\($0)" } ?? "-"
        return "\(event.severity) \(detail.state) \(count) \(detail.reason ?? "-")"
      }
    }
  }

  @Test("A new area begins at 0; one whose samples may be lost is not known until it is set")
  func unknown() throws {
    let new = Play()
    new.enter()
    #expect(new.newest("count") == .good(.int(1)))
    #expect(new.beginning == ["info began 0 -"])

    var play = Play(doubt: "store-failed")
    for beginning in ["warning began - store-failed", "warning began - not-read"] {
      #expect(play.beginning == [beginning])
      play.enter()
      #expect(play.newest("count") == .bad(.notRead, raw: .int(1)))
      #expect(play.newest("balance") == .bad(.notRead))
      #expect(play.newest("gate-1") == .bad(.notRead))
      #expect(
        play.headcount.states.first?.faults == [.init(source: "balance", reason: .notRead)])
      // The next start knows no more, whether its store is well or not.
      play = Play(restored: play.ledger.samples.last, reason: "stop")
    }
    _ = try play.headcount.set(area: "heading", to: 7, operator: "Wang", reason: "counted")
    play.enter()
    #expect(play.newest("count") == .good(.int(8)))
    #expect(play.newest("balance") == .good(.int(8)))
    #expect(play.headcount.states.first?.faults == [])
    let next = Play(restored: play.ledger.samples.last, doubt: "damaged")
    next.enter()
    #expect(next.newest("count") == .good(.int(9)))
  }

  @Test("Gates that came later, and whose balance is damaged, do not begin at a good 0")
  func damagedSinceWithoutGates() {
    let sample = Sample(
      device: DeviceSchema(name: "heading", points: ["count", "age", "reported"]),
      time: Timestamp(monotonic: 0, offset: 0, clock: .synced),
      outcomes: [PointOutcome(point: 0, outcome: .good(.int(7)))])
    let play = Play(restored: sample, reason: "damaged")
    #expect(play.beginning == ["warning began - damaged"])
    play.enter()
    #expect(play.newest("balance") == .bad(.notRead))
    let orderly = Play(restored: sample, reason: "stop")
    orderly.enter()
    #expect(orderly.newest("balance") == .good(.int(1)))
  }

  @Test(
    "That it goes on is told with how the time before ended; after no orderly end as a warning",
    arguments: [("stop", "info"), ("reload", "info"), ("unclean-stop", "warning")])
  func goesOn(reason: String, severity: String) {
    let first = Play()
    first.enter()
    let next = Play(restored: first.ledger.samples.last, reason: reason)
    #expect(next.beginning == ["\(severity) resumed 1 \(reason)"])
  }

  @Test("What another device of the name said is no balance")
  func otherDevice() {
    let sample = Sample(
      device: DeviceSchema(name: "heading", points: ["load", "balance"]),
      time: ManualClock().now(),
      outcomes: [0, 1].map { PointOutcome(point: $0, outcome: .good(.int(5))) })
    let play = Play(restored: sample, reason: "stop")
    #expect(play.beginning == ["info began 0 -"])
  }

  @Test("While nobody reads the lines the count is bad; edges of that time count once they come")
  func stuck() {
    let play = Play()
    play.enter()
    play.clock.advance(by: 1000)
    play.headcount.lines(areStuck: true, at: play.clock.now())
    #expect(play.newest("count") == .bad(.notRead, raw: .int(1)))
    #expect(play.newest("balance") == .bad(.notRead, raw: .int(1)))
    play.clock.advance(by: 2000)
    _ = play.headcount.tick()
    #expect(play.newest("age") == .good(.decimal(mantissa: 20, decimals: 1)))
    play.enter()
    play.headcount.lines(areStuck: false, at: play.clock.now())
    #expect(play.newest("count") == .good(.int(2)))
    #expect(
      play.ledger.events.map(\.state) == [.began, .sourceLost, .sourceLost, .sourceBack])
    // A line that is lost besides stays so.
    play.headcount.line("out", changedTo: .lineBusy, at: play.clock.now())
    play.headcount.lines(areStuck: true, at: play.clock.now())
    play.headcount.lines(areStuck: false, at: play.clock.now())
    #expect(play.newest("count") == .bad(.lineBusy, raw: .int(2)))
  }
}
