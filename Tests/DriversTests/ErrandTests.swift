import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Errands at a bus")
struct ErrandTests {
  private let points = [
    point("a", .holding, 0), point("b", .holding, 1, .float32), point("c", .holding, 9),
    point("d", .input, 4),
  ]

  private var definition: ModbusBusDefinition {
    bus(device("x", unit: 1, points: points), device("y", unit: 2), device("z", unit: 3))
  }

  /// Runs an errand to its end; `answer` plays the units.
  private func run(
    _ errand: BusErrand, answer: (PlannedRequest) -> Result<ReadAnswer, TransactionError>
  ) -> (errand: BusErrand, asked: [VisitQuestion]) {
    var runner = VisitRunner(errand)
    var asked: [VisitQuestion] = []
    while case .ask(let question) = runner.next(isOpen: true), asked.count < 10_000 {
      asked.append(question)
      runner.finish(VisitOutcome(result: answer(question.request), microseconds: 1500))
    }
    return (runner.errand, asked)
  }

  private func readings(_ errand: BusErrand) throws -> [BusProbe.Reading] {
    guard case .probe(let probe) = errand else { throw WaitedInVain("a probe") }
    return probe.readings
  }

  private func scan(_ errand: BusErrand) throws -> BusScan {
    guard case .scan(let scan) = errand else { throw WaitedInVain("a scan") }
    return scan
  }

  @Test("A probe reads every point of the named devices once, in their order")
  func probe() throws {
    let probe = BusProbe(definition, devices: ["z", "x"], isTraced: false)
    let (errand, asked) = run(.probe(probe), answer: values)
    let readings = try readings(errand)
    #expect(readings.map(\.device) == ["x", "x", "x", "x", "z"])
    #expect(readings.map(\.point) == [0, 1, 2, 3, 0])
    #expect(readings[0].registers == [1] && readings[0].outcome == .good(.uint(1)))
    #expect(readings[1].registers == [1, 1])
    #expect(readings.allSatisfy { $0.microseconds == 1500 && $0.problem == nil })
    #expect(asked.map(\.request.unit) == [1, 1, 3])
    #expect(errand.progress == BusErrand.Progress(done: 3, total: 3))
  }

  @Test("What a device declines is asked in parts, until the one register stands alone")
  func divides() throws {
    let probe = BusProbe(definition, devices: ["x"], isTraced: false)
    let (errand, _) = run(.probe(probe)) { request in
      request.table == .holding && request.addresses.contains(9)
        ? .success(.exception(2)) : values(request)
    }
    let readings = try readings(errand)
    #expect(readings.count == 4)
    let bad = readings.filter { $0.outcome == .bad(.exception(2)) }
    #expect(bad.map(\.point) == [2])
    #expect(bad.first?.problem == "exception 2 (illegal data address)")
  }

  @Test("A silent unit is asked twice, the rest of it is offline; the others are read")
  func silentUnit() throws {
    let spread = (0..<6).map { point("p\($0)", .holding, UInt16($0) * 1000) }
    let definition = bus(device("x", unit: 1, points: spread), device("y", unit: 2))
    let probe = BusProbe(definition, devices: ["x", "y"], isTraced: false)
    let (errand, asked) = run(.probe(probe)) { request in
      request.unit == 1 ? .failure(.timeout(brokeOff: false)) : values(request)
    }
    let outcomes = try readings(errand).map(\.outcome)
    #expect(outcomes.prefix(6).map { $0 == .bad(.timeout) }.count { $0 } == 2)
    #expect(outcomes.prefix(6).map { $0 == .bad(.offline) }.count { $0 } == 4)
    #expect(outcomes.last == .good(.uint(1)))
    #expect(asked.count == 3)
  }

