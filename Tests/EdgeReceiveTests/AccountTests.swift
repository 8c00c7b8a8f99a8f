import Telemetry
import Testing

@testable import EdgeReceive

@Suite struct AccountTests {
  private let mine = HandMade()

  private func run(_ seqs: some Sequence<Int>) -> [ArrivedMessage] {
    [mine.start()] + seqs.map { mine.live($0) }
  }

  @Test("A whole run is complete")
  func complete() {
    let report = report(run(1...9) + [mine.health(newest: 9), mine.state("online")])
    #expect(report.problems == [])
    #expect(report.holes == [])
    #expect(report.messages.live == 9)
    #expect(report.messages.events == 1)
    #expect(report.messages.retained == 2)
    #expect(report.streams.map(\.held.count) == [1, 9])
  }

  @Test("Nothing received is not complete")
  func nothing() {
    #expect(report([]).problems == ["nothing was received"])
    #expect(report([mine.state("online")]).problems == ["nothing was received"])
  }

  // MARK: Holes

  @Test("A removed batch is the exact hole", arguments: 1...8)
  func removedBatch(_ removed: Int) {
    let report = report(run((1...9).filter { $0 != removed }))
    #expect(report.holes == ["data 1: \(removed)-\(removed) unexplained"])
    #expect(report.problems == ["1 batches missing without explanation"])
  }

  @Test("A batch that arrives in history later is no hole")
  func filledByHistory() {
    let report = report(run([1, 2, 4, 5]) + [mine.live(3, on: "data/history")])
    #expect(report.problems == [])
    #expect(report.messages.history == 1)
  }

  @Test("A gap event explains exactly the seqs it names")
  func gapBySeq() {
    let report = report(run([1, 2, 7, 8]) + [mine.gap(2, from: 2, to: 5)])
    #expect(report.holes == ["data 1: 3-5 evicted", "data 1: 6-6 unexplained"])
    #expect(report.unexplainedBatches == 1)
  }

  @Test("A gap that names no store speaks of its own")
  func gapWithoutStore() {
    let gap = mine.event(
      2, "gap",
      ",\"stream\":\"data\",\"epoch\":1,\"from-seq\":3,\"to-seq\":3,\"reason\":\"damaged\"")
    #expect(report(run([1, 2, 4]) + [gap]).holes == ["data 1: 3-3 damaged"])
  }

  @Test("A gap of another destination explains nothing here")
  func gapOfOtherDestination() {
    let gap = mine.gap(2, from: 3, to: 3, more: ",\"destinations\":[\"group\"]")
    let messages = run([1, 2, 4]) + [gap]
    let province = report(messages + [mine.state("online", destination: "province")])
    #expect(province.holes == ["data 1: 3-3 unexplained"])
    let group = report(messages + [mine.state("online", destination: "group")])
    #expect(group.holes == ["data 1: 3-3 evicted"])
  }

  @Test("A batch that is held is no hole, whatever a gap event says")
  func dataWins() {
    #expect(report(run(1...5) + [mine.gap(2, from: 2, to: 4)]).holes == [])
  }

  @Test("The tail that health states and nobody sent is missing")
  func missingTail() {
    let report = report(run(1...5) + [mine.health(newest: 8, unsent: 3)])
    #expect(report.holes == ["data 1: 6-8 unexplained tail"])
    #expect(report.streams.map(\.unsent) == [nil, 3])
    #expect(!report.isComplete)
  }

  @Test("Health that is older than the data states nothing missing")
  func oldHealth() {
    #expect(report([mine.health(newest: 3)] + run(1...5)).problems == [])
  }

