/// How often a unit that does not answer is still asked. Each question costs the bus its whole
/// time-out, which is the other units' time.
struct UnitBackoff: Sendable, Hashable {
  /// One lost answer is noise; three in a row may be a unit without power or with a cut line.
  static let toleratedTimeouts = 3
  /// Milliseconds from the first of them for which it has to last as well: three questions at a
  /// short period pass while a unit that is well writes to its flash or starts anew.
  static let toleratedSilence: Int64 = 1_000
  /// The first pause, in milliseconds; each further time-out adds as much.
  static let pauseStep: Int64 = 500
  /// The longest pause: a unit that comes back is read again within this many milliseconds.
  static let longestPause: Int64 = 10_000

  /// Questions without an answer since the last answer.
  private(set) var timeouts = 0
  private var silentSince = Int64.min
  private var pause: Int64 = 0
  /// When the unit may be asked again, in monotonic milliseconds.
  private(set) var askAgain = Int64.min

  /// Whether the unit failed to answer the last question.
  var isSuspect: Bool { timeouts > 0 }
  /// Whether the unit is asked less often than its points are due.
  var isBackedOff: Bool { pause > 0 }

  /// Whether the unit may be asked at `now`, in monotonic milliseconds.
  func mayAsk(at now: Int64) -> Bool { now >= askAgain }

  /// An answer of any kind: the unit is there.
  mutating func recordAnswer() { self = UnitBackoff() }

  /// A question went without an answer until `now`.
  mutating func recordTimeout(at now: Int64) {
    timeouts += 1
    if timeouts == 1 { silentSince = now }
    guard timeouts >= Self.toleratedTimeouts, now - silentSince >= Self.toleratedSilence else {
      return
    }
    pause = min(pause + Self.pauseStep, Self.longestPause)
    askAgain = now + pause
  }

  /// How many questions a unit that died is asked at most before it is asked less often, where each
  /// takes `timeout` milliseconds.
  static func questions(timeout: Int64) -> Int {
    // The silence counts from the end of the first question.
    max(toleratedTimeouts, 1 + Int((toleratedSilence + timeout - 1) / max(1, timeout)))
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
