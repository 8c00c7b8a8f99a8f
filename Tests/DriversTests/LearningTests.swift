import Telemetry
import Testing

@testable import Drivers

/// What a bus learns of its units while it polls them.
@Suite("Learning what a unit answers")
struct LearningTests {
  private let lossy = Result<ReadAnswer, TransactionError>.failure(.timeout(brokeOff: false))

  private func points(_ addresses: [UInt16], every: Int64 = 1000) -> [ModbusPoint] {
    addresses.map { point("p\($0)", .holding, $0, every: every) }
  }

  @Test("A unit that declines a range with holes is asked without holes as long as it is there")
  func remembersHoles() {
    var play = Play(bus(device("a", unit: 1, points: points([0, 5, 6, 80, 90])))) { request, _ in
      (request.addresses.contains(3) ? .success(.exception(2)) : values(request), 5)
    }
    play.run(until: 3_600_000)
    let asked = play.asked.map(\.addresses)
    #expect(asked.first == 0..<7)
    // 80…90 goes across a hole too; it was not asked yet and is not tried.
    #expect(Set(asked.dropFirst().prefix(4)) == [0..<1, 5..<7, 80..<81, 90..<91])
    #expect(Set(asked.dropFirst()).count == 4)
    #expect(asked.count { $0 == 0..<7 } == 1, "an hour later it is still remembered")
    #expect(play.reasons(of: "a").allSatisfy { $0 == nil }, "it cost nobody a cycle")
  }

  @Test("After a reconnect that failed at first, and after a silence, holes are tried again")
  func forgetsHoles() {
    var declines = true
    var cut = false
    var play = Play(bus(device("a", unit: 1, points: points([0, 5])))) { request, now in
      if now >= 10_000, !cut {
        cut = true
        return (.failure(.closed(reason: "cut")), 5)
      }
      if (30_000..<60_000).contains(now) { return (lossy, 1000) }
      return (declines && request.count > 1 ? .success(.exception(3)) : values(request), 5)
    }
    play.connect = { now in
      (10_000..<15_000).contains(now) ? (.refused(endpoint: "e"), 1) : (nil, 1)
    }
    play.run(until: 25_000)
    func tries(in times: Range<Int64>) -> Int {
      play.asked.count { times.contains($0.at) && $0.addresses == 0..<6 }
    }
    #expect(tries(in: 0..<14_000) == 1)
    #expect(tries(in: 15_000..<25_000) == 1, "another device may be there")
    declines = false
    play.run(until: 90_000)
    #expect(play.asked.last?.addresses == 0..<6, "it was silent and is read whole again")
  }

  @Test("A station that closes idle connections is not taken for another one each time")
  func keepsKnowledgeOverIdleCloses() {
    var count = 0
    var play = Play(bus(device("a", unit: 1, points: points([0, 5])))) { request, _ in
      count += 1
      if count.isMultiple(of: 3) { return (.failure(.closedBefore(reason: "idle")), 0) }
      return (request.count > 1 ? .success(.exception(2)) : values(request), 5)
    }
    play.run(until: 60_000)
    #expect(play.connects.count > 20)
    #expect(play.asked.count { $0.addresses == 0..<6 } == 1)
  }

  @Test("On a bus that always overruns, what is due at different times is joined again too")
  func restoresUnderOverload() {
    var isOld = true
    var play = Play(bus(device("a", unit: 1, points: points([0, 5, 9], every: 100)))) {
      request, _ in
      if isOld, request.count > 1 { return (.success(.exception(2)), 70) }
      return (values(request), 130)
    }
    play.run(until: 5000)
    #expect(Set(play.asked.dropFirst().map(\.addresses)) == [0..<1, 5..<6, 9..<10])
    isOld = false
    play.machine.connectFailed(.refused(endpoint: "e"), at: play.time)
    play.run(until: 10_000)
    #expect(play.asked.last?.addresses == 0..<10)
    #expect(play.reasons(of: "a").contains(.notRead))
    Accounting.expectExact(play, ["a"])
  }

