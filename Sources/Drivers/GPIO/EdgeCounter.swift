/// Counts changes of a level. Only what differs from the level before is counted, so the count is
/// never above the truth whatever the kernel lost or merged: two equal edges in a row, which mean
/// that something between them is missing, count once.
struct EdgeCounter: Sendable {
  /// Which changes count.
  let edges: CountedEdges
  /// How many there were.
  private(set) var total: UInt64
  private var level: Bool?

  init(_ edges: CountedEdges, total: UInt64) {
    self.edges = edges
    self.total = total
  }

  /// Watching begins, with that level: how it came to it nobody saw.
  mutating func begin(isActive: Bool) { level = isActive }

  /// The line has that level.
  /// - Returns: whether that was counted.
  mutating func take(isActive: Bool) -> Bool {
    guard let before = level else {
      level = isActive
      return false
    }
    guard isActive != before else { return false }
    level = isActive
    guard edges == .both || isActive == (edges == .rising) else { return false }
    // A pulse every nanosecond would take 584 years to get there.
    if total < .max { total += 1 }
    return true
  }
}

/// Watches a line's own numbers of events, which libgpiod 2 gives.
struct EdgeSequence: Sendable {
  /// The number that the next event has to have; the first of a request is 1.
  private var next: UInt32 = 1

  /// How many events are missing before this one.
  mutating func lost(before sequence: UInt32) -> UInt64 {
    let missing = sequence &- next
    // A number from behind is none that was lost.
    guard missing < UInt32(1) << 31 else { return 0 }
    next = sequence &+ 1
    return UInt64(missing)
  }
}

/// What shows that edges may be missing: the words of a `count-suspect` event's `reason`.
enum EdgeLoss: String, Sendable, Hashable, CaseIterable {
  /// The kernel's queue of events was found full.
  case queueFull = "queue-full"
  /// The kernel's numbers of events have a hole.
  case sequenceGap = "sequence-gap"
  /// The line rose or fell twice in a row.
  case equalEdges = "equal-edges"
  /// The line's level is another one than its last edge said, and no edge is pending.
  case levelDiffers = "level-differs"
}

/// Sums up losses, so that a line tells of them at most once in `quietMilliseconds`.
struct EdgeLossReport: Sendable {
  /// What is told at once.
  struct Summary: Sendable, Hashable {
    /// The first of them.
    var reason: EdgeLoss
    /// How many edges are known to be missing, if any are.
    var lost: UInt64?
  }

  /// As often as a person could use it.
  static let quietMilliseconds: Int64 = 1000
  /// How seldom it is told at last while it goes on: few enough to keep for weeks.
  static let mostQuietMilliseconds: Int64 = 60_000

  private var pending: Summary?
  private var told: Int64?
  private var quiet = quietMilliseconds
  private let mostQuiet: Int64

  /// - Parameter isOfGate: Whether a gate learns by it that it may have missed somebody; that must
  ///   not wait until others have passed.
  init(isOfGate: Bool = false) {
    mostQuiet = isOfGate ? Self.quietMilliseconds : Self.mostQuietMilliseconds
  }

  /// One was seen.
  mutating func note(_ reason: EdgeLoss, lost: UInt64?) {
    var summary = pending ?? Summary(reason: reason)
    if let lost { summary.lost = (summary.lost ?? 0) &+ lost }
    pending = summary
  }

  /// What is to be told now; at the end of watching whatever there is.
  mutating func take(at now: Int64, isEnd: Bool = false) -> Summary? {
    guard let summary = pending, isEnd || wakeTime.map({ now >= $0 }) ?? true else { return nil }
    // It goes on if it came within twice the time that it was kept quiet for.
    let goesOn = told.map { now - $0 < 2 * quiet } ?? false
    quiet = goesOn ? min(2 * quiet, mostQuiet) : Self.quietMilliseconds
    (pending, told) = (nil, now)
    return summary
  }

  /// When something is to be told; `nil`: nothing, or at once.
  var wakeTime: Int64? {
    guard pending != nil, let told else { return nil }
    return told + quiet
  }
}
