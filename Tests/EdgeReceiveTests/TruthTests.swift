import Testing
import TestSupport

@testable import EdgeReceive

@Suite struct TruthTests {
  private let mine = HandMade()

  /// A line as the simulator writes it, for a value served at `mono`.
  private func line(_ mono: Int64, _ value: String, _ more: String = "") -> String {
    """
    {"time":\(mono + HandMade.wall),"mono":\(mono),"device":"return-air",\
    "values":{"ch4":\(value)}\(more)}
    """
  }

  private func truth(_ lines: [String]) -> Truth {
    var truth = Truth()
    for (index, line) in lines.enumerated() { truth.add(line: line.utf8, number: index + 1) }
    return truth
  }

  /// The comparison of batches 1… with these values, one a second, with truth lines.
  private func compare(_ values: [String], _ lines: [String]) throws -> TruthReport {
    let messages = values.enumerated().map { mine.live($0.offset + 1, $0.element) }
    return try #require(report([mine.start()] + messages, truth: truth(lines)).truth)
  }

  @Test("What was served and delivered is accounted for")
  func allDelivered() throws {
    let result = try compare(["0.1", "0.2"], [line(995, "0.1"), line(1990, "0.2")])
    #expect((result.served, result.delivered) == (2, 2))
    #expect((result.lostCount, result.inventedCount) == (0, 0))
  }

  @Test("The truth of another machine is compared by the wall clock")
  func otherMachine() {
    // Its monotonic clock began an hour earlier.
    let served = [995, 1990].map { (mono: Int64) in
      """
      {"time":\(mono + HandMade.wall),"mono":\(mono + 3_600_000),"device":"return-air",\
      "values":{"ch4":0.1}}
      """
    }
    for (comparesWallTime, found) in [(true, 2), (false, 0)] {
      var truth = Truth(comparesWallTime: comparesWallTime)
      for (index, line) in served.enumerated() { truth.add(line: line.utf8, number: index + 1) }
      var account = Account(
        Account.Options(keepsValues: true, comparesWallTime: comparesWallTime))
      for message in [mine.start(), mine.live(1, "0.1"), mine.live(2, "0.1")] {
        account.add(message)
      }
      #expect(account.report(truth: truth).truth?.delivered == found)
    }
  }

  @Test("One more served value is lost, with its point and time")
  func lost() throws {
    let lines = [line(995, "0.1"), line(1400, "0.15"), line(1990, "0.2")]
    let result = try compare(["0.1", "0.2"], lines)
    #expect((result.served, result.delivered, result.lostCount) == (3, 2, 1))
    #expect(result.lost.map(\.point) == [DevicePoint(device: "return-air", point: "ch4")])
    #expect(result.lost.map(\.value.monotonic) == [1400])
    #expect(result.lost.map(\.value.time) == [HandMade.wall + 1400])
    let messages = [mine.start(), mine.live(1, "0.1"), mine.live(2, "0.2")]
    #expect(report(messages, truth: truth(lines)).problems == ["1 served values lost"])
  }

  /// What a point whose rule is `report` delivered, compared with what was served.
  private func compare(
    _ report: String, delivered: [(mono: Int64, value: String)],
    served: [(mono: Int64, value: String)]
  ) throws -> TruthReport {
    let definitions = """
      {"v":1,"devices":[{"device":"return-air","points":[\
      {"point":"ch4","type":"float32","unit":"%CH4","report":\(report)}]}]}
      """
    let batches = delivered.enumerated().map { index, entry in
      mine.message(
        "data", mine.batch(index + 1, samples: [mine.sample(entry.mono, entry.value)]),
        mono: entry.mono)
    }
    let messages = [mine.start(), mine.message("points/b1946ac9", definitions)] + batches
    let lines = truth(served.map { line($0.mono, $0.value) })
    return try #require(EdgeReceiveTests.report(messages, truth: lines).truth)
  }

  @Test("What a point's rule leaves out is not lost")
  func unreported() throws {
    let result = try compare(
      #"{"deadband":0.05,"at-least":60000}"#,
      delivered: [(1005, "0.5"), (5005, "0.6"), (65_005, "0.6")],
      served: [
        (1000, "0.5"), (2000, "0.52"), (3000, "0.45"), (5000, "0.6"), (40_000, "0.61"),
        (65_000, "0.6"),
      ])
    #expect((result.served, result.delivered) == (6, 3))
    #expect((result.unreported, result.lostCount, result.inventedCount) == (3, 0, 0))
  }

