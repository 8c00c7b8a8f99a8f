import Buffering
import Drivers
import Telemetry
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Areas over a reload")
struct AreaReloadTests {
  private func area(every: Int64) -> AreaDefinition {
    let gate = GateDefinition(name: "gate-1", sensors: .turnstile(enter: "in", leave: nil))
    let names = AreaPoint.names(gates: [gate], hasReported: false, hasQuota: false)
    return AreaDefinition(
      name: "heading", gates: [gate], reported: [], everyMilliseconds: every,
      points: names.map { PointDescription(name: $0, type: "int64") })
  }

  @Test("An area that is defined anew counts on, and knows how its lines stand")
  func reload() throws {
    let clock = ManualClock()
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    let part = HeadcountPart(
      board: HealthBoard(configuration: configuration, ring: SampleRing(), clock: clock),
      clock: clock)
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
