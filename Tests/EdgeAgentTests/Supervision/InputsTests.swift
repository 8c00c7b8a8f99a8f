import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import Drivers
@testable import EdgeAgent

@Suite("Lines and areas in the agent", .ownThread)
struct InputsTests {
  private let clock = ManualClock()
  private let ring = SampleRing()
  private let configuration: AgentConfiguration
  private let board: HealthBoard

  static let text = """
    gateway: { id: gw-1, mine: "0520", region: "520201" }
    lines:
      gate-in: { line: { chip: bank, offset: 4 }, count: rising }
      gate-out: { line: { chip: bank, offset: 5 }, count: rising }
      fan: { line: { chip: bank, offset: 6 } }
    areas:
      heading: { gates: [ { in: gate-in, out: gate-out } ], quota: 9 }
    uplinks: { province: { url: mqtt://broker.example } }

    """

  init() throws {
    configuration = try Fixtures.load(text: Self.text)
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
  }

  private func part(_ name: String) throws -> HealthReport.Part {
    try #require(board.report().parts.first { $0.name == name })
  }

  private func sample(_ device: String, _ outcomes: Outcome...) -> Sample {
    clock.advance(by: 1000)
    let points = configuration.deviceDescriptions.first { $0.name == device }?.points ?? []
    return Sample(
      device: DeviceSchema(name: device, points: points.map(\.name)), time: clock.now(),
      outcomes: outcomes.enumerated().map { PointOutcome(point: $0, outcome: $1) })
  }

  private func failed(_ line: String, _ reason: String?) -> Event {
    Event(
      time: clock.now(), severity: .warning, source: line,
      detail: .line(LineDetail(state: reason == nil ? .recovered : .failed, reason: reason)))
  }

  private func intake(_ headcount: HeadcountPart? = nil) -> LineIntake {
    LineIntake(
      board: board, headcount: headcount ?? HeadcountPart(board: board, clock: clock),
      definitions: 7)
  }

  private func samples() -> [Sample] { ring.take(atMost: 0).samples.map(\.sample) }

  @Test(
    "A line is starting until its first value, lost by its event's words, and back with another")
  func lineHealth() throws {
    let intake = intake()
    #expect(try part("fan").kind == .line)
    #expect(try part("fan").fault == "starting")
    let first = sample("fan", .good(.bool(true)))
    intake.accept(first)
    #expect(try part("fan").fault == nil)
    #expect(try part("fan").newestValue == first.time)
    intake.line("fan", changedTo: .lineBusy, at: clock.now())
    intake.accept(failed("fan", "line-busy: held by fan-control"))
    let lost = try part("fan")
    #expect(lost.fault == "line-busy: held by fan-control")
    intake.accept(sample("fan", .bad(.lineBusy)))
    intake.accept(failed("fan", "no chip is labelled bank"))
    #expect(try part("fan").since == lost.since)
    #expect(try part("fan").newestValue == first.time)
    intake.line("fan", changedTo: nil, at: clock.now())
    #expect(try part("fan").fault == nil)
    #expect(ring.take(atMost: 0).events.count == 2)
  }

  @Test("A bad sample is a fault, the third where more may come, a reading out of range is none")
  func badSamples() throws {
    let intake = intake()
    for reason in [BadReason.signalLost, .outOfBand, .chattering] {
      intake.accept(sample("fan", .bad(reason)))
      #expect(try part("fan").fault == "value: \(reason)")
      intake.accept(sample("fan", .good(.bool(true))))
      #expect(try part("fan").fault == nil)
    }
    intake.accept(sample("fan", .bad(.notRead)))
    intake.accept(sample("fan", .bad(.notRead)))
    #expect(try part("fan").fault == nil)
    intake.accept(sample("fan", .bad(.notRead)))
    #expect(try part("fan").fault == "value: not-read")
    intake.accept(sample("fan", .bad(.outOfRange, raw: .float64(17))))
    #expect(try part("fan").fault == nil)
    for _ in 0..<5 { intake.accept(sample("fan", .bad(.outOfRange, raw: .float64(17)))) }
    #expect(try part("fan").fault == nil)
  }

