import TestSupport
import Testing

@testable import Buffering

/// Power cuts at each write, sync and change of a name that a workload makes, also in the middle of
/// the recovery from another.
@Suite("A power cut at every call", .ownThread)
struct EveryPowerCutTests {
  /// The disk and the account when a call was about to be made.
  struct Moment: @unchecked Sendable {
    var number: Int
    var change: SimulatedDisk.Change
    var image: DiskImage
    var exercise: Exercise
  }

  /// Collects moments. One thread's.
  final class Recording {
    private(set) var moments: [Moment] = []

    func watch(_ exercise: Exercise) {
      exercise.observer = { exercise, change in
        let copy = Exercise(exercise, on: SimulatedDisk(), isNewBoot: false)
        self.moments.append(
          Moment(
            number: self.moments.count, change: change, image: exercise.disk.image(),
            exercise: copy))
      }
    }
  }

  static let steps: [Exercise.Step] = [
    .samples, .events, .commit, .samples, .acknowledge, .saveCursors, .samples, .commit,
    .redefine, .samples, .samples, .acknowledge, .restart, .samples, .commit, .events,
    .acknowledge, .samples, .samples, .commit, .restart, .samples,
  ]

  static func record(seed: UInt64) -> (Recording, Exercise) {
    let recording = Recording()
    let exercise = Exercise(seed: seed, segments: 3, segmentBytes: 6144)
    recording.watch(exercise)
    exercise.open()
    for step in steps { exercise.take(step) }
    return (recording, exercise)
  }

  /// Opens what the cut left, closes the account, works, stops in order, and closes it again.
  static func goOn(_ exercise: Exercise) -> [String] {
    exercise.open()
    for step in [Exercise.Step.samples, .events, .commit, .restart] { exercise.take(step) }
    return exercise.ledger.problems
  }

  @Test(
    "Whatever of the unsynced writes survives, the account can be closed",
    arguments: Seeds.given(orFirst: 1))
  func everyCall(seed: UInt64) {
    let (recording, exercise) = Self.record(seed: seed)
    #expect(exercise.ledger.problems.isEmpty, "without a cut")
    #expect(recording.moments.count > 100)
    let kinds = Set(recording.moments.map(\.change.call))
    #expect(kinds == [.open, .write, .sync, .rename, .syncDirectory])
    for moment in recording.moments {
      // Each call with one of the cuts or none, in a campaign with all.
      for (place, cut) in PowerCut.allCases.enumerated()
      where (moment.number + place) % Seeds.stride(7) == 0 {
        var generator = SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(moment.number))
        let disk = moment.image.afterPowerCut(cut, during: moment.change, using: &generator)
        let problems = Self.goOn(Exercise(moment.exercise, on: disk, isNewBoot: true))
        #expect(
          problems.isEmpty,
          "seed \(seed), \(moment.number): \(moment.change.call) \(moment.change.path), \(cut)"
        )
      }
    }
  }

  @Test(
    "A second cut in the middle of the recovery from the first changes nothing of that",
    arguments: Seeds.given(orFirst: 1))
  func recovery(seed: UInt64) {
    let (recording, _) = Self.record(seed: seed)
    for moment in recording.moments where moment.number % Seeds.stride(7) == 0 {
      var generator = SeededGenerator(seed: ~seed &* 1_000_003 &+ UInt64(moment.number))
      let disk = moment.image.afterPowerCut(
        .anySubset, during: moment.change, using: &generator)
      let first = Exercise(moment.exercise, on: disk, isNewBoot: true)
      let second = Recording()
      second.watch(first)
      first.open()
      guard let again = second.moments.randomElement(using: &generator) else { continue }
      let cut = PowerCut.allCases.randomElement(using: &generator) ?? .nothing
      let left = again.image.afterPowerCut(cut, during: again.change, using: &generator)
      let problems = Self.goOn(Exercise(again.exercise, on: left, isNewBoot: true))
      #expect(
        problems.isEmpty,
        "seed \(seed), calls \(moment.number), \(again.number) (\(again.change.path)), \(cut)")
    }
  }
}
