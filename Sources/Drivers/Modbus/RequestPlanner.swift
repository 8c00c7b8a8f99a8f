/// One read request and the points it covers.
public struct PlannedRequest: Sendable, Hashable {
  /// The unit that is asked.
  public var unit: UInt8
  /// The table that is read.
  public var table: ModbusTable
  /// The first wire address.
  public var address: UInt16
  /// How many registers or bits.
  public var count: Int
  /// Indices into the device's points, ascending.
  public var points: [Int]
  /// Milliseconds between two of it.
  public var everyMilliseconds: Int64
  /// Whether it is asked before those that are not: one of its points is a safety point.
  public var isSafety: Bool

  /// Makes a request.
  public init(
    unit: UInt8, table: ModbusTable, address: UInt16, count: Int, points: [Int],
    everyMilliseconds: Int64, isSafety: Bool = false
  ) {
    self.unit = unit
    self.table = table
    self.address = address
    self.count = count
    self.points = points
    self.everyMilliseconds = everyMilliseconds
    self.isSafety = isSafety
  }

  /// The addresses it covers.
  var addresses: Range<Int> { Int(address)..<Int(address) + count }
}

/// What one request may read.
public enum RequestLimits {
  /// Registers: Modbus Application Protocol V1.1b3, sections 6.3 and 6.4.
  public static let registers = 1...125
  /// Bits: the same, sections 6.1 and 6.2.
  public static let bits = 1...2000
}

/// Groups a device's points into the read requests that take the least of the bus's time. A point
/// never spans two requests.
enum RequestPlanner {
  /// The widest hole that is read for nothing rather than asking twice, where the cost allows it:
  /// maps have their blocks at round addresses, and what lies between blocks a device often lacks.
  static let maximumRegisterHole = 32
  /// The same in bits, of which an answer of that size holds more.
  static let maximumBitHole = 256

  /// The requests that read every point of `device`: points of one table and one period together,
  /// by period, table and address.
  /// - Parameters:
  ///   - cost: What a request takes of the bus.
  ///   - limits: What the device has shown that it does not answer.
  static func requests(
    for device: ModbusDevice, cost: RequestCost, limits: LearnedLimits = LearnedLimits()
  ) -> [PlannedRequest] {
    let groups = Dictionary(grouping: device.points.indices) { index in
      Group(table: device.points[index].table, every: device.points[index].everyMilliseconds)
    }
    return groups.keys.sorted().flatMap { group in
      requests(for: groups[group] ?? [], of: group, in: device, cost: cost, limits: limits)
    }
  }

  /// What to ask in place of a request that the device declined: its parts between the holes, or if
  /// it has none, its halves. `nil` when it can't be divided.
  static func parts(of whole: PlannedRequest, in device: ModbusDevice) -> [PlannedRequest]? {
    partsBetweenHoles(of: whole, in: device) ?? halves(of: whole, in: device)
  }

  /// The parts of a request between its holes; `nil` if it has none.
  static func partsBetweenHoles(
    of whole: PlannedRequest, in device: ModbusDevice
  ) -> [PlannedRequest]? {
    var runs: [[Span]] = []
    var end = 0
    for span in spans(of: whole.points, in: device) {
      if runs.isEmpty || span.addresses.lowerBound > end {
        runs.append([span])
      } else {
        runs[runs.count - 1].append(span)
      }
      end = max(end, span.addresses.upperBound)
    }
    guard runs.count > 1 else { return nil }
    let group = Group(table: whole.table, every: whole.everyMilliseconds)
    return runs.map { request($0[...], of: group, in: device) }
  }

