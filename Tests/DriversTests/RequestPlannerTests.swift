import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Request planner")
struct RequestPlannerTests {
  @Test("Neighbours and small holes make one request, a wide hole makes two")
  func mergesAcrossSmallHoles() {
    let device = device(
      "d", unit: 3,
      points: [
        point("b", .holding, 2, .float32), point("a", .holding, 0, .uint16),
        // 16 registers of nothing behind address 3, then 17 behind address 20.
        point("c", .holding, 20), point("d", .holding, 38),
      ])
    #expect(
      RequestPlanner.requests(for: device) == [
        PlannedRequest(
          unit: 3, table: .holding, address: 0, count: 21, points: [0, 1, 2],
          everyMilliseconds: 1000),
        PlannedRequest(
          unit: 3, table: .holding, address: 38, count: 1, points: [3], everyMilliseconds: 1000),
      ])
  }

  @Test("Tables and periods are never mixed, and come in a fixed order")
  func separatesTablesAndPeriods() {
    let points = [
      point("slow", .holding, 0, every: 5000), point("h", .holding, 0),
      point("i", .input, 0), point("d", .discrete, 0, .bool), point("c", .coil, 0, .bool),
    ]
    let requests = RequestPlanner.requests(for: device("d", unit: 1, points: points))
    #expect(requests.map(\.points) == [[4], [3], [2], [1], [0]])
    #expect(requests.map(\.everyMilliseconds) == [1000, 1000, 1000, 1000, 5000])
  }

  @Test("125 registers fit one request, a value across the limit begins the next")
  func keepsTheRegisterLimit() {
    let exact = (0..<125).map { point("p\($0)", .input, UInt16($0)) }
    #expect(RequestPlanner.requests(for: device("d", unit: 1, points: exact)).count == 1)

    let crossing = exact.dropLast() + [point("wide", .input, 124, .float32)]
    let requests = RequestPlanner.requests(for: device("d", unit: 1, points: Array(crossing)))
    #expect(requests.map(\.addresses) == [0..<124, 124..<126])
  }

  @Test("2000 bits fit one request, 2001 do not")
  func keepsTheBitLimit() {
    let bits = (0...2000).map { point("p\($0)", .coil, UInt16($0), .bool) }
    let requests = RequestPlanner.requests(for: device("d", unit: 1, points: bits))
    #expect(requests.map(\.addresses) == [0..<2000, 2000..<2001])
  }

  @Test("The highest address can be read")
  func readsTheHighestAddress() {
    let device = device("d", unit: 1, points: [point("p", .holding, 65_535)])
    #expect(RequestPlanner.requests(for: device).map(\.addresses) == [65_535..<65_536])
  }

  @Test("Every point is covered once within its request", arguments: 0..<200 as Range<UInt64>)
  func coversEveryPointOnce(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let device = randomDevice(&generator)
    let requests = RequestPlanner.requests(for: device)
    #expect(requests == RequestPlanner.requests(for: device))
    #expect(requests.flatMap(\.points).sorted() == Array(device.points.indices))
    for request in requests {
      #expect(request.count <= request.table.maximumCount)
      for index in request.points { expect(device.points[index], isWithin: request) }
      let addresses = request.points.map { device.points[$0].address }
      #expect(addresses.min() == request.address, "nothing is read before the first point")
    }
    for (first, second) in zip(requests, requests.dropFirst())
    where first.table == second.table && first.everyMilliseconds == second.everyMilliseconds {
      let hole = second.addresses.lowerBound - first.addresses.upperBound
      let union = second.addresses.upperBound - first.addresses.lowerBound
      let limit = first.table.holdsBits ? 256 : 16
      #expect(hole > limit || union > first.table.maximumCount, "these could have been one")
    }
  }

  @Test("Dividing keeps every point and ends", arguments: 0..<100 as Range<UInt64>)
  func dividesCompletely(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let device = randomDevice(&generator)
    for whole in RequestPlanner.requests(for: device) {
      var open = [whole]
      var single: [PlannedRequest] = []
      while let request = open.popLast() {
        guard let parts = RequestPlanner.parts(of: request, in: device) else {
          single.append(request)
          continue
        }
        #expect(parts.count > 1)
        #expect(parts.flatMap(\.points).sorted() == request.points)
        for part in parts {
          for index in part.points { expect(device.points[index], isWithin: part) }
        }
        open += parts
      }
      #expect(single.flatMap(\.points).sorted() == whole.points)
    }
  }

  @Test("A declined request is divided at its holes first, then in halves")
  func dividesAtHolesFirst() throws {
    let device = device(
      "d", unit: 1,
      points: [
        point("a", .holding, 0), point("b", .holding, 1), point("c", .holding, 5),
        point("d", .holding, 5, .bit(3)),
      ])
    let whole = try #require(RequestPlanner.requests(for: device).first)
    let parts = try #require(RequestPlanner.parts(of: whole, in: device))
    #expect(parts.map(\.addresses) == [0..<2, 5..<6])
    #expect(RequestPlanner.parts(of: parts[0], in: device)?.map(\.addresses) == [0..<1, 1..<2])
    #expect(RequestPlanner.parts(of: parts[1], in: device) == nil, "both points are one register")
  }

  private func expect(
    _ point: ModbusPoint, isWithin request: PlannedRequest,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let first = Int(point.address)
    let addresses = first..<first + point.type.addressCount
    #expect(
      request.addresses.lowerBound <= addresses.lowerBound
        && addresses.upperBound <= request.addresses.upperBound,
      sourceLocation: sourceLocation)
    #expect(point.table == request.table, sourceLocation: sourceLocation)
    #expect(point.everyMilliseconds == request.everyMilliseconds, sourceLocation: sourceLocation)
  }

  private func randomDevice(_ generator: inout SeededGenerator) -> ModbusDevice {
    let types: [RegisterType] = [.uint16, .int32, .float64, .bit(7), .float32]
    let span = UInt16([50, 400, 5000].randomElement(using: &generator) ?? 50)
    let points = (0..<Int.random(in: 1...80, using: &generator)).map { index in
      let table = ModbusTable.allCases.randomElement(using: &generator) ?? .coil
      let type = table.holdsBits ? .bool : types.randomElement(using: &generator) ?? .uint16
      return point(
        "p\(index)", table, .random(in: 0...span, using: &generator), type,
        every: Bool.random(using: &generator) ? 1000 : 5000)
    }
    return device("d", unit: 1, points: points)
  }
}
