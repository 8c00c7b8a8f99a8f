import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("What a bus without a connection missed")
struct LostTurnTests {
  private static let hour: Int64 = 3_600_000

  private func hourly(_ name: String, unit: UInt8, isSafety: Bool = false) -> ModbusDevice {
    var point = point(0, every: Self.hour)
    point.isSafety = isSafety
    return device(name, unit: unit, points: [point])
  }

  @Test(
    "A point that is read once an hour is read when the station is there, and then in its phase")
  func readsRarePoints() {
    var play = Play(bus(hourly("d", unit: 1))) { request, _ in (values(request), 10) }
    play.connect = { now in now < 3_000 ? (.refused(endpoint: "e"), 1) : (nil, 1) }
    play.run(until: 2 * Self.hour + 5_000)
    #expect(play.reasons(of: "d") == [.refused, nil, nil, nil])
    let times = play.samples.map(\.time.monotonic)
    #expect(times.first == 0)
    #expect(times[1] < 4_100, "\(times)")
    #expect(Array(times.dropFirst(2)) == [Self.hour + 10, 2 * Self.hour + 10])
    #expect(play.states(of: "station") == ["closed", "open"])
  }

  @Test("A bus on which nothing is due says that it is open once it has been for a while")
  func opensWithoutQuestions() {
    // The only point is due again when the test is over, and what is due that soon is not recalled.
    let one = device("d", unit: 1, points: [point(0, every: LostTurn.soon)])
    var play = Play(bus(one)) { request, now in
      now < 100 ? (.failure(.timeout(brokeOff: true)), 50) : (values(request), 10)
    }
    play.run(until: LostTurn.soon - 1_000)
    #expect(play.states(of: "station") == ["open"])
    #expect((5_000...5_200).contains(play.events.first?.time.monotonic ?? 0))
  }

  @Test("A unit that starts more slowly than the gateway is read when it does, not an hour later")
  func readsUnitsThatStartSlowly() {
    let silences: [Result<ReadAnswer, TransactionError>] = [
      .failure(.timeout(brokeOff: false)), .success(.exception(11)),
    ]
    for silence in silences {
      let quick = device("quick", unit: 2, points: [point(0, every: 5_000)])
      var play = Play(bus(timeout: 1_000, hourly("d", unit: 1), quick)) { request, now in
        now < 20_000 ? (silence, 1_000) : (values(request), 10)
      }
      play.run(until: Self.hour + 5_000)
      #expect(play.states(of: "d") == ["lost", "recovered"])
      let good = play.samples.filter {
        $0.device.name == "d" && $0.outcomes.first?.outcome == .good(.uint(1))
      }
      let times = good.map(\.time.monotonic)
      #expect(times.count == 2, "\(times)")
      #expect(times.first ?? .max < 50_000)
      #expect((Self.hour..<Self.hour + 1_000).contains(times.last ?? 0), "in its phase")
    }
  }

  @Test("All of a unit's rare points are read so, those that were offline at their turn as well")
  func readsWhatWasOffline() {
    let many = (0..<10).map { point(UInt16($0) * 200, every: Self.hour) }
    var play = Play(bus(timeout: 1_000, device("d", unit: 1, points: many))) { request, now in
      now < 20_000 ? (.failure(.timeout(brokeOff: false)), 1_000) : (values(request), 10)
    }
    play.run(until: 120_000)
    #expect(play.reasons(of: "d").contains(.offline))
    #expect(play.reasons(of: "d").count { $0 == nil } == 10, "each once")
  }

  @Test("A dead unit of many rare points costs the others what a unit's pauses allow")
  func boundsADeadUnit() {
    let many = (0..<30).map { point(UInt16($0) * 200, every: Self.hour) }
    let alive = device("alive", unit: 2, points: [point(0, every: 1_000)])
    var play = Play(bus(timeout: 500, device("d", unit: 1, points: many), alive)) { request, _ in
      request.unit == 1 ? (.failure(.timeout(brokeOff: false)), 500) : (values(request), 10)
    }
    play.run(until: Self.hour - 1)
    let asked = play.asked.filter { $0.unit == 1 }.map(\.at)
    let pauses = zip(asked, asked.dropFirst()).map { $1 - $0 }
    // As each pause is half a second longer than the one before it.
    #expect(pauses.dropFirst(25).allSatisfy { $0 >= UnitBackoff.longestPause }, "\(pauses)")
    #expect(asked.count > 30, "each once more at least")
    #expect(play.reasons(of: "alive").allSatisfy { $0 == nil })
  }

