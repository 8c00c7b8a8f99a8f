import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Bus state machine")
struct BusStateMachineTests {
  private let timeout: Int64 = 1000

  @Test("Each due point yields one outcome a cycle, dated when the answer came")
  func readsEachCycle() {
    var play = Play(bus(device("a", unit: 1), device("b", unit: 2))) { request, _ in
      (values(request), 10)
    }
    play.run(until: 5000)
    #expect(play.reasons(of: "a") == [nil, nil, nil, nil, nil])
    #expect(play.reasons(of: "b") == [nil, nil, nil, nil, nil])
    // The connection took 1 ms, a's answer 10, b's 10 more.
    #expect(play.samples.prefix(4).map(\.time.monotonic) == [11, 21, 1010, 1020])
    #expect(play.states(of: "station") == ["open"])
    #expect(play.connects == [0])
  }

  @Test("A dead unit costs three time-outs, then one each ten seconds; its points are offline")
  func backsOffADeadUnit() {
    let timeout = timeout
    var play = Play(bus(device("dead", unit: 1), device("alive", unit: 2))) { request, _ in
      request.unit == 1 ? (.failure(.timeout(brokeOff: false)), timeout) : (values(request), 5)
    }
    play.run(until: 120_000)
    let dead = play.reasons(of: "dead")
    #expect(dead.prefix(3) == [.timeout, .timeout, .timeout])
    let asked = play.asked.filter { $0.unit == 1 }.map(\.at)
    #expect(asked.count <= 22, "asked \(asked.count) times in 120 s")
    // 0.5 s more each time, and the time-out, at the next whole second.
    let pauses = zip(asked, asked.dropFirst()).map { $1 - $0 }.dropFirst(2)
    for (index, pause) in pauses.enumerated() {
      let least = min(500 * Int64(index + 1), 10_000) + timeout
      #expect((least...least + 2000).contains(pause))
    }
    #expect(dead.count { $0 == .offline } >= 90)
    #expect(dead.count == 120, "one outcome a cycle")
    // The dead unit is asked last in its cycle, so the other loses nothing.
    // Only in the first cycle nobody knows which of them is dead.
    #expect(play.reasons(of: "alive") == [.notRead] + [BadReason?](repeating: nil, count: 119))
    #expect(play.states(of: "dead") == ["lost"])
    #expect(play.connects == [0], "the others' connection stays")
  }

  @Test("A unit that comes back is read again within the longest pause, and reported once")
  func recoversAUnit() {
    let timeout = timeout
    var play = Play(bus(device("d", unit: 1), device("other", unit: 2))) { request, now in
      request.unit == 1 && now < 60_000
        ? (.failure(.timeout(brokeOff: false)), timeout) : (values(request), 5)
    }
    play.run(until: 90_000)
    let firstGood = play.samples.first { sample in
      sample.device.name == "d" && sample.outcomes.contains { $0.outcome == .good(.uint(1)) }
    }
    #expect((60_000...72_000).contains(firstGood?.time.monotonic ?? 0))
    #expect(play.states(of: "d") == ["lost", "recovered"])
    #expect(play.reasons(of: "d").suffix(15).allSatisfy { $0 == nil })
  }

  @Test("While no connection can be made, every due point says why, each cycle")
  func reportsAClosedBus() {
    var play = Play(bus(device("a", unit: 1), device("b", unit: 2))) { request, _ in
      (values(request), 5)
    }
    play.connect = { now in now < 10_500 ? (.refused(endpoint: "e"), 1) : (nil, 1) }
    play.run(until: 15_000)
    for device in ["a", "b"] {
      let reasons = play.reasons(of: device)
      #expect(reasons.prefix(11) == [BadReason?](repeating: .refused, count: 11)[...])
      #expect(reasons.dropFirst(11) == [nil, nil, nil, nil][...])
      #expect(play.states(of: device) == ["lost", "recovered"])
    }
    let failures = play.samples.prefix(4)
    #expect(failures.map(\.time.monotonic) == [0, 0, 1000, 1000], "dated when they were due")
    #expect(failures.first?.time.offset == 1_000_000)
    #expect(play.states(of: "station") == ["closed", "open"])
    let pauses = zip(play.connects, play.connects.dropFirst()).map { $1 - $0 }
    #expect(pauses.allSatisfy { $0 <= 1001 }, "\(pauses)")
    #expect(play.events.map(\.severity) == [.warning, .warning, .warning, .info, .info, .info])
  }