  @Test("What a point's rule demands is lost all the same")
  func lostReport() throws {
    let result = try compare(
      #"{"deadband":0.05,"at-least":60000}"#, delivered: [(1005, "0.5"), (90_005, "0.52")],
      served: [(1000, "0.5"), (2000, "0.56"), (70_000, "0.51"), (90_000, "0.52")])
    // One changed by more than the deadband, one was due as a sign of life.
    #expect(result.lost.map(\.value.monotonic) == [2000, 70_000])
    let states = try compare(
      #"{"at-least":60000}"#, delivered: [(1005, "1")], served: [(1000, "1"), (2000, "2")])
    #expect(states.lost.map(\.value.text) == ["2"])
  }

  @Test("A value that was never served is invented")
  func invented() throws {
    let result = try compare(["0.1", "0.9"], [line(995, "0.1"), line(1990, "0.2")])
    #expect((result.lostCount, result.inventedCount) == (1, 1))
    #expect(result.invented.map(\.value.text) == ["0.9"])
  }

  @Test("A value delivered twice was invented once")
  func deliveredTwice() throws {
    let sample = mine.sample(1000, "0.1")
    let batches = [1, 2].map { mine.message("data", mine.batch($0, samples: [sample])) }
    let result = report([mine.start()] + batches, truth: truth([line(995, "0.1")])).truth
    #expect(result?.inventedCount == 1)
  }

  @Test("Values are compared as printed")
  func comparesText() throws {
    let result = try compare(["0.10"], [line(995, "0.1")])
    #expect((result.lostCount, result.inventedCount) == (1, 1))
    let large = try compare(["\"9007199254740993\""], [line(995, "\"9007199254740993\"")])
    #expect(large.delivered == 1)
    let flag = try compare(["true"], [line(995, "true")])
    #expect(flag.delivered == 1)
  }

  @Test(
    "The sample's time may lie within the window and not outside",
    arguments: [
      (Int64(1050), 1), (1051, 0), (-1000, 1), (-1001, 0),
    ])
  func window(_ served: Int64, _ delivered: Int) throws {
    #expect(try compare(["0.1"], [line(served, "0.1")]).delivered == delivered)
  }

  @Test("A raw value beside a bad reason counts as delivered, and is never invented")
  func raw() throws {
    let sample = """
      {"device":"return-air","time":\(mine.offset + 1000),"bad":{"ch4":"out-of-range"},\
      "raw":{"ch4":4.5}}
      """
    let messages = [mine.start(), mine.message("data", mine.batch(1, samples: [sample]))]
    #expect(report(messages, truth: truth([line(995, "4.5")])).truth?.delivered == 1)
    let other = report(messages, truth: truth([line(995, "4.4")])).truth
    #expect(other?.lostCount == 1)
    #expect(other?.inventedCount == 0)
  }

  @Test("An answer behind the agent's time-out, which it told of, is not lost; one more is")
  func givenUp() throws {
    let sample = """
      {"device":"return-air","time":\(mine.offset + 1000),"bad":{"ch4":"timeout"}}
      """
    let messages = [mine.start(), mine.message("data", mine.batch(1, samples: [sample]))]
    let lines = [line(2900, "4.4"), line(2950, "4.5"), line(3001, "4.6"), line(900, "4.3")]
    let result = try #require(report(messages, truth: truth(lines)).truth)
    #expect((result.served, result.givenUp, result.lostCount) == (3, 1, 3))
    #expect(result.lost.map(\.value.text) == ["4.3", "4.5", "4.6"])
    // Another reason does not say that nobody waited.
    let other = sample.replacing("timeout", with: "not-read")
    let unread = [mine.start(), mine.message("data", mine.batch(1, samples: [other]))]
    #expect(report(unread, truth: truth(lines)).truth?.lostCount == 4)
  }

  @Test("A late answer may be delivered or not, and takes no other's place")
  func late() throws {
    let served = [
      line(995, "0.1", ",\"late\":1500"), line(1000, "0.1"), line(1400, "0.3", ",\"late\":9"),
    ]
    let result = try compare(["0.1"], served)
    #expect((result.served, result.delivered, result.lostCount) == (1, 1, 0))
    #expect((result.late, result.lateDelivered, result.inventedCount) == (2, 0, 0))
    let found = try compare(["0.3"], [line(900, "0.3", ",\"late\":9")])
    #expect((found.lateDelivered, found.inventedCount) == (1, 0))
  }

  @Test("A fault serves nothing and is counted")
  func fault() throws {
    let silent =
      "{\"time\":1,\"mono\":1,\"device\":\"return-air\",\"fault\":\"silent\"}"
    let result = try compare(["0.1"], [silent, line(995, "0.1")])
    #expect((result.served, result.lostCount) == (1, 0))
    #expect(result.faults == ["silent": 1])
  }

  @Test("Where a value stays the same, the right one of them is named lost")
  func constantValue() throws {
    let lines = (1...6).map { line(Int64($0) * 1000 - 5, "7") }
    let messages = [1, 2, 4, 5, 6].map { mine.live($0, "7") }
    let result = try #require(report(messages, truth: truth(lines)).truth)
    #expect(result.lost.map(\.value.monotonic) == [2995])
  }

  @Test("Pairing near ones first is not taken where it would lose more")
  func fewestLost() {
    let served = [1000, 1900].map {
      ServedValue(monotonic: $0, time: $0, text: "7", isLate: false)
    }
    let delivered = [1950, 3500].map {
      DeliveredValue(monotonic: $0, time: $0, text: "7", isGood: true)
    }
    #expect(ValueMatching(served: served, delivered: delivered).missing == [])
  }

  @Test("Dropped values are counted exactly", arguments: 0..<10 as Range<UInt64>)
  func dropsAreCounted(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    // Few different values, as contacts and counters have.
    let served = (0..<200).map { index in
      let mono = Int64(index) * 1000
      let text = "\(Int.random(in: 0..<3, using: &generator))"
      return ServedValue(monotonic: mono, time: mono, text: text, isLate: false)
    }
    var dropped: Set<Int64> = []
    let delivered = served.compactMap { value -> DeliveredValue? in
      guard Int.random(in: 0..<20, using: &generator) > 0 else {
        dropped.insert(value.monotonic)
        return nil
      }
      let mono = value.monotonic + Int64.random(in: 0..<200, using: &generator)
      return DeliveredValue(monotonic: mono, time: mono, text: value.text, isGood: true)
    }
    let matching = ValueMatching(served: served, delivered: delivered.shuffled(using: &generator))
    // A drop may borrow an equal value of the next two seconds, but then that one's is missing.
    #expect(matching.missing.count == dropped.count)
    #expect(matching.matched == 200 - dropped.count)
    #expect(matching.invented == [])
  }

  // MARK: Explanations

  @Test("Values in an explained hole are not lost, those in an unexplained one are")
  func holes() throws {
    let lines = (1...6).map { line(Int64($0) * 1000 - 5, "0.\($0)1") }
    let messages = [mine.start()] + [1, 2, 5, 6].map { mine.live($0) }
    let unexplained = try #require(report(messages, truth: truth(lines)).truth)
    #expect(unexplained.lost.map(\.value.text) == ["0.31", "0.41"])
    let gap = mine.gap(2, from: 3, to: 4)
    let explained = try #require(report(messages + [gap], truth: truth(lines)).truth)
    #expect(explained.lostCount == 0)
    #expect(explained.explained == ["evicted": 2])
  }

  @Test("Values in a gap by time are explained, those outside are lost")
  func timeGap() throws {
    let lines = (1...6).map { line(Int64($0) * 1000 - 5, "0.\($0)1") }
    let sparse = [1, 2, 6].enumerated().map { index, second in
      mine.message(
        "data",
        mine.batch(index + 1, samples: [mine.sample(Int64(second) * 1000, "0.\(second)1")]))
    }
    let gap = mine.timeGap(2, from: 2000, to: 4500, reason: "unclean-stop")
    let result = try #require(report([mine.start()] + sparse + [gap], truth: truth(lines)).truth)
    #expect(result.explained == ["unclean-stop": 2])
    #expect(result.lost.map(\.value.text) == ["0.51"])
  }

  @Test("The time after the last found seq of an unclean end is explained up to the next epoch")
  func uncleanEnd() throws {
    var second = mine
    second.epoch = 2
    let restart = second.message("data", second.batch(1, samples: [second.sample(6000, "0.61")]))
    let start = second.start(previous: mine.previous(epoch: 1, data: 2, clean: false))
    let messages = [
      mine.start(), mine.live(1), mine.live(2), mine.health(newest: 4), start, restart,
    ]
    let lines = (1...6).map { line(Int64($0) * 1000 - 5, "0.\($0)1") }
    let result = try #require(report(messages, truth: truth(lines)).truth)
    #expect(result.explained == ["unclean end": 3])
    #expect(result.lostCount == 0)
  }

  // MARK: The file

  @Test("Devices that the simulator does not play are named and not checked")
  func unchecked() throws {
    let sample = mine.sample(1000, "1", device: "main-fan")
    let messages = [mine.start(), mine.message("data", mine.batch(1, samples: [sample]))]
    let result = try #require(report(messages, truth: truth([])).truth)
    #expect(result.unchecked == ["main-fan"])
    #expect(result.inventedCount == 0)
  }

  @Test("A malformed line is counted with its number and is a problem")
  func malformedLine() throws {
    let result = report(
      [mine.start(), mine.live(1, "0.1")], truth: truth([line(995, "0.1"), "{\"device\":1}"]))
    #expect(result.truth?.malformedLines == ["line 2: device: a string is expected, not a number"])
    #expect(result.problems == ["1 malformed lines in the truth file"])
  }
}