  /// The halves of a request without holes; `nil` when it can't be divided without dividing a
  /// point. Points that share a register stay together: asking it twice would tell nothing new.
  static func halves(of whole: PlannedRequest, in device: ModbusDevice) -> [PlannedRequest]? {
    let spans = spans(of: whole.points, in: device)
    let seams = seams(between: spans)
    guard !seams.isEmpty else { return nil }
    let middle = seams[seams.count / 2]
    let group = Group(table: whole.table, every: whole.everyMilliseconds)
    return [spans[..<middle], spans[middle...]].map { request($0, of: group, in: device) }
  }
}

/// What a unit has shown that it does not answer.
struct LearnedLimits: Sendable, Hashable {
  /// An address that no request may go across.
  struct Cut: Sendable, Hashable {
    var table: ModbusTable
    /// The first address behind it.
    var address: Int
    /// What was declined as a whole.
    var declined: Range<Int>
  }

  /// Whether it answers requests that go across addresses that no point has.
  var joinsHoles = true
  /// Where ranges without holes had to be divided.
  var cuts: [Cut] = []
  /// Points that it declined although nothing else was asked; each has a request with those that
  /// share its register.
  var apart: [[Int]] = []

  /// Whether nothing was learned.
  var isEmpty: Bool { joinsHoles && cuts.isEmpty && apart.isEmpty }
}

extension RequestPlanner {
  private struct Group: Hashable, Comparable {
    var table: ModbusTable
    var every: Int64

    static func < (left: Group, right: Group) -> Bool {
      (left.every, left.table.position) < (right.every, right.table.position)
    }
  }

  private struct Span {
    var point: Int
    var addresses: Range<Int>
  }

  private static func requests(
    for points: [Int], of group: Group, in device: ModbusDevice, cost: RequestCost,
    limits: LearnedLimits
  ) -> [PlannedRequest] {
    let set = Set(points)
    let apart =
      limits.apart.filter { !set.isDisjoint(with: $0) }
      + points.filter { device.points[$0].isAlone }.map { [$0] }
    var taken: Set<Int> = []
    var runs: [[Span]] = []
    for points in apart {
      let rest = points.filter { taken.insert($0).inserted }
      if !rest.isEmpty { runs.append(spans(of: rest, in: device)) }
    }
    let joint = spans(of: points.filter { !taken.contains($0) }, in: device)
    let rule = JoiningRule(
      table: group.table, limit: device.maximumCount(of: group.table), cost: cost, limits: limits,
      separate: Set(runs.joined().flatMap(\.addresses)))
    runs += rule.cheapestRuns(of: joint)
    return runs.map { request($0[...], of: group, in: device) }
      .sorted { ($0.address, $0.points.first ?? 0) < ($1.address, $1.points.first ?? 0) }
  }

  /// How neighbours become requests.
  private struct JoiningRule {
    let table: ModbusTable
    let limit: Int
    let cost: RequestCost
    let limits: LearnedLimits
    /// Addresses of points with requests of their own: others' don't go across them either.
    let separate: Set<Int>

    private var widestHole: Int { limits.joinsHoles ? table.maximumHole : 0 }

    /// Parts `spans` into the runs that cost least together; among equals, into the fewest, and the
    /// first of them as long as can be. A run is built from its end backwards: what goes before it
    /// has been parted at its best already.
    func cheapestRuns(of spans: [Span]) -> [[Span]] {
      let blocks = blocks(of: spans)
      var best: [(cost: Int64, runs: Int, start: Int)] = [(0, 0, 0)]
      best.reserveCapacity(blocks.count + 1)
      let barriers = barriers(between: blocks)
      for index in blocks.indices {
        // Behind the last barrier everything may be joined that the limit allows. The end of a run
        // is that of its widest block, which need not be the last.
        var end = blocks[index].addresses.upperBound
        var chosen: (cost: Int64, runs: Int, start: Int)?
        var start = index
        while start >= barriers[index] {
          end = max(end, blocks[start].addresses.upperBound)
          let count = end - blocks[start].addresses.lowerBound
          // What begins still earlier is no shorter.
          if count > limit, start < index { break }
          let price = best[start].cost + cost.price(of: table, count: count)
          let runs = best[start].runs + 1
          if chosen.map({ (price, runs) < ($0.cost, $0.runs) }) ?? true {
            chosen = (price, runs, start)
          }
          start -= 1
        }
        best.append(chosen ?? (0, 0, index))
      }
      var runs: [[Span]] = []
      var end = blocks.count
      while end > 0 {
        let start = best[end].start
        runs.append(Array(spans[blocks[start].spans.lowerBound..<blocks[end - 1].spans.upperBound]))
        end = start
      }
      return runs.reversed()
    }

