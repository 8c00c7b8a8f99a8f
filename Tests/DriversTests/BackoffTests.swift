import Telemetry
import Testing

@testable import Drivers

@Suite("Back-off and watches")
struct BackoffTests {
  @Test("A unit is asked every time until its third time-out in a row, and for a second")
  func toleratesTwoTimeouts() {
    var backoff = UnitBackoff()
    for now: Int64 in [100, 200] {
      backoff.recordTimeout(at: now)
      #expect(backoff.mayAsk(at: now))
      #expect(backoff.isSuspect)
      #expect(!backoff.isBackedOff)
    }
    for now: Int64 in [300, 400, 1099] {
      backoff.recordTimeout(at: now)
      #expect(!backoff.isBackedOff, "three, but all within a second")
      #expect(backoff.mayAsk(at: now))
    }
    backoff.recordTimeout(at: 1100)
    #expect(backoff.isBackedOff)
    #expect(!backoff.mayAsk(at: 1599))
    #expect(backoff.mayAsk(at: 1600))
  }

  @Test("A second alone is not enough: two time-outs a minute apart are noise")
  func needsThreeTimeouts() {
    var backoff = UnitBackoff()
    backoff.recordTimeout(at: 0)
    backoff.recordTimeout(at: 60_000)
    #expect(!backoff.isBackedOff)
    backoff.recordTimeout(at: 120_000)
    #expect(backoff.isBackedOff)
  }

  @Test("Pauses grow by half a second and end at ten")
  func pausesGrow() {
    var backoff = UnitBackoff()
    var pauses: [Int64] = []
    for round in 0..<100 {
      let now = Int64(round) * 100_000
      backoff.recordTimeout(at: now)
      pauses.append((0...10_000).first { backoff.mayAsk(at: now + $0) } ?? -1)
    }
    #expect(pauses.prefix(7) == [0, 0, 500, 1000, 1500, 2000, 2500])
    #expect(pauses[2..<22] == (1...20).map { $0 * 500 }[...])
    #expect(pauses.dropFirst(22).allSatisfy { $0 == 10_000 })
  }

  @Test("How often a dying unit is asked at most is what it is", arguments: [10, 333, 500, 2000])
  func countsQuestions(timeout: Int64) {
    var backoff = UnitBackoff()
    var questions = 0
    while !backoff.isBackedOff {
      questions += 1
      backoff.recordTimeout(at: Int64(questions) * timeout)
    }
    #expect(questions == UnitBackoff.questions(timeout: timeout))
  }

  @Test("One answer makes a unit as good as new")
  func answerResets() {
    var backoff = UnitBackoff()
    for _ in 0..<10 { backoff.recordTimeout(at: 0) }
    backoff.recordAnswer()
    #expect(backoff == UnitBackoff())
    #expect(backoff.mayAsk(at: 0))
  }

  @Test("A refused connection is tried again within a second, for ever")
  func reconnectsQuickly() {
    var backoff = ReconnectBackoff()
    let pauses = (0..<50).map { _ in backoff.nextPause(isQuick: true) }
    #expect(pauses.allSatisfy { (1...1000).contains($0) })
    #expect(pauses == pauses.sorted())
    backoff.reset()
    #expect(backoff.nextPause(isQuick: true) == pauses[0])
  }

  @Test("A silent host is tried more slowly, and for ever")
  func reconnectsSlowly() {
    var backoff = ReconnectBackoff()
    let pauses = (0..<50).map { _ in backoff.nextPause(isQuick: false) }
    #expect(pauses.allSatisfy { (1...5000).contains($0) })
    #expect(pauses.last == 5000)
  }

  @Test("A device is lost once after its third failed cycle, and recovers once")
  func watchesADevice() {
    var watch = DeviceWatch()
    #expect(watch.recordFailure(dueAt: 0, reason: .timeout) == nil)
    #expect(watch.recordFailure(dueAt: 1000, reason: .timeout) == nil)
    #expect(
      watch.recordFailure(dueAt: 2000, reason: .exception(4))
        == StateDetail(state: "lost", reason: "exception-4"))
    #expect(watch.recordFailure(dueAt: 3000, reason: .timeout) == nil)
    #expect(watch.recordValues() == StateDetail(state: "recovered"))
    #expect(watch.recordValues() == nil)
  }

  @Test("Several failed requests of one cycle count once, and values start the count again")
  func countsCycles() {
    var watch = DeviceWatch()
    for _ in 0..<10 { #expect(watch.recordFailure(dueAt: 0, reason: .timeout) == nil) }
    #expect(watch.recordFailure(dueAt: 1000, reason: .timeout) == nil)
    #expect(watch.recordValues() == nil)
    for time: Int64 in [2000, 3000] {
      #expect(watch.recordFailure(dueAt: time, reason: .timeout) == nil)
    }
    #expect(watch.recordFailure(dueAt: 4000, reason: .timeout)?.state == "lost")
  }

  @Test("A bus reports each change once")
  func watchesABus() {
    var watch = BusWatch()
    #expect(watch.recordOpen() == StateDetail(state: "open"))
    #expect(watch.recordOpen() == nil)
    #expect(watch.recordClosed(reason: "r", at: 0) == StateDetail(state: "closed", reason: "r"))
    #expect(watch.recordClosed(reason: "s", at: 9_999) == nil)
    #expect(watch.recordOpen() != nil)
    var closedFirst = BusWatch()
    #expect(closedFirst.recordClosed(reason: "r", at: 0) != nil)
  }

  @Test("A bus that is closed for another reason says so, ever less often in one outage")
  func watchesReasons() {
    var watch = BusWatch()
    #expect(watch.recordClosed(reason: "no file", at: 0)?.reason == "no file")
    #expect(watch.recordClosed(reason: "no file", at: 60_000) == nil)
    #expect(watch.recordClosed(reason: "no port", at: 60_001)?.reason == "no port")
    // Two reasons in turns, each second for a day.
    let told = (0..<86_400).count { second in
      let reason = second.isMultiple(of: 2) ? "refused" : "closed"
      return watch.recordClosed(reason: reason, at: 61_000 + Int64(second) * 1000) != nil
    }
    #expect((6...140).contains(told))
    #expect(watch.recordOpen() != nil)
    #expect(watch.recordClosed(reason: "a", at: 100_000_000) != nil)
    #expect(watch.recordClosed(reason: "b", at: 100_010_000)?.reason == "b")
  }
}
