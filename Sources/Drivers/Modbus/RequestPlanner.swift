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

  /// Makes a request.
  public init(
    unit: UInt8, table: ModbusTable, address: UInt16, count: Int, points: [Int],
    everyMilliseconds: Int64
  ) {
    self.unit = unit
    self.table = table
    self.address = address
    self.count = count
    self.points = points
    self.everyMilliseconds = everyMilliseconds
  }

  /// The addresses it covers.
  var addresses: Range<Int> { Int(address)..<Int(address) + count }
}

/// Groups a device's points into as few read requests as the bus's cost makes sensible. A point
/// never spans two requests.
enum RequestPlanner {
  /// Registers a request may read: Modbus Application Protocol V1.1b3, sections 6.3 and 6.4.
  static let maximumRegisters = 125
  /// Bits a request may read: the same, sections 6.1 and 6.2.
  static let maximumBits = 2000
  /// Registers that are read for nothing rather than asking twice. Over RTU a second request costs
  /// 8 bytes, its answer 5 beyond the data, two silences of 3.5 characters and the slave's
  /// turn-around, some 5…20 ms or 5…20 characters at 9600 Bd: 30 bytes or so, which is 15
  /// registers. Over TCP it is a round trip, dearer still; but wider holes more often meet
  /// addresses that a device does not have.
  static let maximumRegisterHole = 16
  /// The same cost in bits.
  static let maximumBitHole = maximumRegisterHole * 16

  /// The requests that read every point of `device`: points of one table and one period together,
  /// by period, table and address.
  static func requests(for device: ModbusDevice) -> [PlannedRequest] {
    let groups = Dictionary(grouping: device.points.indices) { index in
      Group(table: device.points[index].table, every: device.points[index].everyMilliseconds)
    }
    return groups.keys.sorted().flatMap { group in
      let spans = spans(of: groups[group] ?? [], in: device)
      return merge(spans, atMost: group.table.maximumCount, across: group.table.maximumHole)
        .map { request($0, of: group, unit: device.unit) }
    }
  }

  /// What to ask in place of a request that the device refused because it lacks some of the
  /// addresses or takes no request that long: its parts between the holes, or if it has none, its
  /// halves. `nil` when it can't be divided without dividing a point.
  static func parts(of whole: PlannedRequest, in device: ModbusDevice) -> [PlannedRequest]? {
    let spans = spans(of: whole.points, in: device)
    let group = Group(table: whole.table, every: whole.everyMilliseconds)
    let withoutHoles = merge(spans, atMost: group.table.maximumCount, across: 0)
    if withoutHoles.count > 1 {
      return withoutHoles.map { request($0, of: group, unit: whole.unit) }
    }
    // Points that share a register stay together: asking it twice would tell nothing new.
    let seams = seams(between: spans)
    guard !seams.isEmpty else { return nil }
    let middle = seams[seams.count / 2]
    return [Array(spans[..<middle]), Array(spans[middle...])]
      .map { request($0, of: group, unit: whole.unit) }
  }
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

  /// Runs of neighbours that span at most `limit` addresses with no hole wider than `hole`.
  private static func merge(_ spans: [Span], atMost limit: Int, across hole: Int) -> [[Span]] {
    var runs: [[Span]] = []
    var current = 0..<0
    for span in spans {
      let end = max(current.upperBound, span.addresses.upperBound)
      let joins =
        !runs.isEmpty && span.addresses.lowerBound - current.upperBound <= hole
        && end - current.lowerBound <= limit
      if joins {
        runs[runs.count - 1].append(span)
        current = current.lowerBound..<end
      } else {
        runs.append([span])
        current = span.addresses
      }
    }
    return runs
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

  private static func request(_ run: [Span], of group: Group, unit: UInt8) -> PlannedRequest {
    let first = run.map(\.addresses.lowerBound).min() ?? 0
    let end = run.map(\.addresses.upperBound).max() ?? 0
    return PlannedRequest(
      unit: unit, table: group.table, address: UInt16(first), count: end - first,
      points: run.map(\.point).sorted(), everyMilliseconds: group.every)
  }
}

extension ModbusTable {
  /// How many addresses one request may read.
  var maximumCount: Int {
    holdsBits ? RequestPlanner.maximumBits : RequestPlanner.maximumRegisters
  }

  /// How many addresses are read for nothing rather than asking twice.
  fileprivate var maximumHole: Int {
    holdsBits ? RequestPlanner.maximumBitHole : RequestPlanner.maximumRegisterHole
  }

  /// The table's place in a plan.
  fileprivate var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
