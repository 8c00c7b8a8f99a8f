import Testing
import TestSupport

@testable import Drivers

@Suite("Poll schedule")
struct PollScheduleTests {
  private let ready = PollSchedule<String>.Readiness.from(.min, isSuspect: false)

  private func suspecting(_ suspect: String) -> (String) -> PollSchedule<String>.Readiness {
    { .from(.min, isSuspect: $0 == suspect) }
  }

  private func schedule(_ jobs: (String, every: Int64)...) -> PollSchedule<String> {
    var schedule = PollSchedule<String>()
    for (job, every) in jobs { schedule.add(job, every: every, first: 0) }
    return schedule
  }

  @Test("The phase stays, however late a job is done")
  func keepsThePhase() throws {
    var schedule = schedule(("a", 1000))
    for (now, expected): (Int64, Int64) in [(0, 0), (1003, 1000), (2999, 2000), (3000, 3000)] {
      let due = try #require(schedule.take(at: now) { _ in ready })
      #expect(due.time == expected)
      #expect(due.missed.count == 0)
      #expect(schedule.nextTime == expected + 1000)
    }
  }

  @Test("Nothing is due before its time")
  func waitsForItsTime() {
    var schedule = schedule(("a", 1000))
    #expect(schedule.take(at: -1) { _ in ready } == nil)
    #expect(schedule.take(at: 0) { _ in ready } != nil)
    #expect(schedule.take(at: 999) { _ in ready } == nil)
  }

  @Test("An overrun is done once, for the newest cycle, and names the missed ones")
  func skipsWhatPassed() throws {
    var schedule = schedule(("a", 1000))
    let due = try #require(schedule.take(at: 3400) { _ in ready })
    #expect(due.time == 3000)
    #expect(due.missed.times == [0, 1000, 2000])
    #expect(schedule.nextTime == 4000)
  }

  @Test("A bus that is too slow asks every job in turn")
  func isFairUnderOverload() {
    var schedule = schedule(("a", 100), ("b", 100), ("c", 100))
    var asked: [String] = []
    for turn in 0..<30 {
      if let due = schedule.take(at: Int64(turn) * 170, suspecting("a")) {
        asked.append(due.job)
      }
    }
    for job in ["a", "b", "c"] {
      let count = asked.count { $0 == job }
      #expect(count >= 8, "\(job) was asked \(count) times of 30")
    }
  }

  @Test("A suspect stands back for the others of its cycle")
  func asksSuspectsLast() {
    var schedule = schedule(("dead", 1000), ("a", 1000), ("b", 1000))
    let order = (0..<3).map { _ in schedule.take(at: 5, suspecting("dead"))?.job }
    #expect(order == ["a", "b", "dead"])
  }

  @Test("A job that is put back is due again for the same cycle, without missed ones")
  func putsBack() throws {
    var schedule = schedule(("a", 1000))
    let due = try #require(schedule.take(at: 2500) { _ in ready })
    schedule.putBack(due)
    let again = try #require(schedule.take(at: 2600) { _ in ready })
    #expect(again.time == 2000)
    #expect(again.missed.count == 0)
  }

  @Test("What passed since a job was taken can be given up; the cycle at hand stays due")
  func skipsWhatPassedSince() throws {
    var schedule = schedule(("a", 100))
    let due = try #require(schedule.take(at: 0) { _ in ready })
    #expect(schedule.skipPassed(of: due, at: 99).count == 0)
    #expect(schedule.skipPassed(of: due, at: 250).times == [100])
    #expect(schedule.nextTime == 200)
    #expect(schedule.skipPassed(of: due, at: 250).count == 0)
    schedule.remove(due.id)
    #expect(schedule.skipPassed(of: due, at: 900).count == 0)
  }

