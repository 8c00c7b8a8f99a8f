import TestSupport
import Testing

@testable import Buffering

@Suite("A store against its ledger, through everything at random")
struct ModelTests {
  /// Seeds that once found something.
  static let found: [UInt64] = []

  /// How often each step is taken, out of 100.
  static func step(using generator: inout SeededGenerator, damage: Bool) -> Exercise.Step {
    switch Int.random(in: 0..<100, using: &generator) {
    case 0..<38: .samples
    case 38..<48: .events
    case 48..<60: .commit
    case 60..<74: .acknowledge
    case 74..<78: .saveCursors
    case 78..<82: .restart
    case 82..<85: .kill
    case 85..<90: .powerCut
    case 90..<92: .resize
    case 92..<94: .redefine
    case 94..<95: .redestine
    case 95..<98: .fault
    default: damage ? .damage : .samples
    }
  }

  @Test(
    "What was committed is there, what is missing is explained, no identity has two contents",
    arguments: found + Seeds.given(orFirst: 8))
  func model(seed: UInt64) {
    let exercise = Exercise(seed: seed, segments: 6)
    // Damage takes the promise away that what was committed is there: half the runs have none.
    let damage = seed % 2 == 1
    exercise.open()
    for _ in 0..<80 where exercise.ledger.problems.isEmpty {
      exercise.take(Self.step(using: &exercise.generator, damage: damage))
    }
    if exercise.ledger.problems.isEmpty { exercise.take(.restart) }
    #expect(
      exercise.ledger.problems.isEmpty,
      "seed \(seed), after \(exercise.history.suffix(12).joined(separator: " "))")
  }
}