  @Test("Whatever the units say, every point has exactly one reading")
  func everyPointOnce() throws {
    var generator = SeededGenerator(seed: 61)
    for _ in 0..<200 {
      let definition = bus(
        device(
          "x", unit: 1,
          points: (0..<Int.random(in: 1...30, using: &generator)).map { index in
            point(
              "p\(index)", Bool.random(using: &generator) ? .holding : .input,
              UInt16.random(in: 0...200, using: &generator))
          }), device("y", unit: 2))
      let probe = BusProbe(definition, devices: ["x", "y"], isTraced: true)
      let (errand, _) = run(.probe(probe)) { request in
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: .success(.exception(UInt8.random(in: 0...20, using: &generator)))
        case 1: .success(.exception(2))
        case 2: .failure(.timeout(brokeOff: Bool.random(using: &generator)))
        case 3: .failure(.wrongChecksum)
        case 4: .failure(.closedBefore(reason: "gone"))
        case 5: .failure(.closed(reason: "gone"))
        default: values(request)
        }
      }
      let found = try readings(errand).map { "\($0.device) \($0.point)" }
      let expected = definition.devices.flatMap { device in
        device.points.indices.map { "\(device.name) \($0)" }
      }
      #expect(found == expected)
      #expect(errand.progress.done == errand.progress.total)
    }
  }

  @Test("Without a connection every point has its reason at once; a closed one is opened once more")
  func connections() throws {
    let errand = BusErrand.probe(BusProbe(definition, devices: ["x", "y"], isTraced: false))
    var runner = VisitRunner(errand)
    guard case .connect = runner.next(isOpen: false) else { throw WaitedInVain("to connect") }
    runner.connectFailed(.refused(endpoint: "10.0.0.1:502"))
    guard case .done = runner.next(isOpen: false) else { throw WaitedInVain("the end") }
    let refused = try readings(runner.errand)
    #expect(refused.count == 5)
    #expect(refused.allSatisfy { $0.outcome == .bad(.refused) && $0.microseconds == nil })
    #expect(refused.first?.problem == "connect 10.0.0.1:502: Connection refused")

    for failure in [TransactionError.closedBefore(reason: "idle"), .closed(reason: "hung up")] {
      runner = VisitRunner(errand)
      guard case .ask(let first) = runner.next(isOpen: true) else {
        throw WaitedInVain("a question")
      }
      let closed = VisitOutcome(result: .failure(failure), microseconds: 9)
      runner.finish(closed)
      guard case .connect = runner.next(isOpen: false),
        case .ask(let again) = runner.next(isOpen: true)
      else { throw WaitedInVain("the question again") }
      #expect(again == first)
      runner.finish(closed)
      #expect(try readings(runner.errand).first?.outcome == .bad(.busClosed))
    }
  }

  @Test("A scan finds who answers or declines, and asks the silent ones again another way")
  func scans() throws {
    let errand = BusErrand.scan(BusScan(definition, units: 1...20, isTraced: false))
    let (done, asked) = run(errand) { request in
      switch request.unit {
      case 3: .success(.values([0x1234]))
      case 7: .success(.exception(1))
      case 9: request.table == .input ? .success(.values([5])) : .failure(.timeout(brokeOff: false))
      case 11: .success(.exception(11))
      case 13: .failure(.wrongChecksum)
      default: .failure(.timeout(brokeOff: false))
      }
    }
    let scan = try scan(done)
    #expect(scan.found.map(\.unit) == [3, 7, 9, 13])
    #expect(
      scan.found.map(\.answer) == [
        .register(.holding, 0x1234), .exception(1), .register(.input, 5),
        .damaged("an answer with a wrong checksum"),
      ])
    #expect(asked.count == 20 + 18)
    #expect(asked.prefix(20).allSatisfy { $0.timeoutMilliseconds == 100 })
    #expect(asked.dropFirst(20).allSatisfy { $0.timeoutMilliseconds == 1000 })
    #expect(done.progress == BusErrand.Progress(done: 38, total: 38))
  }

  @Test("What is damaged is no answer, and a connection that closes says so")
  func scansWhatIsNone() throws {
    let errand = BusErrand.scan(BusScan(definition, units: 1...4, isTraced: true))
    let (done, asked) = run(errand) { request in
      switch request.unit {
      case 1: .failure(.timeout(brokeOff: true, heard: .part))
      case 2: .failure(.timeout(brokeOff: false, heard: .echo))
      case 3: .failure(.closed(reason: "gone"))
      default: .failure(.timeout(brokeOff: false))
      }
    }
    let scan = try scan(done)
    #expect(scan.found.map(\.unit) == [1])
    #expect(
      scan.found.first?.answer == .damaged("no answer within 1000 ms, only a part of one"))
    #expect(scan.found.allSatisfy { !$0.isAnswer })
    // A lost connection is made again once for each question.
    #expect(scan.problem == "gone (2 of 7 questions)")
    #expect(scan.transactions.map(\.unit) == [2, 3, 1, 2, 3])
    #expect(asked.count == 10)
    #expect(done.progress == BusErrand.Progress(done: 8, total: 8))
    #expect(scan.hints == [2: .echo])
    #expect(scan.asked == 4 && !scan.isBrokenOff)
  }

  @Test("A scan that is broken off says how many were asked, and how many only the first time")
  func scansInPart() throws {
    for (questions, asked, once) in [(0, 0, 0), (4, 4, 3), (10, 10, 9), (13, 10, 6)] {
      var runner = VisitRunner(.scan(BusScan(definition, units: 1...10, isTraced: false)))
      for _ in 0..<questions {
        guard case .ask(let question) = runner.next(isOpen: true) else { break }
        runner.finish(
          VisitOutcome(
            result: question.request.unit == 2
              ? .success(.values([7])) : .failure(.timeout(brokeOff: false)), microseconds: 1))
      }
      // The next one is on its way.
      _ = runner.next(isOpen: true)
      runner.abandon("reloaded")
      let scan = try scan(runner.errand)
      #expect(scan.isBrokenOff && scan.problem == "reloaded")
      #expect(scan.asked == asked && scan.askedOnce == once, "\(questions)")
    }
  }

  @Test("What a scan hears in place of an answer it keeps by unit: gateway, echo, noise")
  func hints() throws {
    func hints(_ definition: ModbusBusDefinition) throws -> [UInt8: BusScan.Hint] {
      let errand = BusErrand.scan(BusScan(definition, units: 1...5, isTraced: false))
      let done = run(errand) { request in
        switch request.unit {
        case 1: .success(.exception(request.table == .input ? 11 : 10))
        case 2: .failure(.timeout(brokeOff: false, heard: .echo))
        case 3: .failure(.timeout(brokeOff: false, heard: .noise))
        case 4:
          request.table == .input
            ? .success(.exception(2)) : .failure(.timeout(brokeOff: false, heard: .noise))
        default: .failure(.timeout(brokeOff: false))
        }
      }
      return try scan(done.errand).hints
    }
    #expect(try hints(definition) == [1: .gateway(11), 2: .echo, 3: .noise])
    var echoing = definition
    echoing.endpoint = .rtuOverTCP(RTUOverTCP(host: "h", port: 1, echoes: true))
    // What comes back there as it should tells nothing.
    #expect(try hints(echoing) == [1: .gateway(11), 3: .noise])
  }

  @Test("A scan keeps the pauses of bus and units, and gives each unit its own time")
  func scansWithManners() throws {
    var slow = device("slow", unit: 2, points: points)
    slow.turnaroundMilliseconds = 2500
    slow.pauseMilliseconds = 80
    var definition = bus(slow)
    definition.manners.pauseMilliseconds = 30
    let errand = BusErrand.scan(BusScan(definition, units: 1...2, isTraced: false))
    let asked = run(errand) { _ in .failure(.timeout(brokeOff: false)) }.asked
    #expect(asked.map(\.timeoutMilliseconds) == [100, 100, 1000, 3500])
    #expect(asked.map(\.pauseMilliseconds) == [30, 80, 30, 80])
    let given = BusErrand.scan(
      BusScan(definition, units: [2], timeoutMilliseconds: 700, isTraced: false))
    #expect(
      run(given) { _ in .failure(.timeout(brokeOff: false)) }.asked.map(\.timeoutMilliseconds)
        == [100, 700])
  }

  @Test("Where answers come late the first pass waits longer, never longer than the bus")
  func lateAnswers() {
    var scan = BusScan(bus(timeout: 300), units: 1...6, isTraced: false)
    var timeouts: [Int64] = []
    for _ in 0..<6 {
      guard let question = scan.next() else { break }
      timeouts.append(question.timeoutMilliseconds)
      scan.take(
        VisitOutcome(
          result: .failure(.timeout(brokeOff: false)), microseconds: 1, lateAnswers: 1),
        of: question)
    }
    #expect(timeouts == [100, 200, 300, 300, 300, 300])
  }

  @Test("An errand waits for a gap, or takes a quarter of the time")
  func share() {
    var share = VisitShare()
    // Nothing was asked yet: at once, also on a bus that is busy.
    #expect(share.earliest(opening: .min, longest: 1000, idleEnd: nil, at: 50) <= 50)
    share.record(from: 100, until: 200)
    #expect(share.earliest(opening: .min, longest: 1000, idleEnd: nil, at: 200) == 500)
    #expect(share.earliest(opening: .min, longest: 1000, idleEnd: 1000, at: 200) == 500)
    #expect(share.earliest(opening: .min, longest: 1000, idleEnd: 1200, at: 200) <= 200)
    // A late answer may still come until then.
    #expect(share.earliest(opening: 700, longest: 100, idleEnd: 800, at: 200) == 700)
    #expect(share.earliest(opening: 700, longest: 100, idleEnd: 799, at: 200) == 700)
    #expect(share.earliest(opening: 300, longest: 100, idleEnd: 350, at: 200) == 500)
  }

  @Test("An inbox takes a few errands, and none after its end")
  func inbox() {
    let errand = BusErrand.scan(BusScan(definition, units: [1], isTraced: false))
    var inbox = BusInbox()
    let tickets = (0..<5).map { _ in VisitTicket(errand) }
    let taken = tickets.map { inbox.add($0) }
    #expect(taken == [true, true, true, true, false])
    #expect(inbox.wakes)
    let first = inbox.look().ticket
    #expect(first === tickets[0])
    #expect(!inbox.wakes)
    inbox.remove(tickets[0])
    let second = inbox.look().ticket
    #expect(second === tickets[1])
    let left = inbox.end().count
    #expect(left == 3)
    let isTaken = inbox.add(tickets[0])
    #expect(!isTaken)
    tickets[1].abandon("over")
    #expect(tickets[1].look().isDone)
  }
}
