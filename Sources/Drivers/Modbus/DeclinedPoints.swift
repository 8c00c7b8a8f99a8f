/// Points that a device declines although nothing else is asked with them. Each has its exception
/// in every cycle, but the question is put ever more rarely: it would cost the bus a request each
/// time for an answer that is known.
struct DeclinedPoints: Sendable, Hashable {
  /// Milliseconds until the question is put again; each further refusal doubles it. A device may
  /// decline while it starts, which takes it some seconds.
  static let firstPause: Int64 = 1_000
  /// The longest pause, in milliseconds: a register that is there after all, since somebody changed
  /// the device's settings, is read within this.
  static let longestPause: Int64 = 600_000

  private struct Entry: Sendable, Hashable {
    var code: UInt8
    var pause: Int64
    var since: Int64
    var askAgain: Int64
    /// Once it was answered its pause is kept: one that is declined now and then is planned anew
    /// now and then, not in every cycle.
    var isDeclined = true
  }

  /// By points; no more than the device has points. A list would cost a device that declines all of
  /// some thousand points their square, several times a cycle.
  private var entries: [[Int]: Entry] = [:]

  /// Whether no point was ever declined.
  var isEmpty: Bool { entries.isEmpty }

  /// The points that are to be asked by themselves, in what was asked together.
  var apart: [[Int]] {
    entries.filter(\.value.isDeclined).keys.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// The exception of `points` while they are not to be asked at `time`; `nil` if they are.
  func code(of points: [Int], at time: Int64) -> UInt8? {
    guard let known = entries[points], known.isDeclined, known.since <= time,
      time < known.askAgain
    else { return nil }
    return known.code
  }

  /// `points` were declined at `now`; returns whether that is new.
  mutating func decline(_ points: [Int], code: UInt8, at now: Int64) -> Bool {
    guard var entry = entries[points] else {
      entries[points] = Entry(
        code: code, pause: Self.firstPause, since: now, askAgain: now + Self.firstPause)
      return true
    }
    let isNew = !entry.isDeclined
    if isNew { entry.since = now }
    entry.isDeclined = true
    entry.code = code
    entry.pause = min(entry.pause * 2, Self.longestPause)
    entry.askAgain = now + entry.pause
    entries[points] = entry
    return isNew
  }

  /// `points` were answered; returns whether they had been declined.
  mutating func accept(_ points: [Int]) -> Bool {
    guard entries[points]?.isDeclined == true else { return false }
    entries[points]?.isDeclined = false
    return true
  }
}

/// When ranges that had to be divided are asked whole again. A device that declined some requests
/// by a whim would otherwise be asked in pieces for as long as its connection lasts, and in more of
/// them after each whim.
struct CutRetry: Sendable, Hashable {
  /// Milliseconds until the first try; each further one doubles it. It costs a cycle some requests.
  static let firstPause: Int64 = 600_000
  /// The longest pause, in milliseconds: a day.
  static let longestPause: Int64 = 86_400_000

  private var pause = firstPause
  private var due = Int64.max

  /// The first range was divided at `now`.
  mutating func begin(at now: Int64) { due = now + pause }

  /// Whether to try again at `now`; then the next time is later.
  mutating func isDue(at now: Int64) -> Bool {
    guard now >= due else { return false }
    pause = min(pause * 2, Self.longestPause)
    return true
  }
}

/// When a device that said that it is busy is asked again.
struct BusyRetry: Sendable, Hashable {
  /// Acknowledge (5): it works on it; busy (6): it works on something else (Modbus Application
  /// Protocol V1.1b3, section 7). Both mean: ask again.
  static let exceptions: Set<UInt8> = [5, 6]
  /// Milliseconds until it is asked again; each further time doubles it. Devices are busy for a
  /// scan of their program or a write to their flash, some 10 to some 100 ms.
  static let firstPause: Int64 = 50
  /// The longest pause, in milliseconds.
  static let longestPause: Int64 = 1_000
  /// How long after its due time an outcome may come for that, in milliseconds; less where the
  /// period is shorter. A point that is read once an hour must not wait an hour for its reason.
  static let longest: Int64 = 10_000

  /// When the cycle was due.
  let cycle: Int64
  /// What the device said last.
  private(set) var code: UInt8 = 6
  private var pause = firstPause

  /// For the cycle that was due at `cycle`.
  init(of cycle: Int64) { self.cycle = cycle }

  /// The device said `code` at `now`; returns when to ask it again.
  mutating func next(after now: Int64, code: UInt8) -> Int64 {
    self.code = code
    defer { pause = min(pause * 2, Self.longestPause) }
    return now + pause
  }
}
