/// When each job of a bus is due. The phase is fixed: a job is due at its first time plus whole
/// periods, whenever it was done. What an overrun misses is reported, not made up for, so that a
/// slow bus neither drifts nor piles up work.
struct PollSchedule<Job: Sendable>: Sendable {
  /// A job that is to be done now.
  struct Due: Sendable {
    /// Names the job within its schedule.
    let id: Int
    /// What is to be done.
    let job: Job
    /// When it was due, in monotonic milliseconds.
    let time: Int64
    /// Its earlier cycles that passed meanwhile.
    let missed: MissedCycles
    /// Whether it is no cycle, but asked for beside them by `recall`.
    var isRecalled = false
  }

  /// How a job that is due stands to the others.
  enum Readiness {
    /// It takes no time of the bus's, so it waits for nothing.
    case free
    /// It can be done from that time on. A suspect stands back for up to a period, so that a unit
    /// that is probably dead takes its time-out after the others were asked; not longer, or it
    /// would never be asked.
    case from(Int64, isSuspect: Bool)
  }

  /// A job that is scheduled.
  struct Entry: Sendable {
    /// Names the job within its schedule.
    let id: Int
    /// What is to be done.
    let job: Job
    fileprivate let every: Int64
    fileprivate let isUrgent: Bool
    /// When it is due next.
    fileprivate(set) var next: Int64
    /// When it is due beside its cycles, once; the end of time if it is not.
    fileprivate(set) var recalled = Int64.max
    /// When it may be done at the earliest.
    fileprivate var hold = Int64.min

    fileprivate var due: Int64 { min(next, recalled) }
  }

  /// How long jobs that are not urgent stand back at most before one of them is done: under the
  /// worst load urgent ones lose one job a second to the others.
  static var longestStandBack: Int64 { 1_000 }

  private var entries: [Entry] = []
  private var lastID = 0
  /// When the last job that is not urgent was taken.
  private var ordinaryTaken = Int64.min

  /// Adds a job that is due at `first` and then every `every` milliseconds (at least 1). Urgent
  /// ones are taken before those that are not.
  /// - Parameter recalled: When it is due beside its cycles, once.
  /// - Returns: What names it.
  @discardableResult
  mutating func add(
    _ job: Job, every: Int64, first: Int64, isUrgent: Bool = false, recalled: Int64 = .max
  ) -> Int {
    precondition(every > 0, "a period of \(every) ms")
    lastID += 1
    entries.append(
      Entry(
        id: lastID, job: job, every: every, isUrgent: isUrgent, next: first, recalled: recalled))
    return lastID
  }

  /// Takes the job out for good.
  mutating func remove(_ id: Int) { entries.removeAll { $0.id == id } }

  /// The jobs that `matches` picks, in the order in which they were added.
  func entries(where matches: (Job) -> Bool) -> [Entry] { entries.filter { matches($0.job) } }

  /// Makes a job that was taken due again for the same cycle, from `hold` on.
  mutating func putBack(_ due: Due, until hold: Int64 = .min) {
    guard let index = entries.firstIndex(where: { $0.id == due.id }) else { return }
    if due.isRecalled { entries[index].recalled = due.time } else { entries[index].next = due.time }
    entries[index].hold = hold
  }

  /// Makes a job due once more at `time`, if that is before its next cycle. The phase stays.
  mutating func recall(_ id: Int, at time: Int64) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    entries[index].recalled = time
  }

  /// Gives up the cycles of a job that passed since it was taken, and returns them. The one that
  /// `now` lies in stays due.
  mutating func skipPassed(of due: Due, at now: Int64) -> MissedCycles {
    guard let index = entries.firstIndex(where: { $0.id == due.id }) else {
      return MissedCycles(first: due.time, every: 1, count: 0)
    }
    let entry = entries[index]
    let count = max(0, (now - entry.next) / entry.every)
    entries[index].next += count * entry.every
    return MissedCycles(first: entry.next, every: entry.every, count: Int(count))
  }

  /// When the next job is due; `nil` without jobs.
  var nextTime: Int64? { nextTime { _ in .free } }

  /// When the next job can be taken, as far as `readiness` says now; `nil` without jobs.
  func nextTime(_ readiness: (Job) -> Readiness) -> Int64? {
    var earliest: Int64?
    for entry in entries {
      var time = entry.due
      if case .from(let start, _) = readiness(entry.job) { time = max(time, start, entry.hold) }
      earliest = min(earliest ?? time, time)
    }
    return earliest
  }

  /// Takes the job that goes first of those that can be done at `now`: what takes no time; urgent
  /// ones; of equals the one that has waited longest, then the one added first. Others than urgent
  /// ones stand back no longer than `longestStandBack`. One that can't be done yet waits, and
  /// misses cycles if it has to.
  mutating func take(at now: Int64, _ readiness: (Job) -> Readiness) -> Due? {
    var urgent: (index: Int, rank: Int64)?
    var ordinary: (index: Int, rank: Int64)?
    for (index, entry) in entries.enumerated() where entry.due <= now {
      guard case .from(let start, let isSuspect) = readiness(entry.job) else {
        return take(index, at: now)
      }
      guard max(start, entry.hold) <= now else { continue }
      let rank = entry.due + (isSuspect ? entry.every : 0)
      if entry.isUrgent, rank <= now {
        if rank < urgent?.rank ?? .max { urgent = (index, rank) }
      } else if rank < ordinary?.rank ?? .max {
        ordinary = (index, rank)
      }
    }
    guard let ordinary else { return urgent.flatMap { take($0.index, at: now) } }
    let waitsSince = max(entries[ordinary.index].due, ordinaryTaken)
    if let urgent, now - waitsSince < Self.longestStandBack { return take(urgent.index, at: now) }
    ordinaryTaken = now
    return take(ordinary.index, at: now)
  }

  private mutating func take(_ index: Int, at now: Int64) -> Due {
    let entry = entries[index]
    entries[index].recalled = .max
    entries[index].hold = .min
    guard entry.next <= now else {
      let none = MissedCycles(first: entry.recalled, every: entry.every, count: 0)
      return Due(
        id: entry.id, job: entry.job, time: entry.recalled, missed: none, isRecalled: true)
    }
    let missed = (now - entry.next) / entry.every
    entries[index].next = entry.next + (missed + 1) * entry.every
    return Due(
      id: entry.id, job: entry.job, time: entry.next + missed * entry.every,
      missed: MissedCycles(first: entry.next, every: entry.every, count: Int(missed)))
  }
}

/// Cycles of a job that passed while its bus was busy.
struct MissedCycles: Sendable, Hashable {
  /// When the oldest was due, in monotonic milliseconds.
  var first: Int64
  /// Milliseconds between them.
  var every: Int64
  /// How many; may be 0.
  var count: Int

  /// When each was due, oldest first.
  var times: [Int64] { (0..<count).map { first + Int64($0) * every } }
  /// When the newest was due, if there is one.
  var last: Int64? { count > 0 ? first + Int64(count - 1) * every : nil }

  /// Parts the newest `limit` cycles from those before them.
  func split(newest limit: Int) -> (older: MissedCycles, newest: MissedCycles) {
    let olderCount = max(0, count - limit)
    let older = MissedCycles(first: first, every: every, count: olderCount)
    let newest = MissedCycles(
      first: first + Int64(olderCount) * every, every: every, count: count - olderCount)
    return (older, newest)
  }
}
