import Buffering
import Drivers
import Telemetry
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Areas over a reload")
struct AreaReloadTests {
  private func area(every: Int64, hasGates: Bool = true) -> AreaDefinition {
    let gate = GateDefinition(name: "gate-1", sensors: .turnstile(enter: "in", leave: nil))
    let gates = hasGates ? [gate] : []
    let reported =
      hasGates ? [] : [PointReference(device: "p", point: "n", everyMilliseconds: 1000)]
    let names = AreaPoint.names(gates: gates, hasReported: !hasGates, hasQuota: false)
    return AreaDefinition(
      name: "heading", gates: gates, reported: reported, everyMilliseconds: every,
      points: names.map { PointDescription(name: $0, type: "int64") })
  }

  private let clock = ManualClock()

  private func part() throws -> HeadcountPart {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    return HeadcountPart(
      board: HealthBoard(configuration: configuration, ring: SampleRing(), clock: clock),
      clock: clock)
  }

  @Test("An area that was without gates, or away, for a while goes on with its balance")
  func gatesAgain() throws {
    let part = try part()
    defer { part.end() }
    let with = area(every: 1000)
    part.use([with], lines: ["in"], restored: NewestSamples(), definitions: 1)
    _ = try part.set(area: "heading", to: 5, operator: "w", reason: "r")
    for (number, between) in [[area(every: 1000, hasGates: false)], []].enumerated() {
      part.use(between, lines: ["in"], restored: NewestSamples(), definitions: 2)
      // A sample without a balance.
      part.take(
        Sample(
          device: DeviceSchema(name: "p", points: ["n"]), time: clock.now(),
          outcomes: [PointOutcome(point: 0, outcome: .good(.uint(1)))]))
      part.use([with], lines: ["in"], restored: NewestSamples(), definitions: 1)
      #expect(part.states.map(\.balance) == [5], "\(number)")
    }
  }

  @Test("An area that is defined anew counts on, and knows how its lines stand")
  func reload() throws {
    let part = try part()
    defer { part.end() }
    part.use([area(every: 1000)], lines: ["in"], restored: NewestSamples(), definitions: 1)
    part.line("in", changedTo: nil, at: clock.now())
    for isActive in [false, true, false] {
      part.accept(LineTransition(line: "in", isActive: isActive, time: clock.now()))
    }
    #expect(part.states.map(\.count) == [.good(.int(1))])
    part.use([area(every: 2000)], lines: ["in"], restored: NewestSamples(), definitions: 2)
    #expect(part.states.map(\.count) == [.good(.int(1))])
    part.accept(LineTransition(line: "in", isActive: true, time: clock.now()))
    #expect(part.states.map(\.count) == [.good(.int(2))])
    part.line("in", changedTo: .lineMissing, at: clock.now())
    part.use([area(every: 1000)], lines: ["in"], restored: NewestSamples(), definitions: 3)
    #expect(part.states.map(\.count) == [.bad(.lineMissing, raw: .int(2))])
  }
}