  @Test("The one register that a device lacks is found, and its neighbours are joined around it")
  func isolatesOneRegister() {
    let all = (0..<32).map { UInt16($0) }
    var play = Play(bus(device("a", unit: 1, points: points(all)))) { request, _ in
      (request.addresses.contains(13) ? .success(.exception(2)) : values(request), 5)
    }
    play.run(until: 60_000)
    let inFirstCycle = play.asked.filter { $0.at < 1000 }.count
    #expect(inFirstCycle == 1 + 2 * 5, "halved five times")
    #expect(Set(play.asked.suffix(6).map(\.addresses)).isSubset(of: [0..<13, 13..<14, 14..<32]))
    // 1, 2, 4, 8, 16, 32 s after the refusal before.
    #expect(
      play.asked.filter { $0.addresses == 13..<14 }.map { $0.at / 1000 } == [0, 2, 5, 10, 19, 36])
    let outcomes = Dictionary(grouping: play.samples.flatMap(\.outcomes), by: \.point)
    for point in all.indices {
      #expect(outcomes[point]?.count == 60)
      let isBad = outcomes[point]?.allSatisfy { $0.outcome == .bad(.exception(2)) }
      #expect(isBad == (point == 13))
    }
    #expect(play.states(of: "a").isEmpty)
  }

  @Test("Two registers that lie in one half are both found, and each is asked again on its own")
  func isolatesTwoRegisters() {
    let all = (0..<16).map { UInt16($0) }
    var healed = false
    var play = Play(bus(device("a", unit: 1, points: points(all)))) { request, _ in
      let isBad = request.addresses.contains(2) || (!healed && request.addresses.contains(5))
      return (isBad ? .success(.exception(2)) : values(request), 2)
    }
    play.run(until: 20_000)
    let plan: Set<Range<Int>> = [0..<2, 2..<3, 3..<5, 5..<6, 6..<16]
    #expect(Set(play.asked.suffix(20).map(\.addresses)).isSubset(of: plan))
    healed = true
    play.run(until: 120_000)
    let later: Set<Range<Int>> = [0..<2, 2..<3, 3..<16]
    #expect(Set(play.asked.suffix(20).map(\.addresses)).isSubset(of: later))
    Accounting.expectExact(play, ["a"])
  }

  @Test("Where a device takes only short requests, that is learned and stays")
  func learnsALimit() {
    let all = (0..<40).map { UInt16($0) }
    var play = Play(bus(device("a", unit: 1, points: points(all)))) { request, _ in
      (request.count > 10 ? .success(.exception(3)) : values(request), 5)
    }
    play.run(until: 60_000)
    #expect(play.asked.filter { $0.at > 1000 }.allSatisfy { $0.addresses.count <= 10 })
    #expect(play.reasons(of: "a").allSatisfy { $0 == nil })
    #expect(play.asked.filter { $0.at >= 59_000 }.count == 4)
  }

  @Test("What had to be divided is asked whole again, ever more rarely, at no cycle's cost")
  func joinsDividedRangesAgain() {
    let all = (0..<8).map { UInt16($0) }
    var whims = 0
    var longest = 125
    var play = Play(bus(device("a", unit: 1, points: points(all)))) { request, _ in
      whims += 1
      // Once by a whim, when nothing is wrong with the request.
      if whims == 5 || request.count > longest { return (.success(.exception(2)), 2) }
      return (values(request), 2)
    }
    play.run(until: 500_000)
    #expect(play.asked.suffix(2).map(\.addresses) == [0..<4, 4..<8])
    play.run(until: 620_000)
    #expect(play.asked.last?.addresses == 0..<8)
    longest = 4
    play.run(until: 20_000_000)
    let tries = play.asked.filter { $0.at >= 620_000 && $0.addresses == 0..<8 }.map(\.at)
    let minutes = zip(tries, tries.dropFirst()).map { ($1 - $0) / 60_000 }
    #expect(minutes == [20, 40, 80, 160])
    #expect(play.reasons(of: "a").allSatisfy { $0 == nil })
    Accounting.expectExact(play, ["a"])
  }

  @Test("A device that declines everything while it starts is read whole again")
  func recoversFromARefusingStart() {
    let all = (0..<8).map { UInt16($0) }
    var play = Play(bus(device("a", unit: 1, points: points(all)))) { request, now in
      (now < 20_000 ? .success(.exception(2)) : values(request), 2)
    }
    play.run(until: 120_000)
    #expect(play.asked.filter { $0.at < 20_000 }.count < 15 + 8 * 5)
    #expect(play.asked.last?.addresses == 0..<8)
    #expect(play.reasons(of: "a").suffix(8 * 60).allSatisfy { $0 == nil })
    Accounting.expectExact(play, ["a"])
  }

  @Test("A slow unit's holes are worth reading once it is known to be slow")
  func replansByTurnaround() {
    let line = SerialLine(path: "/dev/null", baud: 9600)
    var definition = bus(line)
    definition.devices = [device("a", unit: 1, points: points([0, 25]))]
    var turnaround: Int64 = 100_000
    var play = Play(definition) { request, _ in
      let cost = RequestCost(line: line, turnaround: turnaround)
      return (values(request), cost.microseconds(of: request) / 1000)
    }
    play.run(until: 3000)
    #expect(Set(play.asked.map(\.addresses)) == [0..<1, 25..<26])
    play.run(until: 20_000)
    #expect(play.asked.last?.addresses == 0..<26)
    turnaround = 80_000
    let planned = play.asked.count
    play.run(until: 200_000)
    #expect(play.asked.dropFirst(planned).allSatisfy { $0.addresses == 0..<26 }, "no flutter")
    // The 48 bytes of the hole take 55 ms.
    turnaround = 5_000
    play.run(until: 400_000)
    #expect(play.asked.last?.addresses == 25..<26)
    Accounting.expectExact(play, ["a"])
  }

  @Test("The measure is the median of a batch: one slow answer moves nothing")
  func measuresTheMedian() {
    var meter = TurnaroundMeter()
    var news: [Int] = []
    for index in 1...(7 + 31) {
      if meter.record(index == 3 ? 900_000 : Int64(index * 10)) { news.append(index) }
    }
    #expect(news == [7, 38])
    #expect(meter.median == 230)
  }
}

