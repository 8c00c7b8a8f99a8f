import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("A gate of two beams")
struct BeamPassageTests {
  private enum Step: CaseIterable {
    case outerOn, outerOff, innerOn, innerOff

    var beam: BeamPassage.Beam { self == .outerOn || self == .outerOff ? .outer : .inner }
    var isOn: Bool { self == .outerOn || self == .innerOn }
  }

  /// Watches two free beams, then takes the steps.
  private func play(_ steps: [Step]) -> (entered: Int64, left: Int64, doubts: [GateDoubt]) {
    var passage = BeamPassage()
    _ = passage.take(.outer, isInterrupted: false)
    _ = passage.take(.inner, isInterrupted: false)
    var result: (entered: Int64, left: Int64, doubts: [GateDoubt]) = (0, 0, [])
    for step in steps {
      let verdict = passage.take(step.beam, isInterrupted: step.isOn)
      if verdict.passed > 0 { result.entered += verdict.passed }
      if verdict.passed < 0 { result.left -= verdict.passed }
      if let doubt = verdict.doubt { result.doubts.append(doubt) }
    }
    return result
  }

  @Test("Outer, both, inner, none enters; the reverse leaves; turning back is nothing")
  func passages() {
    let enter: [Step] = [.outerOn, .innerOn, .outerOff, .innerOff]
    let leave: [Step] = [.innerOn, .outerOn, .innerOff, .outerOff]
    #expect(play(enter) == (1, 0, []))
    #expect(play(leave) == (0, 1, []))
    #expect(play(enter + enter + leave) == (2, 1, []))
    #expect(play([.outerOn, .outerOff]) == (0, 0, []))
    #expect(play([.outerOn, .innerOn, .innerOff, .outerOff]) == (0, 0, []))
    #expect(play([.innerOn, .outerOn, .outerOff, .innerOff]) == (0, 0, []))
    // Both are free between them.
    #expect(play([.outerOn, .outerOff, .innerOn, .innerOff]) == (0, 0, []))
    // Who hesitates in the middle passes once.
    #expect(
      play([.outerOn, .innerOn, .innerOff, .innerOn, .outerOff, .innerOff]) == (1, 0, []))
  }

  @Test("Who turns back from the second beam, or is followed too closely, is in doubt")
  func doubts() {
    #expect(
      play([.outerOn, .innerOn, .outerOff, .outerOn, .innerOff, .outerOff])
        == (0, 0, [.directionChanged]))
    #expect(
      play([
        .outerOn, .innerOn, .outerOff, .outerOn, .innerOff, .innerOn, .outerOff, .innerOff,
      ]) == (1, 0, [.directionChanged]))
  }

  /// A body's edges in a corridor: the outer beam is at 0, the inner at 1. Whether it is inside is
  /// known from where its middle is while no beam is interrupted. Equal edges tell nothing of it.
  private func model(_ steps: [Step]) -> (balance: Int64, isDoubtful: Bool) {
    var (outer, inner, isDoubtful) = (false, false, false)
    /// Eighths of a turn on the circle free → outer → both → inner → free; `nil`: not known.
    var angle: Int64? = 0
    var balance: Int64 = 0
    let positions: [[Bool]: Int64] = [
      [false, false]: 0, [true, false]: 2, [true, true]: 4, [false, true]: 6,
    ]
    for step in steps {
      let before = positions[[outer, inner]] ?? 0
      let isEqual = (step.beam == .outer ? outer : inner) == step.isOn
      if step.beam == .outer { outer = step.isOn } else { inner = step.isOn }
      let after = positions[[outer, inner]] ?? 0
      if isEqual {
        isDoubtful = true
        angle = after == 0 ? 0 : nil
      } else if let known = angle {
        var turn = after - before
        if turn > 4 { turn -= 8 }
        if turn < -4 { turn += 8 }
        angle = known + turn
      }
      if after == 0 {
        balance += (angle ?? 0) / 8
        angle = 0
      }
    }
    return (balance, isDoubtful)
  }

  @Test("All sequences of up to eight edges, equal ones too, agree with a body on a circle")
  func allSequences() throws {
    for length in 0...8 {
      for number in 0..<(1 << (2 * length)) {
        let steps = (0..<length).map { Step.allCases[(number >> (2 * $0)) & 3] }
        let result = play(steps)
        let expected = model(steps)
        guard
          result.entered - result.left != expected.balance
            || result.doubts.contains(.edgesMissing) != expected.isDoubtful
        else { continue }
        Issue.record("\(steps): \(result), expected \(expected)")
        return
      }
    }
  }

  /// Bodies walk on a line; a beam is interrupted while any body covers it.
  private struct Corridor {
    static let beams = (outer: 0.0, inner: 0.4)
    var bodies: [(back: Double, depth: Double)] = []
    var levels = (outer: false, inner: false)

    mutating func steps() -> [Step] {
      func isCovered(_ beam: Double) -> Bool {
        bodies.contains { $0.back <= beam && beam <= $0.back + $0.depth }
      }
      var steps: [Step] = []
      let now = (outer: isCovered(Self.beams.outer), inner: isCovered(Self.beams.inner))
      if now.outer != levels.outer { steps.append(now.outer ? .outerOn : .outerOff) }
      if now.inner != levels.inner { steps.append(now.inner ? .innerOn : .innerOff) }
      levels = now
      return steps
    }
  }

  @Test(
    "A person who walks at random through the beams is where the count says",
    arguments: Seeds.given(orFirst: 200))
  func randomWalk(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let depth = Double.random(in: 0.5...1, using: &generator)
    var corridor = Corridor(bodies: [(-3, depth)])
    var steps: [Step] = []
    var drift = 0.0
    for step in 0..<3000 {
      // Stands, wanders, turns.
      if step.isMultiple(of: 40) { drift = .random(in: -0.05...0.05, using: &generator) }
      corridor.bodies[0].back += drift + .random(in: -0.04...0.04, using: &generator)
      corridor.bodies[0].back = min(3, max(-3, corridor.bodies[0].back))
      steps += corridor.steps()
      guard corridor.levels == (false, false) else { continue }
      let result = play(steps)
      let truth: Int64 = corridor.bodies[0].back > Corridor.beams.inner ? 1 : 0
      try #require(result.entered - result.left == truth)
    }
  }

  @Test(
    "People behind each other are each counted, or there is a doubt",
    arguments: Seeds.given(orFirst: 100))
  func queue(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var bodies: [(back: Double, depth: Double)] = []
    var front = -1.0
    let isClose = Bool.random(using: &generator)
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let depth = Double.random(in: 0.5...0.8, using: &generator)
      bodies.append((front - depth, depth))
      front -= depth + .random(in: isClose ? 0.05...0.6 : 0.45...1.5, using: &generator)
    }
    var corridor = Corridor(bodies: bodies)
    var steps: [Step] = []
    while corridor.bodies.contains(where: { $0.back < 1 }) {
      for index in corridor.bodies.indices { corridor.bodies[index].back += 0.01 }
      steps += corridor.steps()
    }
    let result = play(steps)
    let truth = Int64(bodies.count)
    #expect(result.entered <= truth)
    #expect(result.left == 0)
    if !isClose { #expect(result.entered == truth) }
    #expect(result.entered == truth || !result.doubts.isEmpty)
  }

  @Test("A beam that is interrupted when watching begins, or again, counts nobody and is a doubt")
  func foundInterrupted() {
    var passage = BeamPassage()
    #expect(passage.take(.outer, isInterrupted: true) == GateVerdict())
    #expect(passage.take(.inner, isInterrupted: true) == GateVerdict())
    #expect(passage.take(.outer, isInterrupted: false) == GateVerdict())
    #expect(passage.take(.inner, isInterrupted: false) == GateVerdict(doubt: .inBeams))
    _ = passage.take(.outer, isInterrupted: true)
    passage.forget(.inner)
    #expect(passage.take(.inner, isInterrupted: false) == GateVerdict())
    #expect(passage.take(.outer, isInterrupted: false) == GateVerdict(doubt: .inBeams))
    for (beam, isOn) in [(.outer, true), (.inner, true), (.outer, false)]
      as [(BeamPassage.Beam, Bool)]
    {
      #expect(passage.take(beam, isInterrupted: isOn) == GateVerdict())
    }
    #expect(passage.suspect() == GateVerdict(doubt: .edgesMissing))
    #expect(passage.take(.inner, isInterrupted: false) == GateVerdict())
  }
}
