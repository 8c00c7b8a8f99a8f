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
  }

  private struct Entry {
    let id: Int
    let job: Job
    let every: Int64
    var next: Int64
  }

  private var entries: [Entry] = []
  private var lastID = 0

  /// Adds a job that is due at `first` and then every `every` milliseconds (at least 1).
  mutating func add(_ job: Job, every: Int64, first: Int64) {
    precondition(every > 0, "a period of \(every) ms")
    lastID += 1
    entries.append(Entry(id: lastID, job: job, every: every, next: first))
  }

  /// Takes the job out for good.
  mutating func remove(_ id: Int) { entries.removeAll { $0.id == id } }

  /// Takes out the jobs that `matches` picks, if they are due next at the same time, and returns
  /// that time; else they stay.
  mutating func removeTogether(where matches: (Job) -> Bool) -> Int64? {
    let times = entries.filter { matches($0.job) }.map(\.next)
    guard let next = times.first, times.allSatisfy({ $0 == next }) else { return nil }
    entries.removeAll { matches($0.job) }
    return next
  }

  /// Makes a job that was taken due again for the same cycle.
  mutating func putBack(_ due: Due) {
    guard let index = entries.firstIndex(where: { $0.id == due.id }) else { return }
    entries[index].next = due.time
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
  var nextTime: Int64? { nextTime { _ in .min } }

  /// When the next job can be taken, if none is before `earliest` allows it; `nil` without jobs.
  func nextTime(earliest: (Job) -> Int64) -> Int64? {
    entries.map { max($0.next, earliest($0.job)) }.min()
  }

  /// Takes the job that has waited longest of those due at `now`; among equals, the one added
  /// first. One that `isSuspect` stands back for up to a period, so that a unit that is probably
  /// dead takes its time-out after the others were asked; not longer, or it would never be asked.
  /// One that `earliest` holds back waits, and misses cycles if it has to.
  mutating func take(
    at now: Int64, isSuspect: (Job) -> Bool, earliest: (Job) -> Int64 = { _ in .min }
  ) -> Due? {
    var chosen: (index: Int, rank: Int64)?
    for (index, entry) in entries.enumerated()
    where entry.next <= now && earliest(entry.job) <= now {
      let rank = entry.next + (isSuspect(entry.job) ? entry.every : 0)
      if rank < chosen?.rank ?? .max { chosen = (index, rank) }
    }
    guard let (index, _) = chosen else { return nil }
    let entry = entries[index]
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