  @Test("They come one after the other, safety first, and those that are due anyway lose nothing")
  func makesNoBurst() {
    let quick = device("quick", unit: 100, points: [point(0, every: 100)])
    let rare = (1...40).map { hourly("d\($0)", unit: UInt8($0), isSafety: $0 == 40) }
    var definition = bus(quick)
    definition.devices += rare
    var play = Play(definition) { request, _ in (values(request), 10) }
    play.connect = { now in now < 3_000 ? (.refused(endpoint: "e"), 1) : (nil, 1) }
    play.run(until: 20_000)
    let back = play.connects.last ?? 0
    let asked = play.asked.filter { $0.at >= back && $0.unit != 100 }
    #expect(Set(asked.map(\.unit)).count == 40)
    #expect(asked.count == 40, "each once")
    #expect(asked.first?.unit == 40, "safety first")
    let last = asked.last?.at ?? 0
    // 40 × 10 ms in what 90 % of cycles leave of four fifths, at least a tenth.
    #expect((300...4_500).contains(last - back), "\(last - back) ms")
    let lost = play.samples.filter {
      $0.device.name == "quick" && $0.outcomes.first?.outcome == .bad(.notRead)
    }
    #expect(lost.isEmpty)
  }

  @Test("A unit at whose question the gateway hangs up is asked again ever more rarely")
  func bearsAGatewayThatHangsUp() {
    let alive = device("alive", unit: 2, points: [point(0, every: 1_000)])
    var play = Play(bus(hourly("d", unit: 1), alive)) { request, _ in
      request.unit == 1 ? (.failure(.closed(reason: "hung up")), 10) : (values(request), 10)
    }
    play.run(until: 60_000)
    let asked = play.asked.filter { $0.unit == 1 }.map(\.at)
    #expect((4...8).contains(asked.count), "\(asked)")
    #expect(play.reasons(of: "d") == [.busClosed], "said once")
    #expect(play.reasons(of: "alive").count { $0 == nil } >= 55)
  }

  @Test("A unit that comes back later than its gateway is asked when its pause is over")
  func waitsForABackedOffUnit() {
    let minute: Int64 = 60_000
    var rare = point(0, every: minute)
    rare.description.name = "rare"
    var often = point(100, every: 500)
    often.description.name = "often"
    let both = device("d", unit: 1, points: [rare, often])
    let timeout: Int64 = 200
    var play = Play(bus(timeout: timeout, both), start: 0) { request, now in
      // It falls silent, its gateway goes and comes back, and it does not answer at once.
      switch now {
      case minute - 3_000..<minute + 5_000: (.failure(.closed(reason: "gone")), 5)
      case minute - 10_000..<minute + 6_000: (.failure(.timeout(brokeOff: false)), timeout)
      default: (values(request), 5)
      }
    }
    play.connect = { now in
      (minute - 3_000..<minute + 5_000).contains(now) ? (.refused(endpoint: "e"), 1) : (nil, 1)
    }
    play.run(until: minute + 30_000)
    let read = play.samples.filter { sample in
      sample.time.monotonic > minute
        && sample.outcomes.contains { $0.point == 0 && $0.outcome == .good(.uint(1)) }
    }
    #expect(read.count == 1)
    #expect(read.first?.time.monotonic ?? .max < minute + 20_000)
    #expect(!play.reasons(of: "d").suffix(10).contains(.offline))
  }

  @Test("A unit that stays away costs a handful of time-outs an hour")
  func boundsQuestions() {
    var play = Play(bus(timeout: 500, hourly("d", unit: 1))) { _, _ in
      (.failure(.timeout(brokeOff: false)), 500)
    }
    play.connect = { now in now < 3_000 ? (.refused(endpoint: "e"), 1) : (nil, 1) }
    play.run(until: Self.hour - 1)
    #expect((8...16).contains(play.asked.count), "\(play.asked.map(\.at))")
    #expect(play.reasons(of: "d").first == .refused)
    #expect(play.reasons(of: "d").dropFirst().allSatisfy { $0 == .timeout })
    #expect(play.states(of: "d") == ["lost"])
  }