    /// Spans that begin at one address.
    private struct Block {
      var addresses: Range<Int>
      /// Indices.
      var spans: Range<Int>
    }

    /// To part what begins at one address saves nothing, and a register may have any number of
    /// points.
    private func blocks(of spans: [Span]) -> [Block] {
      var blocks: [Block] = []
      for (index, span) in spans.enumerated() {
        if let last = blocks.last, last.addresses.lowerBound == span.addresses.lowerBound {
          let end = max(last.addresses.upperBound, span.addresses.upperBound)
          blocks[blocks.count - 1] = Block(
            addresses: last.addresses.lowerBound..<end, spans: last.spans.lowerBound..<index + 1)
        } else {
          blocks.append(Block(addresses: span.addresses, spans: index..<index + 1))
        }
      }
      return blocks
    }

    /// Of each block the first that it may share a request with, as far as holes and cuts go.
    private func barriers(between blocks: [Block]) -> [Int] {
      let cuts = limits.cuts.filter { $0.table == table }.map(\.address)
      var barrier = 0
      var end = 0
      return blocks.indices.map { index in
        let first = blocks[index].addresses.lowerBound
        if index > 0, first >= end {
          let hole = end..<first
          let isParted =
            hole.count > widestHole || cuts.contains { end <= $0 && $0 <= first }
            || (!separate.isEmpty && hole.contains { separate.contains($0) })
          if isParted { barrier = index }
        }
        end = max(end, blocks[index].addresses.upperBound)
        return barrier
      }
    }
  }

  /// The points' addresses, by first address, then by configured order.
  private static func spans(of points: [Int], in device: ModbusDevice) -> [Span] {
    let spans = points.map { index in
      let first = Int(device.points[index].address)
      return Span(
        point: index, addresses: first..<first + device.points[index].type.addressCount)
    }
    return spans.sorted {
      ($0.addresses.lowerBound, $0.point) < ($1.addresses.lowerBound, $1.point)
    }
  }

  /// Indices at which no address is on both sides.
  private static func seams(between spans: [Span]) -> [Int] {
    var seams: [Int] = []
    var end = 0
    for (index, span) in spans.enumerated() {
      if index > 0, span.addresses.lowerBound >= end { seams.append(index) }
      end = max(end, span.addresses.upperBound)
    }
    return seams
  }

  private static func request(
    _ run: ArraySlice<Span>, of group: Group, in device: ModbusDevice
  ) -> PlannedRequest {
    let first = run.map(\.addresses.lowerBound).min() ?? 0
    let end = run.map(\.addresses.upperBound).max() ?? 0
    return PlannedRequest(
      unit: device.unit, table: group.table, address: UInt16(first), count: end - first,
      points: run.map(\.point).sorted(), everyMilliseconds: group.every,
      isSafety: run.contains { device.points[$0.point].isSafety })
  }
}

extension ModbusDevice {
  /// How many addresses of `table` one request to it may read.
  func maximumCount(of table: ModbusTable) -> Int {
    table.holdsBits ? maximumBits : maximumRegisters
  }
}

extension ModbusTable {
  /// The widest hole that is read for nothing.
  fileprivate var maximumHole: Int {
    holdsBits ? RequestPlanner.maximumBitHole : RequestPlanner.maximumRegisterHole
  }

  /// The table's place in a plan.
  fileprivate var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
