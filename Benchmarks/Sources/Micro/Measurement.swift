internal import CAllocations
internal import Glibc

/// A step of the agent that can be done over and over at the same cost.
protocol Operation: AnyObject {
  /// The name of its line in the budgets.
  var name: String { get }
  /// Brings the step before its next run. Not measured.
  func prepare() throws
  /// Does the step once.
  func run()
  /// Bytes of what the step made, where that is what others pay for; else 0.
  var payloadBytes: Int { get }
}

extension Operation {
  var payloadBytes: Int { 0 }
}

/// What a step costs: exactly, and the same in every run of the same program.
struct Cost: Hashable {
  var allocations: UInt64
  /// Asked of the heap in all.
  var bytes: UInt64
  var payloadBytes: UInt64
}

/// What was measured of a step.
struct Measurement {
  var name: String
  var cost: Cost
  /// Of many runs, in nanoseconds. Depends on the machine and its load.
  var shortest: Int
  var median: Int
}

/// A step whose runs differ has no cost to compare.
struct Unsteady: Error, CustomStringConvertible {
  var name: String
  var costs: [Cost]

  var description: String {
    "\(name) costs differently from run to run: "
      + costs.map { "\($0.allocations) allocations of \($0.bytes) B" }.joined(separator: ", ")
  }
}

extension Measurement {
  /// Enough for buffers to reach their size, for what is made once to be made, and for numbers of
  /// batches to be beyond 127: they take a byte up to there.
  private static let warmUps = 192
  private static let countedRuns = 64
  /// The journal saves its cursors after seconds, and may do so amid counted runs: those are then
  /// counted again.
  private static let attempts = 5
  /// Time spent on an operation's times.
  private static let nanoseconds = 200_000_000
  private static let mostTimedRuns = 100_000

  init(of operation: some Operation) throws {
    name = operation.name
    for _ in 0..<Self.warmUps {
      try operation.prepare()
      operation.run()
    }
    var costs = try Self.costs(of: operation)
    for _ in 1..<Self.attempts where costs.count > 1 { costs = try Self.costs(of: operation) }
    guard let cost = costs.first, costs.count == 1 else {
      throw Unsteady(name: name, costs: Array(costs))
    }
    self.cost = cost

    var times: [Int] = []
    let end = monotonicNanoseconds() + Self.nanoseconds
    while times.count < Self.mostTimedRuns, times.isEmpty || monotonicNanoseconds() < end {
      try operation.prepare()
      let start = monotonicNanoseconds()
      operation.run()
      times.append(monotonicNanoseconds() - start)
    }
    times.sort()
    shortest = times[0]
    median = times[times.count / 2]
  }

  /// What the counted runs cost; one and the same, if all is well.
  private static func costs(of operation: some Operation) throws -> Set<Cost> {
    var costs: Set<Cost> = []
    for _ in 0..<countedRuns {
      try operation.prepare()
      CAllocations_begin()
      operation.run()
      let tally = CAllocations_end()
      costs.insert(
        Cost(
          allocations: tally.allocations, bytes: tally.bytes,
          payloadBytes: UInt64(operation.payloadBytes)))
    }
    return costs
  }
}

private func monotonicNanoseconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
