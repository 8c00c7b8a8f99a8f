/// Bounds how many changes of a contact are reported one by one.
struct ChatterLimit: Sendable {
  /// What becomes of a change.
  enum Verdict: Sendable, Hashable {
    /// It is reported.
    case report
    /// It is the first of too many.
    case begin
    /// It is one of too many.
    case suppress
  }

  /// The contract's number.
  static let mostChanges = 50
  private static let second: Int64 = 1000

  private(set) var isChattering = false
  /// The times of the newest changes, the oldest at `oldest` once there are enough.
  private var recent: [Int64] = []
  private var oldest = 0
  /// While it chatters: the second that is looked at, and what came in it.
  private var start: Int64 = 0
  private var count = 0

  /// A change came at that millisecond.
  mutating func take(at time: Int64) -> Verdict {
    if isChattering {
      count += 1
      return .suppress
    }
    guard recent.count == Self.mostChanges else {
      recent.append(time)
      return .report
    }
    let first = recent[oldest]
    recent[oldest] = time
    oldest = (oldest + 1) % Self.mostChanges
    guard time - first < Self.second else { return .report }
    isChattering = true
    (start, count) = (time, 0)
    return .begin
  }

  /// Whether a whole second had few enough changes, so that from now on each is reported again.
  mutating func calm(at now: Int64) -> Bool {
    guard let wakeTime, now >= wakeTime else { return false }
    guard count <= Self.mostChanges else {
      (start, count) = (now, 0)
      return false
    }
    self = ChatterLimit()
    return true
  }

  /// When to look whether it is calm.
  var wakeTime: Int64? { isChattering ? start + Self.second : nil }
}
