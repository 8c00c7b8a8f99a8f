import Telemetry
import TestSupport
import Testing

@testable import MineSimulator

struct MineTests {
  /// Two stations; a device on each, with the same unit.
  private static func mine(_ faults: [Fault] = [], delay: Int64 = 0) -> Mine {
    let devices = (0..<2).map { index in
      SimulatedDevice(
        name: "device-\(index)", station: index, unit: 7, everyMilliseconds: 1000,
        delayMilliseconds: delay,
        points: [SlaveTests.point("value", .holding, 0, .uint16, Double(index + 1))],
        notes: [PointNotes()])
    }
    return Mine(
      Scenario(
        seed: 1, stations: [Station(name: "a", port: 1), Station(name: "b", port: 2)],
        devices: devices, faults: faults))
  }

  private static func fault(_ target: Fault.Target, _ kind: Fault.Kind) -> Fault {
    Fault(target: target, during: 100..<200, kind: kind)
  }

  private let frame = Frame.tcp(
    TCPFrame(transaction: 0x1234, unit: 7, pdu: SlaveTests.request(3, 0, 1)))

  private func pending(_ mine: Mine, station: Int = 0, at time: Int64) throws -> Mine.Pending {
    guard case .pending(let pending) = mine.receive(frame, station: station, at: time) else {
      throw MissingAnswer()
    }
    return pending
  }

  private struct MissingAnswer: Error {}

  @Test("A unit answers on its own station, under the request's transaction")
  func unitsBelongToStations() throws {
    let mine = Self.mine()
    for station in 0..<2 {
      let response = mine.respond(to: try pending(mine, station: station, at: 0), at: 0)
      #expect(response.bytes == [0x12, 0x34, 0, 0, 0, 5, 7, 3, 2, 0, UInt8(station + 1)])
      #expect(response.record.device == station)
      #expect(!response.closesConnection)
    }
    let stranger = TCPFrame(transaction: 1, unit: 8, pdu: frame.pdu)
    #expect(mine.receive(.tcp(stranger), station: 0, at: 0) == .nobody)
  }

  @Test("A fault befalls its device or station, from its beginning to just before its end")
  func faultTimes() throws {
    for target in [Fault.Target.device(0), .station(0)] {
      let mine = Self.mine([Self.fault(target, .silent)])
      let silence = Mine.Reception.silence(TruthRecord(device: 0, outcome: .fault("silent")))
      #expect(mine.receive(frame, station: 0, at: 99) != silence)
      #expect(mine.receive(frame, station: 0, at: 100) == silence)
      #expect(mine.receive(frame, station: 0, at: 199) == silence)
      #expect(mine.receive(frame, station: 0, at: 200) != silence)
      #expect(try pending(mine, station: 1, at: 150).fault == nil)
    }
  }

  @Test("An exception fault answers with its code")
  func exception() throws {
    let mine = Self.mine([Self.fault(.device(0), .exception(4))])
    let response = mine.respond(to: try pending(mine, at: 150), at: 150)
    #expect(response.bytes == [0x12, 0x34, 0, 0, 0, 3, 7, 0x83, 4])
    #expect(response.record.outcome == .fault("exception-4"))
  }

  @Test("A refused request is on record with its exception")
  func refusal() throws {
    let mine = Self.mine()
    var pending = try pending(mine, at: 0)
    pending.frame = .tcp(
      TCPFrame(transaction: 1, unit: 7, pdu: SlaveTests.request(3, 500, 1)))
    #expect(mine.respond(to: pending, at: 0).record.outcome == .fault("exception-2"))
  }

  @Test("A late answer is right, comes by so much later, and says so")
  func late() throws {
    let mine = Self.mine([Self.fault(.device(0), .late(milliseconds: 1500))], delay: 5)
    let pending = try pending(mine, at: 150)
    #expect(pending.delay == 1505)
    let value = PointValue(point: 0, value: .uint(1))
    let response = mine.respond(to: pending, at: 1655)
    #expect(response.record.outcome == .values([value], late: 1500))
    #expect(try self.pending(mine, at: 250).delay == 5)
  }

