import Glibc
import TestSupport
import Testing

@testable import Buffering

/// Each call that a workload makes fails once, or from then on for a while.
@Suite("A failure of every call")
struct EveryFailureTests {
  /// How the Nth call fails.
  struct Failure: CustomTestStringConvertible {
    var code: Int32
    var isLasting: Bool

    var testDescription: String {
      (code == EIO ? "EIO" : "ENOSPC") + (isLasting ? " for a while" : " once")
    }

    static let all = [EIO, ENOSPC].flatMap { code in
      [false, true].map { Failure(code: code, isLasting: $0) }
    }
  }

  /// A disk that fails for good is well again after so many steps.
  static let stepsUntilHealed = 4

  static let steps: [Exercise.Step] = [
    .samples, .events, .commit, .acknowledge, .saveCursors, .samples, .redefine, .samples,
    .commit, .restart, .samples, .commit, .acknowledge, .events, .samples, .saveCursors, .samples,
    .commit, .samples, .restart, .samples,
  ]

  /// The Nth call, and the problems that its failure leaves; `nil` if there is no such call.
  static func play(seed: UInt64, failing number: Int, _ failure: Failure) -> (
    call: String, problems: [String]
  )? {
    let exercise = Exercise(seed: seed, segments: 3, segmentBytes: 6144)
    exercise.failCalls(after: number, code: failure.code, lasting: failure.isLasting)
    exercise.open()
    var stepsSince = 0
    var failed: String?
    for step in steps {
      exercise.take(step)
      if stepsSince == 0, exercise.disk.failedCalls == 0 { continue }
      stepsSince += 1
      failed = failed ?? exercise.disk.firstFailed.map { "\($0), in \(step)" }
      if stepsSince == stepsUntilHealed { exercise.heal() }
    }
    exercise.heal()
    exercise.take(.restart)
    exercise.take(.powerCut)
    return failed.map { ($0, exercise.ledger.problems) }
  }

  @Test(
    "Nothing that was committed is lost, the rest is explained, and the store goes on",
    arguments: Failure.all, Seeds.given(orFirst: 1))
  func everyCall(failure: Failure, seed: UInt64) {
    // Else every eleventh, a place further for each seed and kind of failure.
    let stride = Seeds.stride(11)
    var number = (Int(seed) + Int(failure.code) + (failure.isLasting ? 2 : 0)) % stride
    var failures = 0
    while failures < 3, let (call, problems) = Self.play(seed: seed, failing: number, failure) {
      if !problems.isEmpty { failures += 1 }
      #expect(problems.isEmpty, "seed \(seed), call \(number): \(call), \(failure.testDescription)")
      number += stride
    }
    #expect(number > 50 || failures > 0)
  }

  @Test(
    "What stands in the next segment again after a failed sync is not lost with the one before",
    arguments: [
      (111, Failure(code: ENOSPC, isLasting: false)), (190, Failure(code: EIO, isLasting: false)),
      (190, Failure(code: EIO, isLasting: true)),
    ])
  func appendedAgain(number: Int, failure: Failure) throws {
    let (call, problems) = try #require(Self.play(seed: 0, failing: number, failure))
    #expect(call.hasPrefix("sync"))
    #expect(problems.isEmpty)
  }
}
