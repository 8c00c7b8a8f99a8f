/// How often a unit that does not answer is still asked. Each question costs the bus its whole
/// time-out, which is the other units' time.
struct UnitBackoff: Sendable, Hashable {
  /// One lost answer is noise; three in a row are a unit without power or with a cut line.
  static let toleratedTimeouts = 3
  /// The first pause, in milliseconds; each further time-out doubles it.
  static let firstPause: Int64 = 500
  /// The longest pause: a unit that comes back is read again within this many milliseconds.
  static let longestPause: Int64 = 10_000

  /// Questions without an answer since the last answer.
  private(set) var timeouts = 0
  /// When the unit may be asked again, in monotonic milliseconds.
  private(set) var askAgain = Int64.min

  /// Whether the unit failed to answer the last question.
  var isSuspect: Bool { timeouts > 0 }
  /// Whether the unit is asked less often than its points are due.
  var isBackedOff: Bool { timeouts >= Self.toleratedTimeouts }

  /// Whether the unit may be asked at `now`, in monotonic milliseconds.
  func mayAsk(at now: Int64) -> Bool { now >= askAgain }

  /// An answer of any kind: the unit is there.
  mutating func recordAnswer() { self = UnitBackoff() }

  /// A question went without an answer until `now`.
  mutating func recordTimeout(at now: Int64) {
    timeouts += 1
    guard isBackedOff else { return }
    // 500 ms doubled five times exceeds the longest pause; the bound keeps the shift defined.
    let doublings = min(timeouts - Self.toleratedTimeouts, 5)
    askAgain = now + min(Self.firstPause << Int64(doublings), Self.longestPause)
  }
}

/// When a connection that failed is tried again. It is tried for ever.
struct ReconnectBackoff: Sendable, Hashable {
  /// Pauses in milliseconds after what costs nobody anything: a refusal, no route, a connection
  /// that was cut. A station that comes back is read again within a second.
  private static let quickPauses: [Int64] = [100, 250, 500, 1_000]
  /// Pauses after attempts that ran into their deadline or into a name that is not found: each
  /// attempt holds up the reasons of the points that are due meanwhile.
  private static let slowPauses: [Int64] = [500, 1_000, 2_000, 5_000]

  private var failures = 0

  /// The pause before the next attempt.
  mutating func nextPause(isQuick: Bool) -> Int64 {
    let pauses = isQuick ? Self.quickPauses : Self.slowPauses
    defer { failures = min(failures + 1, pauses.count - 1) }
    return pauses[min(failures, pauses.count - 1)]
  }

  /// The connection proved good.
  mutating func reset() { failures = 0 }
}
