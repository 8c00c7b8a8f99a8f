/// A value that the simulator served.
struct ServedValue: Sendable, Hashable {
  /// When its answer was handed to the kernel, ms of CLOCK_BOOTTIME.
  var monotonic: Int64
  /// The same in Unix milliseconds.
  var time: Int64
  /// The value as printed.
  var text: String
  /// Whether the answer was sent too late on purpose, so that it need not be delivered.
  var isLate: Bool
}

/// A value that a batch delivered.
struct DeliveredValue: Sendable, Hashable {
  /// The sample's monotonic time, ms.
  var monotonic: Int64
  /// The same in Unix milliseconds, as first delivered.
  var time: Int64
  /// The value as printed.
  var text: String
  /// False for the raw value of a bad reading.
  var isGood: Bool
}

/// Pairs the served values of one point with the delivered ones, each used once.
struct ValueMatching: Sendable, Hashable {
  /// Both read the same clock, the simulator before it sends: what is left is rounding, and the
  /// 10 ms that the offset of wall time may drift within a batch; 50 is far below a cycle.
  static let earliest: Int64 = 50
  /// The agent stamps an answer when it reads it: after the bus's time-out of 1 s it would not,
  /// so twice that is beyond any right answer.
  static let latest: Int64 = 2000
  /// An answer on an idle machine is stamped within a few ms; within this the pairing is certain
  /// even where values repeat.
  static let usual: Int64 = 250

  /// Served in time and found.
  private(set) var matched = 0
  /// Served late and found all the same.
  private(set) var matchedLate = 0
  /// Served in time and not found.
  private(set) var missing: [ServedValue] = []
  /// Delivered as good and never served.
  private(set) var invented: [DeliveredValue] = []

  /// Matches one point's values, in any order.
  init(served: [ServedValue], delivered: [DeliveredValue]) {
    let served = served.sorted { $0.monotonic < $1.monotonic }
    let delivered = delivered.sorted { $0.monotonic < $1.monotonic }
    let inTime = served.filter { !$0.isLate }
    var isUsed: [Bool]
    (missing, isUsed) = Self.best(inTime, delivered)
    matched = inTime.count - missing.count

    let late = served.filter(\.isLate)
    let unmatched = Self.pair(late, with: delivered, isUsed: &isUsed, latest: Self.latest)
    matchedLate = late.count - unmatched.count
    invented = zip(delivered, isUsed).filter { !$1 && $0.isGood }.map(\.0)
  }

  /// Pairing each with the earliest partner in its window leaves the fewest without one. Where the
  /// value stays the same that may name the wrong one missing: a pass with the usual delay first
  /// names the right one, and is taken if it leaves no more.
  private static func best(
    _ served: [ServedValue], _ delivered: [DeliveredValue]
  ) -> (missing: [ServedValue], isUsed: [Bool]) {
    let none = [Bool](repeating: false, count: delivered.count)
    var isUsed = none
    let fewest = pair(served, with: delivered, isUsed: &isUsed, latest: latest)
    guard !fewest.isEmpty else { return ([], isUsed) }

    var isUsedInSteps = none
    let open = pair(served, with: delivered, isUsed: &isUsedInSteps, latest: usual)
    let inSteps = pair(open, with: delivered, isUsed: &isUsedInSteps, latest: latest)
    return inSteps.count > fewest.count ? (fewest, isUsed) : (inSteps, isUsedInSteps)
  }

  /// Uses for each of `served`, in order, the earliest equal one in its window; returns those that
  /// found none.
  private static func pair(
    _ served: [ServedValue], with delivered: [DeliveredValue], isUsed: inout [Bool], latest: Int64
  ) -> [ServedValue] {
    var missing: [ServedValue] = []
    var start = 0
    for value in served {
      while start < delivered.count, delivered[start].monotonic < value.monotonic - earliest {
        start += 1
      }
      var partner = start
      while partner < delivered.count, delivered[partner].monotonic <= value.monotonic + latest,
        isUsed[partner] || delivered[partner].text != value.text
      {
        partner += 1
      }
      if partner < delivered.count, delivered[partner].monotonic <= value.monotonic + latest {
        isUsed[partner] = true
      } else {
        missing.append(value)
      }
    }
    return missing
  }
}