  @Test("Lines whose loop is stuck say so, each in an event, and have what they had behind it")
  func stuck() throws {
    let intake = intake()
    intake.accept(sample("fan", .good(.bool(true))))
    intake.accept(sample("gate-in", .good(.bool(false)), .good(.uint(3))))
    intake.accept(failed("gate-out", "no chip"))
    _ = ring.take(atMost: 0)
    clock.advance(by: 1000)
    board.lines(areStuck: true)
    board.lines(areStuck: true)
    for name in ["fan", "gate-in", "gate-out"] {
      #expect(try part(name).fault == "lines-stuck")
      #expect(try part(name).since == clock.now().wall)
    }
    #expect(Set(ring.take(atMost: 0).events.map(\.source)) == ["fan", "gate-in"])
    clock.advance(by: 1000)
    board.lines(areStuck: false)
    #expect(try part("fan").fault == nil)
    #expect(try part("gate-out").fault == "no chip")
    let events = ring.take(atMost: 0).events.map(\.detail)
    #expect(events == Array(repeating: .line(LineDetail(state: .recovered)), count: 2))
  }

  @Test("Samples of a line come in increasing times, whenever its edges became known")
  func order() {
    let intake = intake()
    let now = clock.now().monotonic
    for time in [0, 10, 4, 10, 12, 11, 20] {
      var sample = sample("fan", .good(.bool(time % 2 == 0)))
      sample.time = sample.time.advanced(by: now + Int64(time) - sample.time.monotonic)
      var other = sample
      other.device = DeviceSchema(name: "gate-in", points: ["value"])
      intake.accept(other)
    }
    #expect(samples().map { $0.time.monotonic - now } == [0, 10, 11, 12, 13, 14, 20])
  }

  @Test("A total is known from any sample of a count, good or not, and from no other")
  func totals() {
    #expect(CountTotal.total(in: sample("gate-in", .good(.bool(true)), .good(.uint(7)))) == 7)
    let lost = sample("gate-in", .bad(.lineMissing), .bad(.lineMissing, raw: .uint(8)))
    #expect(CountTotal.total(in: lost) == 8)
    #expect(CountTotal.total(in: sample("gate-in", .bad(.lineMissing))) == nil)
    #expect(CountTotal.total(in: sample("gate-in", .bad(.notRead), .bad(.notRead))) == nil)
    #expect(CountTotal.total(in: sample("fan", .good(.bool(true)))) == nil)
    let negative = sample("gate-in", .good(.bool(true)), .good(.int(-1)))
    #expect(CountTotal.total(in: negative) == nil)
    // A device that had the name before the line did.
    let other = Sample(
      device: DeviceSchema(name: "gate-in", points: ["load", "count"]), time: clock.now(),
      outcomes: [0, 1].map { PointOutcome(point: $0, outcome: .good(.uint(9))) })
    #expect(CountTotal.total(in: other) == nil)
  }

  @Test("A count whose last sample did not come in time before the end is told as suspect")
  func unended() throws {
    let part = LinesPart(
      configuration.lines, totals: ["gate-in": KnownTotal(5)], totalReason: "stop", doubt: nil,
      intake: intake(), board: board, clock: clock)
    func suspects() -> [String] {
      ring.take(atMost: 0).events.compactMap { event in
        guard case .line(let detail) = event.detail, detail.state == .countSuspect else {
          return nil
        }
        return "\(event.severity) \(event.source) \(detail.reason ?? "-")"
      }
    }
    part.waitForEnd(atMost: 0)
    #expect(
      suspects() == ["warning gate-in lines-stuck", "warning gate-out lines-stuck"])
    part.cancel()
    part.waitForEnd(atMost: patienceSeconds)
    #expect(suspects().isEmpty)
  }

  @Test("A reload replaces the lines and areas that changed, and leaves the others")
  func difference() throws {
    let new = try Fixtures.load(
      text: Self.text.replacingOccurrences(of: "offset: 6", with: "offset: 7")
        .replacingOccurrences(of: "quota: 9", with: "quota: 10"))
    let difference = ConfigurationDifference(from: configuration, to: new)
    #expect(difference.needsRestart.isEmpty && difference.beginningBuses.isEmpty)
    #expect(difference.beginningLines == ["fan"])
    #expect(difference.beginningAreas == ["heading"])

    let intake = intake()
    intake.accept(sample("fan", .good(.bool(true))))
    intake.accept(sample("gate-in", .good(.bool(true)), .good(.uint(3))))
    board.configure(new, renewing: difference)
    #expect(try part("fan").fault == "starting")
    #expect(try part("gate-in").fault == nil)
    #expect(board.snapshot().readings.readings(of: "fan").isEmpty)
    #expect(board.snapshot().readings.readings(of: "gate-in").count == 2)
    let kinds = board.report().parts.map(\.kind)
    #expect(kinds == [.line, .line, .line, .area, .destination])
  }
}