  @Test("A unit of many requests at whose questions the gateway hangs up costs the others no more")
  func bearsAGatewayThatHangsUpOften() {
    // Too far apart to be asked for together.
    let many = (0..<30).map { point(UInt16($0) * 200, every: Self.hour) }
    let alive = device("alive", unit: 2, points: [point(0, every: 1_000)])
    var play = Play(bus(device("d", unit: 1, points: many), alive)) { request, _ in
      request.unit == 1 ? (.failure(.closed(reason: "hung up")), 10) : (values(request), 10)
    }
    play.run(until: 60_000)
    let asked = play.asked.filter { $0.unit == 1 }.map(\.at)
    #expect((4...12).contains(asked.count), "\(asked)")
    #expect(play.reasons(of: "d") == Array(repeating: .busClosed, count: 30), "said once each")
    #expect(play.reasons(of: "alive").count { $0 == nil } >= 55)
  }

  @Test("A unit at which the gateway hung up is asked for all that it missed once it answers")
  func asksForAllOnceItAnswers() {
    let many = (0..<30).map { point(UInt16($0) * 200, every: Self.hour) }
    let alive = device("alive", unit: 2, points: [point(0, every: 100)])
    var play = Play(bus(device("d", unit: 1, points: many), alive)) { request, now in
      request.unit == 1 && now < 20_000
        ? (.failure(.closed(reason: "hung up")), 10) : (values(request), 10)
    }
    play.run(until: 60_000)
    #expect(play.reasons(of: "d").count { $0 == nil } == 30, "each once")
    let lost = play.reasons(of: "alive").dropFirst(250).compactMap(\.self)
    #expect(lost.isEmpty, "what was missed comes no faster than the line carries it")
  }

  @Test("A connection that is made anew does not put off what has waited for its turn")
  func keepsTurns() throws {
    let (dead, other) = (hourly("dead", unit: 1), hourly("other", unit: 2))
    var agenda = PollAgenda(bus(dead, other), start: 0, spreads: false)
    for _ in 0..<2 {
      let due = try #require(agenda.take(at: 0) { _ in .free })
      agenda.recordLost(due, wasAsked: false, at: 0)
    }
    agenda.recallLost(at: 1_000)
    let first = try #require(agenda.take(at: 1_000) { _ in .free })
    #expect(first.job.request.unit == 1)
    agenda.recordFailure(of: first, .timeout, at: 1_000)
    let turn = try #require(agenda.nextTime(at: 1_000) { _ in .free })
    #expect((1_001..<2_000).contains(turn))
    agenda.recallLost(at: turn)
    let second = agenda.take(at: turn) { _ in .free }
    #expect(second?.job.request.unit == 2)
  }

  @Test("What is planned anew meanwhile is still asked for")
  func outlivesAPlan() throws {
    // One request with a hole, which the unit declines.
    let holed = device(
      "d", unit: 1, points: [point(0, every: Self.hour), point(5, every: Self.hour)])
    var agenda = PollAgenda(bus(holed), start: 0, spreads: false)
    let whole = try #require(agenda.take(at: 0) { _ in .free })
    let isDivided = agenda.decline(whole, code: 2, at: 0)
    try #require(isDivided)
    let first = try #require(agenda.take(at: 0) { _ in .free })
    agenda.recordOutcome(of: first.id)
    let second = try #require(agenda.take(at: 0) { _ in .free })
    agenda.recordLost(second, wasAsked: false, at: 0)
    // It may be another unit now, so it is asked for the whole again.
    agenda.forget(unit: 1, at: 0)
    let abandoned = agenda.settle(at: 0)
    #expect(abandoned.isEmpty)
    agenda.recallLost(at: 1_000)
    let again = try #require(agenda.take(at: 1_000) { _ in .free })
    #expect(again.job.request.points == [0, 1])
    #expect(again.isRecalled)
  }
}