  @Test("A cut sends half of the right answer and closes")
  func cut() throws {
    let mine = Self.mine([Self.fault(.station(0), .cut)])
    let response = mine.respond(to: try pending(mine, at: 150), at: 150)
    #expect(response.bytes == [0x12, 0x34, 0, 0, 0])
    #expect(response.closesConnection)
    #expect(response.record.outcome == .fault("cut"))
  }

  @Test("Of several faults at a time the first of the file holds")
  func firstFault() {
    let faults = [Self.fault(.device(0), .exception(6)), Self.fault(.station(0), .silent)]
    #expect(faults.befalling(device: 0, station: 0, at: 150) == .exception(6))
    #expect(faults.befalling(device: 3, station: 0, at: 150) == .silent)
    #expect(faults.befalling(device: 0, station: 0, at: 200) == nil)
  }

  @Test("A refusing station says when that changes")
  func refusalChanges() {
    let faults = [
      Self.fault(.station(0), .refuse),
      Fault(target: .station(1), during: 0..<150, kind: .refuse),
    ]
    #expect(faults.nextRefusalChange(after: 0) == 100)
    #expect(faults.nextRefusalChange(after: 100) == 150)
    #expect(faults.nextRefusalChange(after: 150) == 200)
    #expect(faults.nextRefusalChange(after: 200) == nil)
    #expect(!faults.refuse(station: 0, at: 99))
    #expect(faults.refuse(station: 0, at: 100))
    #expect(faults.befalling(device: 0, station: 0, at: 150) == nil)
  }

  @Test("Answers come in the order in which they fall due, of equal times the earlier first")
  func queueOrder() throws {
    let pending = try pending(Self.mine(), at: 0)
    var generator = SeededGenerator(seed: 41)
    var queue = AnswerQueue()
    var expected: [(due: Int64, connection: Int)] = []
    for number in 0..<1000 {
      let due = Int64.random(in: 0..<50, using: &generator)
      queue.insert(.init(due: due, way: .connection(number), pending: pending))
      expected.append((due, number))
    }
    queue.remove(.connection(500))
    expected.remove(at: 500)
    // The standard library's sort is stable.
    expected.sort { $0.due < $1.due }
    #expect(queue.take(dueBy: -1)?.way == nil)
    for entry in expected {
      #expect(queue.nextDue == entry.due)
      #expect(queue.take(dueBy: entry.due)?.way == .connection(entry.connection))
    }
    #expect(queue.nextDue == nil)
  }

  @Test("A line of the ground truth prints values as the agent does")
  func truthLines() {
    var scenario = Self.mine().scenario
    scenario.devices[0].name = "return-air"
    scenario.devices[0].points = ["ch4", "wind", "fan"].map {
      SlaveTests.point($0, .holding, 0, .uint16, 0)
    }
    let values = [
      PointValue(point: 0, value: .float32(0.2134)),
      PointValue(point: 1, value: .decimal(mantissa: 41, decimals: 1)),
      PointValue(point: 2, value: .bool(true)),
    ]
    let time = Timestamp(monotonic: 5000, offset: 1000, clock: .synced)
    let line = { (outcome: TruthRecord.Outcome) in
      var lines: [UInt8] = []
      var writer = JSONWriter()
      TruthRecord(device: 0, outcome: outcome)
        .appendLine(to: &lines, using: &writer, time: time, scenario: scenario)
      return String(decoding: lines, as: UTF8.self)
    }
    let head = #"{"time":6000,"mono":5000,"device":"return-air","#
    let tail = #""values":{"ch4":0.2134,"wind":4.1,"fan":true}}"# + "\n"
    #expect(line(.values(values, late: nil)) == head + tail)
    #expect(line(.values(values, late: 1500)) == head + #""late":1500,"# + tail)
    #expect(line(.fault("cut")) == head + #""fault":"cut"}"# + "\n")
  }
}
