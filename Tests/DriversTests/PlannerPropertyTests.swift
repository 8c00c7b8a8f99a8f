import Telemetry
import Testing
import TestSupport

@testable import Drivers

@Suite("Request planner on random maps")
struct PlannerPropertyTests {
  @Test(
    "Every point is covered once, within its request and the limits",
    arguments: 0..<300 as Range<UInt64>)
  func coversEveryPointOnce(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let device = RandomMap.device(&generator)
    let cost = RandomMap.cost(&generator)
    let limits = RandomMap.limits(&generator, of: device)
    let requests = RequestPlanner.requests(for: device, cost: cost, limits: limits)
    #expect(requests == RequestPlanner.requests(for: device, cost: cost, limits: limits))
    #expect(requests.flatMap(\.points).sorted() == Array(device.points.indices))
    for request in requests {
      RandomMap.expectSound(request, device)
      #expect(limits.joinsHoles || RandomMap.holes(of: request, device).isEmpty)
      for index in request.points where device.points[index].isAlone {
        #expect(request.points == [index])
      }
      for points in limits.apart where !request.points.allSatisfy(points.contains) {
        #expect(Set(points).isDisjoint(with: request.points))
      }
    }
  }

  @Test(
    "A plan never costs more than asking for each point alone, nor than one without holes",
    arguments: 0..<300 as Range<UInt64>)
  func neverCostsMore(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let device = RandomMap.device(&generator)
    let cost = RandomMap.cost(&generator)
    func price(_ requests: [PlannedRequest]) -> Int64 {
      requests.reduce(0) { $0 + cost.price(of: $1.table, count: $1.count) }
    }
    let merged = price(RequestPlanner.requests(for: device, cost: cost))
    var withoutHoles = LearnedLimits()
    withoutHoles.joinsHoles = false
    let dense = price(
      RequestPlanner.requests(for: device, cost: cost, limits: withoutHoles))
    var unmerged = device
    for index in unmerged.points.indices { unmerged.points[index].isAlone = true }
    let single = price(RequestPlanner.requests(for: unmerged, cost: cost))
    #expect(merged <= dense)
    #expect(dense <= single)
  }

  @Test("No other partition of a small map costs less", arguments: 0..<200 as Range<UInt64>)
  func isOptimal(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let cost = RandomMap.cost(&generator)
    let count = Int.random(in: 1...9, using: &generator)
    var device = device(
      "d", unit: 1,
      points: (0..<count).map { index in
        point(
          "p\(index)", .holding, .random(in: 0...60, using: &generator),
          Bool.random(using: &generator) ? .uint16 : .float64)
      })
    device.maximumRegisters = .random(in: 4...40, using: &generator)
    let spans = device.points
      .map { Int($0.address)..<Int($0.address) + $0.type.addressCount }
      .sorted { $0.lowerBound < $1.lowerBound }
    var cheapest = Int64.max
    // Each bit says whether a request begins with that point.
    for pattern in 0..<1 << (count - 1) {
      var runs = [[spans[0]]]
      for (index, span) in spans.enumerated().dropFirst() {
        if pattern >> (index - 1) & 1 == 1 { runs.append([]) }
        runs[runs.count - 1].append(span)
      }
      if let price = price(of: runs, device, cost) { cheapest = min(cheapest, price) }
    }
    let planned = RequestPlanner.requests(for: device, cost: cost)
      .reduce(0) { $0 + cost.price(of: .holding, count: $1.count) }
    #expect(planned == cheapest)
  }

  /// `nil` where a request would be too long or go across too wide a hole.
  private func price(
    of runs: [[Range<Int>]], _ device: ModbusDevice, _ cost: RequestCost
  ) -> Int64? {
    var price: Int64 = 0
    for run in runs {
      var end = run[0].lowerBound
      for span in run {
        if span.lowerBound - end > RequestPlanner.maximumRegisterHole { return nil }
        end = max(end, span.upperBound)
      }
      let count = end - run[0].lowerBound
      if count > device.maximumRegisters { return nil }
      price += cost.price(of: .holding, count: count)
    }
    return price
  }