  @Test("Urgent jobs go first, and the others stand back no longer than a second")
  func prefersUrgentJobs() {
    var schedule = PollSchedule<String>()
    for job in ["a", "b", "c"] { schedule.add(job, every: 1000, first: 0) }
    for job in ["s1", "s2"] { schedule.add(job, every: 100, first: 0, isUrgent: true) }
    var taken: [(job: String, at: Int64)] = []
    // Each takes 60 ms: the urgent ones alone need 120 ms of each 100.
    for turn in 0..<600 {
      let now = Int64(turn) * 60
      if let due = schedule.take(at: now, { _ in ready }) { taken.append((due.job, now)) }
    }
    #expect(taken.prefix(4).map(\.job) == ["s1", "s2", "s1", "s2"])
    let ordinary = taken.filter { !$0.job.hasPrefix("s") }
    for (first, second) in zip(ordinary, ordinary.dropFirst()) {
      #expect((1000...1120).contains(second.at - first.at))
    }
    for job in ["a", "b", "c"] { #expect(ordinary.count { $0.job == job } >= 9) }
  }

  @Test("What takes no time goes before everything, whatever holds it")
  func takesFreeJobsFirst() {
    var schedule = PollSchedule<String>()
    schedule.add("urgent", every: 1000, first: 0, isUrgent: true)
    schedule.add("free", every: 1000, first: 100)
    func readiness(_ job: String) -> PollSchedule<String>.Readiness {
      job == "free" ? .free : ready
    }
    #expect(schedule.take(at: 50, readiness)?.job == "urgent")
    #expect(schedule.take(at: 1100, readiness)?.job == "free")
    #expect(schedule.nextTime { _ in .from(1500, isSuspect: false) } == 1500)
    #expect(schedule.nextTime { _ in .free } == 1000)
  }

  @Test("A job that is put back until later waits for that, and others go meanwhile")
  func holdsBack() throws {
    var schedule = schedule(("a", 1000), ("b", 1000))
    let due = try #require(schedule.take(at: 0) { _ in ready })
    schedule.putBack(due, until: 50)
    #expect(schedule.take(at: 0) { _ in ready }?.job == "b")
    #expect(schedule.take(at: 49) { _ in ready } == nil)
    #expect(schedule.nextTime { _ in ready } == 50)
    let again = try #require(schedule.take(at: 50) { _ in ready })
    #expect(again.job == "a")
    #expect(again.time == 0)
  }

  @Test("Every cycle is done or missed, exactly once", arguments: 0..<100 as Range<UInt64>)
  func accountsForEveryCycle(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let periods = (0..<5).map { _ in Int64.random(in: 1...400, using: &generator) }
    var schedule = PollSchedule<Int>()
    for (job, every) in periods.enumerated() { schedule.add(job, every: every, first: 17) }
    var cycles = [[Int64]](repeating: [], count: periods.count)
    var now: Int64 = 0
    for _ in 0..<300 {
      now += .random(in: 0...150, using: &generator)
      if let due = schedule.take(
        at: now, { .from(.min, isSuspect: $0.isMultiple(of: 2)) })
      {
        cycles[due.job] += due.missed.times + [due.time]
        #expect(due.time <= now)
        now += .random(in: 0...150, using: &generator)
        cycles[due.job] += schedule.skipPassed(of: due, at: now).times
      }
    }
    for (job, times) in cycles.enumerated() {
      let expected = times.indices.map { 17 + Int64($0) * periods[job] }
      #expect(times == expected)
    }
  }

  @Test("The newest missed cycles are parted from those before them")
  func splitsMissedCycles() {
    let missed = MissedCycles(first: 100, every: 10, count: 5)
    #expect(missed.split(newest: 2).older.times == [100, 110, 120])
    #expect(missed.split(newest: 2).older.last == 120)
    #expect(missed.split(newest: 2).newest.times == [130, 140])
    #expect(missed.split(newest: 5).older.count == 0)
    #expect(missed.split(newest: 5).older.last == nil)
    #expect(missed.split(newest: 9).newest == missed)
  }
}
