internal import Telemetry

/// When a job that was due without a connection, or at a unit that gave no answer, is asked again
/// before its next cycle. Pure.
struct LostTurn: Sendable, Hashable {
  /// What is due within so many milliseconds anyway is not asked beside its cycles: as long as a
  /// unit that was silent may have to wait.
  static let soon = UnitBackoff.longestPause
  /// Milliseconds until a question over which the connection was lost, or that was not answered, is
  /// put again; each further time doubles it. A gateway may hang up whenever one unit is asked
  /// for, which must not cost the others their connection again and again.
  static let firstPause: Int64 = 1_000
  /// The longest pause, in milliseconds.
  static let longestPause: Int64 = 600_000

  private var pause = firstPause
  /// Not before then, in monotonic milliseconds.
  private(set) var again = Int64.min

  /// The question was put in vain until `now`.
  mutating func recordAsked(at now: Int64) {
    again = now + pause
    pause = min(pause * 2, Self.longestPause)
  }
}

extension PollAgenda {
  /// The bus had no connection for a job, or lost it over the question, at `now`.
  mutating func recordLost(_ due: Due, wasAsked: Bool, at now: Int64) {
    guard wasAsked else {
      lost[due.id] = lost[due.id] ?? LostTurn()
      return
    }
    let turn = recordAsked(due, at: now)
    guard due.job.isRare else { return }
    // Each of the unit's questions may cost the others their connection, whatever it asks for.
    for entry in schedule.entries(where: { $0.request.unit == due.job.request.unit }) {
      if let other = lost[entry.id], other.again < turn.again { lost[entry.id] = turn }
    }
  }

  /// A job's question was put in vain until `now`.
  private mutating func recordAsked(_ due: Due, at now: Int64) -> LostTurn {
    var turn = lost[due.id] ?? LostTurn()
    turn.recordAsked(at: now)
    lost[due.id] = turn
    return turn
  }

  /// The bus has a connection from `now` on: what was due without one is due again, but for what is
  /// soon due anyway; a point that is read once an hour must not be missing for an hour.
  mutating func recallLost(at now: Int64) {
    guard !lost.isEmpty else { return }
    let entries = schedule.entries { _ in true }
    let missed = entries.filter { lost[$0.id] != nil && $0.next - now > LostTurn.soon }
    let loads = missed.map { load(of: $0.job) }
    let carried = entries.map { load(of: $0.job) }.reduce(0) {
      $0 + Double($1.microseconds) / 1000 / Double($1.every)
    }
    // One that is closed after each cycle is to be opened once for them.
    let turns =
      definition.manners.closesAfterCycle
      ? [Int64](repeating: 0, count: loads.count) : PhaseSpread.turns(of: loads, beside: carried)
    for (entry, turn) in zip(missed, turns) {
      let earliest = lost[entry.id]?.again ?? .min
      let time = max(now, earliest) + turn
      // What has its turn already keeps it: connections may come and go before that.
      schedule.recall(entry.id, at: entry.recalled < earliest ? time : min(entry.recalled, time))
    }
  }

  /// A job was asked in vain until `now`. Where that was for want of an answer it is due once more
  /// later: a station may be there before its units, and a board before both.
  mutating func recordFailure(of due: Due, _ reason: BadReason, at now: Int64) {
    guard due.job.isRare, reason.isSilence else { return recordOutcome(of: due.id) }
    schedule.recall(due.id, at: recordAsked(due, at: now).again)
  }

  /// A job's unit is left alone until `time`; then a rare one is due, whether or not it was.
  mutating func postpone(_ due: Due, until time: Int64) {
    guard due.job.isRare else { return recordOutcome(of: due.id) }
    lost[due.id] = lost[due.id] ?? LostTurn()
    schedule.recall(due.id, at: time)
  }
}

extension PollAgenda.Job {
  /// Whether it is asked beside its cycles when it was asked in vain.
  fileprivate var isRare: Bool { request.everyMilliseconds > LostTurn.soon }
}

extension BadReason {
  /// Whether the unit gave no answer, as far as the bus or its gateway knows.
  fileprivate var isSilence: Bool {
    switch self {
    case .timeout: true
    case .exception(let code): ModbusBusStateMachine.gatewayExceptions.contains(code)
    default: false
    }
  }
}