  @Test("A silent host's cycles are bus-closed, also those during an attempt")
  func reportsASilentHost() {
    var play = Play(bus(device("a", unit: 1, points: [point(0, every: 100)]))) { request, _ in
      (values(request), 5)
    }
    let silence = ConnectError.failed(.init(call: "connect", subject: "", code: 110))
    play.connect = { _ in (silence, 2000) }
    play.run(until: 30_000)
    let times = play.samples.map(\.time.monotonic)
    #expect(times == times.indices.map { Int64($0) * 100 }, "every cycle once, in order")
    #expect(times.count >= 290)
    #expect(Set(play.reasons(of: "a")) == [.busClosed])
  }

  @Test("A cycle that the bus had no time for is not-read")
  func reportsOverruns() {
    var play = Play(bus(device("a", unit: 1))) { request, _ in (values(request), 2500) }
    play.run(until: 10_000)
    // Asked at 1 ms for cycle 0, at 2501 for 2000, at 5001 for 5000, at 7501 for 7000.
    #expect(
      play.reasons(of: "a") == [
        .notRead, nil, .notRead, .notRead, nil, .notRead, nil, .notRead, .notRead, nil,
      ])
    let notRead = play.samples.filter {
      $0.outcomes.first?.outcome == .bad(.notRead)
    }
    #expect(notRead.map(\.time.monotonic) == [1000, 3000, 4000, 6000, 8000, 9000])
  }

  @Test("After a long sleep the newest missed cycles are samples, those before one gap")
  func boundsWhatASleepMissed() throws {
    var play = Play(bus(device("a", unit: 1, points: [point(0, every: 10)]))) { request, _ in
      (values(request), 1)
    }
    play.run(until: 100)
    let before = play.samples.count
    play.now += 3_600_000
    play.run(until: play.now + 5)
    let limit = ModbusBusStateMachine.reportedMissedCycles(every: 10)
    #expect(play.samples.count <= before + limit + 2)
    let gap = try #require(play.events.last)
    guard case .gap(let detail) = gap.detail else {
      Issue.record("\(gap)")
      return
    }
    #expect(detail.reason == .notRead)
    #expect(gap.source == "a")
    #expect(detail.count == 360_000 - limit)
    #expect(
      detail.span == .time(from: 1_000_100, to: 1_000_100 + (360_000 - Int64(limit) - 1) * 10))
  }

  @Test("An exception is an answer: its points name it, its unit is asked on")
  func reportsExceptions() {
    var play = Play(bus(device("a", unit: 1))) { _, _ in (.success(.exception(4)), 5) }
    play.run(until: 5000)
    #expect(play.reasons(of: "a") == [BadReason?](repeating: .exception(4), count: 5))
    #expect(play.asked.count == 5)
    #expect(play.samples.first?.time.monotonic == 6, "dated when the answer came")
    #expect(play.states(of: "station") == ["open"])
    #expect(play.events.last?.stateDetail == StateDetail(state: "lost", reason: "exception-4"))
  }

  @Test("A gateway's word that a unit is silent backs the unit off, not the gateway")
  func backsOffBehindAGateway() {
    var play = Play(bus(device("dead", unit: 1), device("alive", unit: 2))) { request, _ in
      request.unit == 1 ? (.success(.exception(11)), 900) : (values(request), 5)
    }
    play.run(until: 60_000)
    #expect(play.reasons(of: "dead").prefix(3) == [.exception(11), .exception(11), .exception(11)])
    #expect(play.asked.count { $0.unit == 1 } <= 16)
    #expect(play.reasons(of: "alive").allSatisfy { $0 == nil })
    #expect(play.connects == [0])
  }

  @Test("An exception of no known code is a bad answer")
  func refusesUnknownExceptions() {
    var play = Play(bus(device("a", unit: 1))) { _, _ in (.success(.exception(77)), 5) }
    play.run(until: 2000)
    #expect(play.reasons(of: "a") == [.badAnswer, .badAnswer])
  }

  @Test("One address that a device lacks costs its neighbours nothing, from the first cycle on")
  func dividesADeclinedRequest() {
    let points = [0, 1, 2, 7, 8].map { point("p\($0)", .holding, $0) }
    var play = Play(bus(device("a", unit: 1, points: points))) { request, _ in
      let hits = request.addresses.contains(1) || request.addresses.contains(5)
      return (hits ? .success(.exception(2)) : values(request), 5)
    }
    play.run(until: 3000)
    var outcomes: [Int: Set<BadReason?>] = [:]
    for outcome in play.samples.flatMap(\.outcomes) {
      if case .bad(let reason, _) = outcome.outcome {
        outcomes[outcome.point, default: []].insert(reason)
      } else {
        outcomes[outcome.point, default: []].insert(nil)
      }
    }
    #expect(outcomes == [0: [nil], 1: [.exception(2)], 2: [nil], 3: [nil], 4: [nil]])
    #expect(play.samples.flatMap(\.outcomes).count == 15, "each point once in each of 3 cycles")
    #expect(play.states(of: "a").isEmpty)
  }

  @Test("A connection that closed while idle is replaced without losing a cycle or an event")
  func replacesAnIdleConnection() {
    var fresh = 0
    var play = Play(bus(device("a", unit: 1))) { request, _ in
      fresh += 1
      // Every second question finds the connection closed.
      return fresh.isMultiple(of: 2)
        ? (.failure(.closedBefore(reason: "closed")), 0) : (values(request), 5)
    }
    play.run(until: 5000)
    #expect(play.reasons(of: "a") == [nil, nil, nil, nil, nil])
    #expect(play.states(of: "station") == ["open"])
    #expect(play.connects.count == 5)
  }

  @Test("A station that accepts and hangs up is reported closed once and not besieged")
  func enduresAStationThatHangsUp() {
    var play = Play(bus(device("a", unit: 1))) { _, _ in
      (.failure(.closedBefore(reason: "closed")), 0)
    }
    play.run(until: 30_000)
    #expect(play.reasons(of: "a").count == 30)
    #expect(play.reasons(of: "a").allSatisfy { $0 == .busClosed })
    #expect(play.connects.count <= 40, "\(play.connects.count) attempts in 30 s")
    #expect(play.states(of: "station") == ["closed"])
  }

  @Test("A connection cut in mid-answer is bus-closed, reported, and replaced at once")
  func replacesACutConnection() {
    var count = 0
    var play = Play(bus(device("a", unit: 1))) { request, _ in
      count += 1
      return count == 2 ? (.failure(.closed(reason: "cut")), 5) : (values(request), 5)
    }
    play.run(until: 4000)
    #expect(play.reasons(of: "a") == [nil, .busClosed, nil, nil])
    #expect(play.events.map { $0.stateDetail?.state } == ["open", "closed", "open"])
    #expect(play.connects == [0, 1005])
  }

  @Test("When every unit falls silent the connection is replaced, and heals")
  func replacesASilentConnection() {
    let timeout = timeout
    var brokenConnection = true
    var play = Play(bus(device("a", unit: 1), device("b", unit: 2))) { request, now in
      now < 5000 || !brokenConnection
        ? (values(request), 5) : (.failure(.timeout(brokeOff: false)), timeout)
    }
    play.connect = { now in
      if now > 5000 { brokenConnection = false }
      return (nil, 1)
    }
    play.run(until: 40_000)
    #expect(play.connects.count == 2)
    #expect((5000...12_000).contains(play.connects.last ?? 0), "\(play.connects)")
    #expect(play.reasons(of: "a").suffix(20).allSatisfy { $0 == nil })
    #expect(play.states(of: "station") == ["open"], "nothing was refused")
  }

  @Test("A unit that is seldom asked does not keep a silent connection alive")
  func replacesInSpiteOfSeldomAskedUnits() {
    let timeout = timeout
    let hourly = device("hourly", unit: 2, points: [point(0, every: 3_600_000)])
    var play = Play(bus(device("a", unit: 1), hourly)) { request, now in
      now < 5000 ? (values(request), 5) : (.failure(.timeout(brokeOff: false)), timeout)
    }
    play.run(until: 60_000)
    #expect(play.connects.count >= 2)
  }

  @Test("An answer that broke off or lost its framing replaces the connection quietly")
  func replacesAfterLostFraming() {
    var count = 0
    var play = Play(bus(device("a", unit: 1))) { request, _ in
      count += 1
      switch count {
      case 2: return (.failure(.timeout(brokeOff: true)), 100)
      case 4: return (.failure(.badAnswer(.wrongProtocol(found: 9))), 5)
      case 6: return (.failure(.badAnswer(.wrongUnit(found: 9, expected: 1))), 5)
      default: return (values(request), 5)
      }
    }
    play.run(until: 7000)
    #expect(play.reasons(of: "a") == [nil, .timeout, nil, .badAnswer, nil, .badAnswer, nil])
    #expect(play.connects.count == 3, "a wrong unit in a sound frame keeps the connection")
    #expect(play.states(of: "station") == ["open"])
  }

  @Test("A bus on which nothing answers yet is open once its connection stood a while")
  func opensWithoutAnswers() {
    let timeout = timeout
    var play = Play(bus(device("a", unit: 1))) { _, _ in
      (.failure(.timeout(brokeOff: false)), timeout)
    }
    play.connect = { now in now < 3000 ? (.refused(endpoint: "e"), 1) : (nil, 1) }
    play.run(until: 60_000)
    #expect(play.states(of: "station") == ["closed", "open"])
  }

  @Test("A bus without points rests")
  func restsWithoutPoints() {
    var play = Play(bus(device("a", unit: 1, points: []))) { request, _ in (values(request), 5) }
    play.run(until: 500_000)
    #expect(play.connects.isEmpty)
    #expect(play.reports.isEmpty)
  }

  @Test("A host that speaks something else is a bus that is open, and devices that answer badly")
  func opensForAnybody() {
    var play = Play(bus(device("a", unit: 1))) { _, _ in
      (.failure(.badAnswer(.wrongProtocol(found: 18_477))), 5)
    }
    play.connect = { now in now < 2_500 ? (.refused(endpoint: "e"), 1) : (nil, 1) }
    play.run(until: 20_000)
    #expect(play.states(of: "station") == ["closed", "open"])
    #expect(play.reasons(of: "a").last == .badAnswer)
  }

  @Test("A unit whose answers are all damaged is backed off like a silent one", arguments: [0, 1])
  func backsOffADamagedUnit(_ kind: Int) {
    let failure: TransactionError = kind == 0 ? .wrongChecksum : .noise
    var play = Play(bus(device("bad", unit: 1), device("good", unit: 2))) { request, now in
      request.unit == 1 && now < 60_000 ? (.failure(failure), 250) : (values(request), 5)
    }
    play.run(until: 80_000)
    #expect(play.reasons(of: "bad").prefix(3) == [.crc, .crc, .crc])
    let asked = play.asked.filter { $0.unit == 1 && $0.at < 60_000 }
    #expect(asked.count <= 16, "asked \(asked.count) times in a minute")
    #expect(play.reasons(of: "bad").suffix(5).allSatisfy { $0 == nil })
    #expect(play.reasons(of: "good").allSatisfy { $0 == nil })
    #expect(play.connects == [0])
  }
}