@Suite("Units that are busy")
struct BusyUnitTests {
  @Test(
    "A busy unit is asked again in the same cycle, others meanwhile", arguments: [5, 6] as [UInt8])
  func asksAgain(code: UInt8) {
    var refusals = 0
    var play = Play(bus(device("busy", unit: 1), device("other", unit: 2))) { request, _ in
      guard request.unit == 1 else { return (values(request), 5) }
      refusals += 1
      return (refusals % 3 == 0 ? values(request) : .success(.exception(code)), 5)
    }
    play.run(until: 1000)
    // 50 ms after the first answer, 100 ms after the second.
    #expect(play.asked.map(\.at) == [1, 6, 56, 161])
    #expect(play.asked.map(\.unit) == [1, 2, 1, 1])
    #expect(play.reasons(of: "busy") == [nil])
    #expect(play.samples.first { $0.device.name == "busy" }?.time.monotonic == 166)
    play.run(until: 20_000)
    #expect(play.reasons(of: "busy") == [BadReason?](repeating: nil, count: 20))
    Accounting.expectExact(play, ["busy", "other"])
  }

  @Test("A unit that stays busy has that for a reason, each cycle, before the next is due")
  func givesUp() {
    var play = Play(bus(device("busy", unit: 1), device("other", unit: 2))) { request, _ in
      (request.unit == 1 ? .success(.exception(6)) : values(request), 5)
    }
    play.run(until: 20_000)
    #expect(play.reasons(of: "busy") == [BadReason?](repeating: .exception(6), count: 20))
    #expect(play.reasons(of: "other") == [BadReason?](repeating: nil, count: 20))
    let perCycle = Double(play.asked.count { $0.unit == 1 }) / 20
    #expect((3...6).contains(perCycle), "\(perCycle)")
    for sample in play.samples where sample.device.name == "busy" {
      #expect(sample.time.monotonic % 1000 < 1000 - 10)
    }
    #expect(play.states(of: "busy") == ["lost"])
  }

  @Test("A point that is read once an hour has its reason after seconds")
  func boundsTheWait() {
    let points = [point(0, every: 3_600_000)]
    var play = Play(bus(device("busy", unit: 1, points: points))) { _, _ in
      (.success(.exception(5)), 5)
    }
    play.run(until: 60_000)
    #expect(play.reasons(of: "busy") == [.exception(5)])
    #expect((9_000...10_000).contains(play.samples.first?.time.monotonic ?? 0))
  }

  @Test("When the bus has no time to ask again, the reason is what the unit said")
  func accountsForARetryThatWasSwallowed() {
    var asked = 0
    let slow = device("slow", unit: 2, points: [point(0, every: 10_000)])
    var play = Play(bus(device("busy", unit: 1), slow)) { request, _ in
      guard request.unit == 1 else { return (values(request), 3000) }
      asked += 1
      return (asked == 1 ? .success(.exception(6)) : values(request), 5)
    }
    play.run(until: 6000)
    #expect(play.reasons(of: "busy") == [.exception(6), .notRead, .notRead, nil, nil, nil])
  }
}