  @Test("A start event after an unclean end explains what is beyond the last seq found")
  func uncleanEnd() {
    var second = mine
    second.epoch = 2
    let messages =
      run([1, 2, 3, 6]) + [
        mine.health(newest: 8),
        second.start(previous: mine.previous(epoch: 1, data: 4, clean: false)), second.live(1),
      ]
    let report = report(messages)
    #expect(
      report.holes == [
        "data 1: 4-4 unexplained", "data 1: 5-5 unclean end", "data 1: 7-8 unclean end tail",
      ])
  }

  @Test("A start event after a clean end states what there has to be")
  func cleanEnd() {
    var second = mine
    second.epoch = 2
    let start = second.start(previous: mine.previous(epoch: 1, data: 7, clean: true))
    let report = report(run(1...5) + [start, second.live(1)])
    #expect(report.holes == ["data 1: 6-7 unexplained tail"])
  }

  @Test("An epoch of which nothing came is missed by what the next start says")
  func wholeEpochMissing() {
    var third = mine
    third.epoch = 3
    let start = third.start(
      previous: "\(mine.previous(epoch: 1, data: 2, clean: true)),"
        + mine.previous(epoch: 2, data: 2, events: 1, clean: true))
    let report = report(run(1...2) + [start, third.live(1)])
    #expect(
      report.holes == ["events 2: 1-1 unexplained tail", "data 2: 1-2 unexplained tail"])
    #expect(report.missingEpochs == [])
  }

  @Test("An epoch that nothing speaks of is missed by its number")
  func silentEpoch() {
    var fifth = mine
    fifth.epoch = 5
    let later = fifth.message("data", fifth.batch(1, samples: [fifth.sample(9000, "1")]))
    let report = report(run(1...2) + [fifth.start(), later])
    #expect(report.missingEpochs.map(\.epochs) == [2...4])
    #expect(report.problems == ["3 epochs missing that nothing speaks of"])
  }

  @Test("Data without its epoch's start event is missing that event")
  func missingStart() {
    #expect(report([mine.live(1)]).holes == ["events 1: 1-1 unexplained tail"])
  }

  @Test("A gap by time explains a hole that it spans, if batches were lost")
  func gapByTime() {
    let messages = run([1, 2, 7])
    let evicted = report(messages + [mine.timeGap(2, from: 3000, to: 6000, reason: "evicted")])
    #expect(evicted.holes == ["data 1: 3-6 evicted (by time)"])
    #expect(evicted.timeGaps.count == 1)
    let short = report(messages + [mine.timeGap(2, from: 3000, to: 4000, reason: "evicted")])
    #expect(short.holes == ["data 1: 3-6 unexplained"])
    let notRead = report(messages + [mine.timeGap(2, from: 2000, to: 7000, reason: "not-read")])
    #expect(notRead.holes == ["data 1: 3-6 unexplained"])
  }

  @Test("Gateways and stores are accounted for apart")
  func apart() {
    var other = mine
    other.gateway = "gw-2"
    other.store = "0000000000000001"
    let report = report(run(1...3) + [other.start(), other.live(1), other.live(3)])
    #expect(report.holes == ["data 1: 2-2 unexplained"])
    #expect(report.streams.count == 4)
    #expect(report.repeats == 0)
  }

  // MARK: Repeats, conflicts, clones, order

  @Test("A repeat is counted and changes nothing")
  func repeats() {
    let report = report(run(1...5) + [mine.live(2), mine.live(4, on: "data/history")])
    #expect(report.repeats == 2)
    #expect(report.problems == [])
    #expect(report.devices.map(\.good) == [5])
  }

  @Test("A changed value under a held identity is a conflict")
  func conflict() {
    let report = report(run(1...5) + [mine.live(3, "0.99")])
    #expect(report.conflictCount == 1)
    #expect(report.conflicts.map(\.seq) == [3])
    #expect(
      report.problems == ["1 copies that differ from the batch of the same identity"])
  }

  @Test("0.30 and 0.3 are different contents")
  func printedDigits() {
    #expect(report([mine.start(), mine.live(1, "0.3"), mine.live(1, "0.30")]).conflictCount == 1)
  }

  @Test("A changed event is a conflict")
  func eventConflict() {
    let gap = mine.gap(2, from: 3, to: 3)
    #expect(report([mine.start(), gap, mine.gap(2, from: 3, to: 4)]).conflictCount == 1)
    #expect(report([mine.start(), gap, gap]).conflictCount == 0)
  }

  @Test("Copies may differ in time, offset and clock, and a corrected one wins")
  func correctedCopy() {
    var unsynced = mine
    unsynced.offset = 1000
    unsynced.clock = "unsynced"
    var corrected = mine
    corrected.clock = "corrected"
    let report = report([mine.start(), unsynced.live(1), corrected.live(1, on: "data/history")])
    #expect(report.problems == [])
    #expect(report.repeats == 1)
    #expect(report.dating == AccountReport.Dating(corrected: 1))
  }

  @Test("The clock event of a boot re-dates what the boot read before")
  func redated() {
    var unsynced = mine
    unsynced.clock = "unsynced"
    unsynced.offset = 0
    var otherBoot = unsynced
    otherBoot.epoch = 2
    otherBoot.boot = "00000001"
    let clock = mine.event(
      2, "clock",
      ",\"to\":\"synced\",\"boot\":\"\(mine.boot)\",\"offset\":\(mine.offset),\"step\":0",
      mono: 2500)
    let report = report([
      mine.start(), unsynced.live(1), unsynced.live(2), unsynced.live(3), clock, otherBoot.start(),
      otherBoot.live(1), mine.live(4),
    ])
    #expect(report.dating == AccountReport.Dating(synced: 1, redated: 2, undated: 2))
  }

  @Test("A gap by time follows the clock that its boot learnt later, where that clock showed it")
  func redatedGap() {
    var unsynced = mine
    unsynced.clock = "unsynced"
    unsynced.offset = 0
    let clock = mine.event(
      4, "clock",
      ",\"to\":\"synced\",\"boot\":\"\(mine.boot)\",\"offset\":\(mine.offset),\"step\":0",
      mono: 2500)
    func timeGap(_ seq: Int, from: Int64) -> ArrivedMessage {
      unsynced.event(
        seq, "gap",
        ",\"stream\":\"data\",\"from\":\(from),\"to\":2000,\"reason\":\"overrun\"", mono: 2100)
    }
    let report = report([mine.start(), timeGap(2, from: 1000), timeGap(3, from: -5), clock])
    #expect(
      report.timeGaps.map(\.time) == [
        mine.offset + 1000...mine.offset + 2000, -5...mine.offset + 2000,
      ])
    #expect(report.malformed == [])
  }

  @Test("The same epoch from two boots is a cloned card, and both are held")
  func clonedCard() {
    var clone = mine
    clone.boot = "00000001"
    let report = report(run(1...3) + [clone.live(2, "0.7"), clone.live(3, "0.8")])
    #expect(report.clones.map(\.boots) == [[BootID(rawValue: 1), BootID(rawValue: 0x3d1f_0c52)]])
    #expect(report.problems == ["1 epochs from more than one boot (cloned cards)"])
    #expect(report.repeats == 0)
    #expect(report.devices.map(\.good) == [5])
  }

  @Test("Swapped batches are out of order")
  func swapped() {
    let report = report(run([1, 2, 4, 3, 5]))
    #expect(report.outOfOrderCount == 1)
    #expect(report.outOfOrder.map(\.previous) == [4000])
    #expect(report.outOfOrder.map(\.monotonic) == [3000])
    #expect(report.problems == ["1 readings out of order"])
  }

  @Test("Order is per topic, per point and per boot, and repeats don't count")
  func orderApart() {
    var otherBoot = mine
    otherBoot.epoch = 2
    otherBoot.boot = "00000001"
    let other = mine.message("data", mine.batch(6, samples: [mine.sample(10, "1", device: "fan")]))
    let report = report(
      run([1, 4, 5]) + [
        mine.live(2, on: "data/history"), mine.live(3, on: "data/history"), mine.live(4), other,
        otherBoot.start(), otherBoot.live(1),
      ])
    #expect(report.outOfOrderCount == 0)
    #expect(report.problems == [])
  }

  // MARK: Malformed, latency

  @Test("A malformed message is counted with its problem, and the rest goes on")
  func malformed() {
    let part = mine.message("data", "{\"part\":[1,3]," + mine.batch(2, samples: []).dropFirst())
    let report = report(run([1, 2]) + [mine.message("data", "{"), part, mine.message("ack", "{")])
    #expect(report.messages.malformed == 2)
    #expect(report.messages.other == 1)
    #expect(report.malformed.map(\.topic) == ["\(mine.prefix)/data", "\(mine.prefix)/data"])
    #expect(report.malformed.last?.problem == "part: part 1 of 3: parts are not supported yet")
    #expect(report.problems == ["2 malformed messages"])
  }

  @Test("An empty retained payload clears and is not malformed")
  func cleared() {
    #expect(report(run([1]) + [mine.message("points/b1946ac9", "")]).problems == [])
  }

  @Test("Latency is by topic, of first copies, and not of unsynchronised clocks")
  func latency() {
    var unsynced = mine
    unsynced.clock = "unsynced"
    unsynced.offset = 0
    var messages = run(1...98)
    messages += [unsynced.live(99), mine.live(1, on: "data/history")]
    messages.append(
      mine.message("data", mine.batch(100, samples: [mine.sample(100_000, "1")]), mono: 105_000))
    messages.append(
      mine.message("data/history", mine.batch(101, samples: [mine.sample(0, "1")]), mono: 60_000))
    let report = report(messages)
    let live = Latency.Summary(count: 99, median: 20, percentile99: 5020, longest: 5020)
    #expect(report.liveLatency == live)
    #expect(report.historyLatency?.longest == 60_020)
    #expect(report.historyLatency?.count == 1)
  }

  @Test("Percentiles are by nearest rank")
  func percentiles() {
    var latency = Latency()
    for duration in (1...100).shuffled() { latency.record(Int64(duration)) }
    #expect(
      latency.summary
        == Latency.Summary(count: 100, median: 50, percentile99: 99, longest: 100))
  }

  @Test("The first fresh sample is the first live one that is not older than the moment")
  func firstFresh() {
    let since = [3000, 3001, 99_000].map { HandMade.wall + $0 }
    let report = report(run(1...5) + [mine.live(9, on: "data/history")], since: since)
    #expect(report.firstFresh.map(\.milliseconds) == [20, 1019, nil])
  }

  @Test("Bad readings are counted by device and reason")
  func badByReason() {
    let sample = """
      {"device":"fan-1","time":\(mine.offset + 5),"values":{"on":true},\
      "bad":{"a":"timeout","b":"timeout","c":"crc"}}
      """
    let report = report([mine.start(), mine.message("data", mine.batch(1, samples: [sample]))])
    #expect(report.devices.map(\.bad) == [[.timeout: 2, .crc: 1]])
    #expect(report.devices.map(\.good) == [1])
    #expect(report.problems == [])
  }
}
