import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Phase spread")
struct PhaseSpreadTests {
  private func loads(_ count: Int, every: Int64, milliseconds: Int64) -> [PhaseSpread.Load] {
    (0..<count).map { _ in
      PhaseSpread.Load(every: every, microseconds: milliseconds * 1000)
    }
  }

  @Test("What is due each second is spread over it, safety first")
  func spreadsASecond() {
    var loads = loads(4, every: 1000, milliseconds: 40)
    #expect(PhaseSpread.phases(of: loads) == [0, 250, 500, 750])
    loads[2].isSafety = true
    #expect(PhaseSpread.phases(of: loads) == [250, 500, 0, 750])
    // One takes as long as the others together.
    loads = self.loads(3, every: 1000, milliseconds: 20)
    loads[1].microseconds = 40_000
    #expect(PhaseSpread.phases(of: loads) == [0, 250, 750])
  }

  @Test("A period shorter than a slot is one burst: a wakeup each would cost more than it spares")
  func keepsShortPeriodsTogether() {
    #expect(PhaseSpread.phases(of: loads(16, every: 20, milliseconds: 1)).allSatisfy { $0 == 0 })
  }

  @Test("Long periods come as soon as the line carries them, and not before")
  func spreadsLongPeriods() {
    // 50 × 40 ms beside a line that is half full: the rest of four fifths is 30 % of the time.
    let loads =
      loads(1, every: 1000, milliseconds: 500) + loads(50, every: 60_000, milliseconds: 40)
    let phases = PhaseSpread.phases(of: loads)
    #expect(phases[0] == 0)
    #expect(phases[1] == 0)
    #expect((6400...6600).contains(phases[50]), "49 × 40 ms ÷ 0.3")
    #expect(phases == phases.sorted())
    // Few are spread over a second.
    #expect(
      PhaseSpread.phases(of: self.loads(4, every: 60_000, milliseconds: 1)) == [0, 250, 500, 750])
  }

  @Test("A phase is less than its period and in whole slots", arguments: 0..<100 as Range<UInt64>)
  func staysWithin(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let loads = (0..<Int.random(in: 0...100, using: &generator)).map { _ in
      PhaseSpread.Load(
        every: [10, 70, 500, 1000, 1500, 86_400_000].randomElement(using: &generator) ?? 10,
        microseconds: .random(in: 0...2_000_000, using: &generator),
        isSafety: Bool.random(using: &generator))
    }
    let phases = PhaseSpread.phases(of: loads)
    #expect(phases.count == loads.count)
    for (phase, load) in zip(phases, loads) {
      #expect((0..<load.every).contains(phase))
      #expect(phase.isMultiple(of: PhaseSpread.slot))
    }
  }
}