  @Test("Dividing keeps every point and ends", arguments: 0..<100 as Range<UInt64>)
  func dividesCompletely(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let device = RandomMap.device(&generator)
    for whole in RequestPlanner.requests(for: device, cost: RandomMap.cost(&generator)) {
      var open = [whole]
      var single: [PlannedRequest] = []
      while let request = open.popLast() {
        guard let parts = RequestPlanner.parts(of: request, in: device) else {
          single.append(request)
          continue
        }
        #expect(parts.count > 1)
        #expect(parts.flatMap(\.points).sorted() == request.points)
        for part in parts { RandomMap.expectSound(part, device) }
        open += parts
      }
      #expect(single.flatMap(\.points).sorted() == whole.points)
    }
  }
}

/// Maps of registers and bits as no manual has them.
enum RandomMap {
  static func device(
    _ generator: inout SeededGenerator, unit: UInt8 = 1, points: Int = 80,
    periods: [Int64] = [1000, 5000]
  ) -> ModbusDevice {
    let types: [RegisterType] = [.uint16, .int32, .float64, .bit(7), .float32]
    let span = UInt16([50, 400, 5000].randomElement(using: &generator) ?? 50)
    let points = (0..<Int.random(in: 1...points, using: &generator)).map { index in
      let table = ModbusTable.allCases.randomElement(using: &generator) ?? .coil
      let type = table.holdsBits ? .bool : types.randomElement(using: &generator) ?? .uint16
      var point = point(
        "p\(index)", table, .random(in: 0...span, using: &generator), type,
        every: periods.randomElement(using: &generator) ?? 1000)
      point.isAlone = Int.random(in: 0..<12, using: &generator) == 0
      point.isSafety = Int.random(in: 0..<12, using: &generator) == 0
      return point
    }
    var device = Drivers.ModbusDevice(name: "d\(unit)", unit: unit, points: points)
    if Bool.random(using: &generator) {
      device.maximumRegisters = .random(in: 4...125, using: &generator)
      device.maximumBits = .random(in: 1...2000, using: &generator)
    }
    return device
  }

  static func cost(_ generator: inout SeededGenerator) -> RequestCost {
    let baud = SerialLine.bauds.randomElement(using: &generator) ?? 9600
    return RequestCost(
      line: Bool.random(using: &generator) ? SerialLine(path: "", baud: baud) : nil,
      turnaround: .random(in: 0...200_000, using: &generator),
      pause: .random(in: 0...50_000, using: &generator))
  }

  static func limits(
    _ generator: inout SeededGenerator, of device: ModbusDevice
  ) -> LearnedLimits {
    var limits = LearnedLimits()
    limits.joinsHoles = Bool.random(using: &generator)
    for _ in 0..<Int.random(in: 0...3, using: &generator) {
      guard let index = device.points.indices.randomElement(using: &generator) else { break }
      let point = device.points[index]
      let first = Int(point.address)
      if Bool.random(using: &generator) {
        limits.cuts.append(
          LearnedLimits.Cut(table: point.table, address: first, declined: 0..<first + 1))
      } else if !limits.apart.contains([index]) {
        limits.apart.append([index])
      }
    }
    return limits
  }

  static func expectSound(
    _ request: PlannedRequest, _ device: ModbusDevice,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      (1...device.maximumCount(of: request.table)).contains(request.count),
      sourceLocation: sourceLocation)
    for index in request.points {
      let point = device.points[index]
      let first = Int(point.address)
      #expect(
        request.addresses.lowerBound <= first
          && first + point.type.addressCount <= request.addresses.upperBound,
        sourceLocation: sourceLocation)
      #expect(point.table == request.table, sourceLocation: sourceLocation)
      #expect(
        point.everyMilliseconds == request.everyMilliseconds, sourceLocation: sourceLocation)
    }
    let addresses = request.points.map { device.points[$0].address }
    #expect(
      addresses.min() == request.address, "nothing is read before the first point",
      sourceLocation: sourceLocation)
    let isSafety = request.points.contains { device.points[$0].isSafety }
    #expect(request.isSafety == isSafety, sourceLocation: sourceLocation)
  }

  /// Addresses that are read for nothing.
  static func holes(of request: PlannedRequest, _ device: ModbusDevice) -> Set<Int> {
    request.points.reduce(into: Set(request.addresses)) { holes, index in
      let first = Int(device.points[index].address)
      holes.subtract(first..<first + device.points[index].type.addressCount)
    }
  }
}
