import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Request planner")
struct RequestPlannerTests {
  private let overTCP = RequestCost(line: nil)

  private func requests(for device: ModbusDevice) -> [PlannedRequest] {
    RequestPlanner.requests(for: device, cost: overTCP)
  }

  @Test("Neighbours and small holes make one request, a wide hole makes two")
  func mergesAcrossSmallHoles() {
    let device = device(
      "d", unit: 3,
      points: [
        point("b", .holding, 2, .float32), point("a", .holding, 0, .uint16),
        // 32 registers of nothing behind address 3, then 33 behind address 36.
        point("c", .holding, 36), point("d", .holding, 70),
      ])
    #expect(
      requests(for: device) == [
        PlannedRequest(
          unit: 3, table: .holding, address: 0, count: 37, points: [0, 1, 2],
          everyMilliseconds: 1000),
        PlannedRequest(
          unit: 3, table: .holding, address: 70, count: 1, points: [3], everyMilliseconds: 1000),
      ])
  }

  @Test(
    "What a hole may be goes by the line's speed and the unit's turn-around",
    arguments: [
      // 13 characters and two silences of 3.5 are 20 characters, 10 ms are 1.1 at 1200 Bd.
      (1200, 10_000, 10), (9600, 10_000, 14), (9600, 0, 10), (19_200, 10_000, 18),
      (115_200, 1_000, 30), (9600, 100_000, 32),
    ])
  func weighsHoles(baud: Int, turnaround: Int64, widest: Int) {
    let cost = RequestCost(line: SerialLine(path: "", baud: baud), turnaround: turnaround)
    func count(hole: Int) -> Int {
      let points = [point("a", .holding, 0), point("b", .holding, UInt16(1 + hole))]
      return RequestPlanner.requests(for: device("d", unit: 1, points: points), cost: cost).count
    }
    #expect(count(hole: widest) == 1)
    #expect(count(hole: widest + 1) == 2)
  }

  @Test("A pause before each request is reckoned as part of it")
  func weighsPauses() {
    let line = SerialLine(path: "", baud: 9600)
    let request = PlannedRequest(
      unit: 1, table: .holding, address: 0, count: 10, points: [], everyMilliseconds: 1000)
    let plain = RequestCost(line: line)
    // 33 characters, two silences of 3.5, 10 ms.
    #expect(plain.microseconds(of: request) == 37_813 + 2 * 4_011 + 10_000)
    let rested = RequestCost(line: line, pause: 50_000)
    #expect(rested.microseconds(of: request) == 37_813 + 4_011 + 50_000 + 10_000)
  }

  @Test("Tables and periods are never mixed, and come in a fixed order")
  func separatesTablesAndPeriods() {
    let points = [
      point("slow", .holding, 0, every: 5000), point("h", .holding, 0),
      point("i", .input, 0), point("d", .discrete, 0, .bool), point("c", .coil, 0, .bool),
    ]
    let requests = requests(for: device("d", unit: 1, points: points))
    #expect(requests.map(\.points) == [[4], [3], [2], [1], [0]])
    #expect(requests.map(\.everyMilliseconds) == [1000, 1000, 1000, 1000, 5000])
  }

  @Test("125 registers fit one request, a value across the limit begins the next")
  func keepsTheRegisterLimit() {
    let exact = (0..<125).map { point("p\($0)", .input, UInt16($0)) }
    #expect(requests(for: device("d", unit: 1, points: exact)).count == 1)

    let crossing = exact.dropLast() + [point("wide", .input, 124, .float32)]
    let two = requests(for: device("d", unit: 1, points: Array(crossing)))
    #expect(two.map(\.addresses) == [0..<124, 124..<126])
  }

  @Test("2000 bits fit one request, 2001 do not")
  func keepsTheBitLimit() {
    let bits = (0...2000).map { point("p\($0)", .coil, UInt16($0), .bool) }
    let requests = requests(for: device("d", unit: 1, points: bits))
    #expect(requests.map(\.addresses) == [0..<2000, 2000..<2001])
  }

  @Test("A device's own limits hold")
  func keepsTheDevicesLimits() {
    var device = device(
      "d", unit: 1,
      points: (0..<10).map { point("p\($0)", .input, UInt16($0)) }
        + (0..<10).map { point("b\($0)", .coil, UInt16($0), .bool) })
    device.maximumRegisters = 4
    device.maximumBits = 8
    #expect(requests(for: device).map(\.addresses) == [0..<8, 8..<10, 0..<4, 4..<8, 8..<10])
  }

  @Test("The highest address can be read")
  func readsTheHighestAddress() {
    let device = device("d", unit: 1, points: [point("p", .holding, 65_535)])
    #expect(requests(for: device).map(\.addresses) == [65_535..<65_536])
  }

  @Test("A point that asks for it is read alone, and others' requests don't go across it")
  func readsAlone() {
    var device = device("d", unit: 1, points: (0..<5).map { point("p\($0)", .holding, $0) })
    device.points[2].isAlone = true
    #expect(requests(for: device).map(\.points) == [[0, 1], [2], [3, 4]])
  }

  @Test("A request with a safety point is a safety request")
  func marksSafety() {
    var device = device(
      "d", unit: 1, points: [0, 1, 500].map { point("p\($0)", .holding, $0) })
    device.points[1].isSafety = true
    #expect(requests(for: device).map(\.isSafety) == [true, false])
  }

  @Test("Without holes, with a cut and with points apart it plans as it was taught")
  func heedsWhatWasLearned() {
    let device = device(
      "d", unit: 1, points: [0, 1, 2, 3, 4, 5, 8].map { point("p\($0)", .holding, $0) })
    func plan(_ limits: LearnedLimits) -> [Range<Int>] {
      RequestPlanner.requests(for: device, cost: overTCP, limits: limits).map(\.addresses)
    }
    var limits = LearnedLimits()
    #expect(plan(limits) == [0..<9])
    limits.joinsHoles = false
    #expect(plan(limits) == [0..<6, 8..<9])
    limits.cuts = [LearnedLimits.Cut(table: .holding, address: 4, declined: 0..<6)]
    #expect(plan(limits) == [0..<4, 4..<6, 8..<9])
    limits.cuts[0].table = .input
    limits.apart = [[2]]
    #expect(plan(limits) == [0..<2, 2..<3, 3..<6, 8..<9])
    limits.joinsHoles = true
    #expect(plan(limits) == [0..<2, 2..<3, 3..<9], "what is apart is no hole to go across")
  }

  @Test("A declined request is divided at its holes, or in halves where it has none")
  func divides() throws {
    let device = device(
      "d", unit: 1,
      points: [
        point("a", .holding, 0), point("b", .holding, 1), point("c", .holding, 5),
        point("d", .holding, 5, .bit(3)),
      ])
    let whole = try #require(requests(for: device).first)
    let parts = try #require(RequestPlanner.partsBetweenHoles(of: whole, in: device))
    #expect(parts.map(\.addresses) == [0..<2, 5..<6])
    #expect(RequestPlanner.partsBetweenHoles(of: parts[0], in: device) == nil)
    #expect(RequestPlanner.halves(of: parts[0], in: device)?.map(\.addresses) == [0..<1, 1..<2])
    #expect(RequestPlanner.halves(of: parts[1], in: device) == nil, "both points are one register")
  }

  @Test("A register of which many points are made costs a plan no more than they are")
  func plansManyPointsOfOneRegister() {
    let count = 20_000
    let points = (0..<count).map { point("p\($0)", .holding, UInt16($0 < count / 2 ? 7 : 9)) }
    let start = ContinuousClock.now
    let requests = RequestPlanner.requests(
      for: device("d", unit: 1, points: points), cost: overTCP)
    #expect(requests.map(\.points.count) == [count])
    #expect(requests.map(\.addresses) == [7..<10])
    // Every pair of them would be 200 million steps.
    #expect(start.duration(to: .now) < .seconds(20))
  }
}
