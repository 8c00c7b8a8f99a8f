internal import Telemetry

/// Which request of a bus is due when. A device's points of one period are due together; how they
/// are grouped into requests changes with what the device answers, without any of them losing or
/// repeating a cycle. All times are monotonic milliseconds.
struct PollAgenda: Sendable {
  /// A request with its place.
  struct Job: Sendable, Hashable {
    /// Index of its device.
    let device: Int
    /// Which of the points that are due together it belongs to.
    fileprivate let group: Int
    /// What is asked.
    let request: PlannedRequest
  }

  typealias Due = PollSchedule<Job>.Due

  /// Cycles of a request that were given up so that it can be planned anew with others.
  struct Abandoned {
    let job: Job
    let missed: MissedCycles
  }

  /// Microseconds by which the measured turn-around has to differ from the one planned with before
  /// a plan is made anew, what a register takes at 9600 Bd; and by half of the smaller one as well.
  private static let turnaroundTolerance: Int64 = 2_000
  /// Periods after which requests that never are due together are planned anew all the same, at the
  /// price of a cycle: on a bus that always overruns there is no better time.
  private static let patience: Int64 = 2

  /// Points that are due together: a device's of one period.
  private struct Group {
    let device: Int
    let every: Int64
    /// Since when a better plan is known; `nil` while none is.
    var staleSince: Int64?
  }

  /// What is known of a device.
  private struct Unit {
    var limits = LearnedLimits()
    var cutRetry = CutRetry()
    var declined = DeclinedPoints()
    var meter = TurnaroundMeter()
    var cost: RequestCost
  }

  let definition: ModbusBusDefinition
  var schedule = PollSchedule<Job>()
  private var groups: [Group] = []
  private var units: [Unit]
  private var busy: [Int: BusyRetry] = [:]
  /// Jobs that were last due while the bus had no connection; no more than there are.
  var lost: [Int: LostTurn] = [:]
  /// Whether any group is stale.
  private var isStale = false
  /// Whether a device may have declined points.
  private var hasDeclined = false
  /// Whether a device may have ranges that had to be divided.
  private var hasCuts = false

  /// Plans the bus's requests; first they are due at `start`, and where `spreads` says so, at most
  /// a period later.
  init(_ definition: ModbusBusDefinition, start: Int64, spreads: Bool) {
    self.definition = definition
    units = definition.devices.map { Unit(cost: RequestCost(definition, $0)) }
    var jobs: [Job] = []
    for (index, device) in definition.devices.enumerated() {
      for request in RequestPlanner.requests(for: device, cost: units[index].cost) {
        let every = request.everyMilliseconds
        if groups.last?.device != index || groups.last?.every != every {
          groups.append(Group(device: index, every: every))
        }
        jobs.append(Job(device: index, group: groups.count - 1, request: request))
      }
    }
    var loads = groups.map { PhaseSpread.Load(every: $0.every, microseconds: 0) }
    for job in jobs {
      loads[job.group].microseconds += units[job.device].cost.microseconds(of: job.request)
      loads[job.group].isSafety = loads[job.group].isSafety || job.request.isSafety
    }
    // One that is closed after each cycle is to be opened once for it.
    let isSpread = spreads && !definition.manners.closesAfterCycle
    let phases =
      isSpread ? PhaseSpread.phases(of: loads) : [Int64](repeating: 0, count: loads.count)
    for job in jobs { add(job, first: start + phases[job.group]) }
  }

  /// What asking for a job once takes.
  func load(of job: Job) -> PhaseSpread.Load {
    PhaseSpread.Load(
      every: job.request.everyMilliseconds,
      microseconds: units[job.device].cost.microseconds(of: job.request),
      isSafety: job.request.isSafety)
  }

  /// - Parameters:
  ///   - recalled: When it is due beside its cycles, once.
  ///   - turn: That of a job that was last due without a connection.
  private mutating func add(
    _ job: Job, first: Int64, recalled: Int64 = .max, lost turn: LostTurn? = nil
  ) {
    let id = schedule.add(
      job, every: job.request.everyMilliseconds, first: first, isUrgent: job.request.isSafety,
      recalled: recalled)
    if let turn { lost[id] = turn }
  }

  /// When the next job can be taken, as far as `readiness` says now; `nil` without jobs.
  func nextTime(at now: Int64, _ readiness: (Job) -> PollSchedule<Job>.Readiness) -> Int64? {
    guard hasDeclined else { return schedule.nextTime(readiness) }
    return schedule.nextTime { job in
      Self.exception(of: job, in: units, at: now) == nil ? readiness(job) : .free
    }
  }

  /// Takes the job that goes first. One whose points have an exception that stands needs no bus.
  mutating func take(
    at now: Int64, _ readiness: (Job) -> PollSchedule<Job>.Readiness
  ) -> Due? {
    guard hasDeclined else { return schedule.take(at: now, readiness) }
    // The schedule changes and the units don't: no copy is made.
    let units = units
    return schedule.take(at: now) { job in
      Self.exception(of: job, in: units, at: now) == nil ? readiness(job) : .free
    }
  }

  /// Makes a job due again for the same cycle.
  mutating func putBack(_ due: Due) { schedule.putBack(due) }

  /// Gives up the cycles that passed since a job was taken.
  mutating func skipPassed(of due: Due, at now: Int64) -> MissedCycles {
    schedule.skipPassed(of: due, at: now)
  }

  /// The exception that a job's points had without being asked at `time`; `nil` where they are.
  func standingException(of job: Job, at time: Int64) -> UInt8? {
    hasDeclined ? Self.exception(of: job, in: units, at: time) : nil
  }

  private static func exception(of job: Job, in units: [Unit], at time: Int64) -> UInt8? {
    units[job.device].declined.code(of: job.request.points, at: time)
  }
}

// MARK: - What answers teach

extension PollAgenda {
  /// Exceptions for addresses that a device lacks (2) and requests that are too long for it (3):
  /// they say that another request may do.
  private static let permanentExceptions: Set<UInt8> = [2, 3]

  /// A job that was asked at `asked` gave values at `now`.
  mutating func recordValues(of job: Job, askedAt asked: Int64, at now: Int64) {
    let wire = units[job.device].cost.wireMicroseconds(of: job.request)
    if units[job.device].meter.record(max(0, (now - asked) * 1000 - wire)) {
      replanIfTurnaroundChanged(of: job.device, at: now)
    }
    guard hasDeclined, units[job.device].declined.accept(job.request.points)
    else { return }
    units[job.device].limits.apart = units[job.device].declined.apart
    markStale(job.device, at: now)
  }

  private mutating func replanIfTurnaroundChanged(of device: Int, at now: Int64) {
    guard let measured = units[device].meter.median else { return }
    let planned = units[device].cost.turnaround
    let change = abs(measured - planned)
    guard change > Self.turnaroundTolerance, change > min(measured, planned) / 2 else { return }
    units[device].cost = RequestCost(
      definition, definition.devices[device], measured: measured)
    markStale(device, at: now)
  }

  /// A device declined a job for good (exceptions 2 and 3). One address that it lacks must not cost
  /// its neighbours: its requests are parted at their holes, then halved, still in this cycle.
  /// False if the job can't be divided; then its points have their exception, and are asked for it
  /// ever more rarely.
  mutating func decline(_ due: Due, code: UInt8, at now: Int64) -> Bool {
    guard Self.permanentExceptions.contains(code) else { return false }
    let (job, device) = (due.job, definition.devices[due.job.device])
    if let parts = RequestPlanner.partsBetweenHoles(of: job.request, in: device) {
      units[job.device].limits.joinsHoles = false
      for entry in schedule.entries(where: { $0.device == job.device }) where entry.id != due.id {
        let parts = RequestPlanner.partsBetweenHoles(of: entry.job.request, in: device)
        if let parts { divide(entry, into: parts) }
      }
      divide(due, into: parts)
      return true
    }
    if let halves = RequestPlanner.halves(of: job.request, in: device) {
      if units[job.device].limits.cuts.isEmpty { units[job.device].cutRetry.begin(at: now) }
      units[job.device].limits.cuts.append(
        LearnedLimits.Cut(
          table: job.request.table, address: Int(halves[1].address),
          declined: job.request.addresses))
      hasCuts = true
      divide(due, into: halves)
      return true
    }
    hasDeclined = true
    if units[job.device].declined.decline(job.request.points, code: code, at: now) {
      isolate(job, at: now)
    }
    return false
  }

  /// Puts the parts of a job that was taken in its place, still for the same turn.
  private mutating func divide(_ due: Due, into parts: [PlannedRequest]) {
    schedule.putBack(due)
    for entry in schedule.entries(where: { $0 == due.job }) where entry.id == due.id {
      divide(entry, into: parts)
    }
  }

  private mutating func divide(_ entry: PollSchedule<Job>.Entry, into parts: [PlannedRequest]) {
    remove(entry.id)
    for part in parts {
      add(
        Job(device: entry.job.device, group: entry.job.group, request: part), first: entry.next,
        recalled: entry.recalled)
    }
  }

  private mutating func remove(_ id: Int) {
    schedule.remove(id)
    busy[id] = nil
    lost[id] = nil
  }

  /// The one is found for which a range was halved: the others may be joined again around it.
  private mutating func isolate(_ job: Job, at now: Int64) {
    let (table, addresses) = (job.request.table, job.request.addresses)
    units[job.device].limits.cuts.removeAll {
      $0.table == table && $0.declined.overlaps(addresses)
    }
    units[job.device].limits.apart = units[job.device].declined.apart
    markStale(job.device, at: now)
  }

  /// A unit is there again, or another in its place.
  mutating func forget(unit: UInt8, at now: Int64) {
    for device in units.indices where definition.devices[device].unit == unit {
      forget(device, at: now)
    }
  }

  /// The device may be another one now, or have been set up anew: what it did not answer is asked
  /// again.
  private mutating func forget(_ device: Int, at now: Int64) {
    if !units[device].limits.isEmpty || !units[device].declined.isEmpty {
      units[device].limits = LearnedLimits()
      units[device].cutRetry = CutRetry()
      units[device].declined = DeclinedPoints()
      markStale(device, at: now)
    }
    guard let measured = units[device].meter.median, measured != units[device].cost.turnaround
    else { return }
    units[device].cost = RequestCost(
      definition, definition.devices[device], measured: measured)
    markStale(device, at: now)
  }

  /// The same of all devices.
  mutating func forgetAll(at now: Int64) {
    for device in units.indices { forget(device, at: now) }
  }
}

// MARK: - Devices that are busy

extension PollAgenda {
  /// The device said at `now` that it is busy: it is asked again soon, in the same cycle, and
  /// others meanwhile. False if the cycle leaves no time for that.
  mutating func retry(_ due: Due, code: UInt8, at now: Int64) -> Bool {
    guard BusyRetry.exceptions.contains(code) else { return false }
    var retry = busy[due.id] ?? BusyRetry(of: due.time)
    // A retry of an earlier cycle that passed meanwhile.
    if retry.cycle != due.time { retry = BusyRetry(of: due.time) }
    let again = retry.next(after: now, code: code)
    let takes = (units[due.job.device].cost.microseconds(of: due.job.request) + 999) / 1000
    let every = due.job.request.everyMilliseconds
    guard again + takes <= due.time + min(every, BusyRetry.longest) else { return false }
    busy[due.id] = retry
    schedule.putBack(due, until: again)
    return true
  }

  /// What a job answered when it was last asked for the cycle of `time`, if that was that it is
  /// busy.
  func busyException(of id: Int, at time: Int64) -> UInt8? {
    guard !busy.isEmpty, let retry = busy[id], retry.cycle == time else { return nil }
    return retry.code
  }

  /// A job has its outcome.
  mutating func recordOutcome(of id: Int) {
    if !busy.isEmpty { busy[id] = nil }
    if !lost.isEmpty { lost[id] = nil }
  }
}

// MARK: - Planning anew

extension PollAgenda {
  private mutating func markStale(_ device: Int, at now: Int64) {
    for index in groups.indices where groups[index].device == device {
      groups[index].staleSince = groups[index].staleSince ?? now
    }
    isStale = true
  }

  /// Plans anew what has a better plan by now: as soon as its requests are due next at the same
  /// time, or after some periods in any case. Returns the cycles that this cost. To be called while
  /// no job is under way.
  mutating func settle(at now: Int64) -> [Abandoned] {
    if hasCuts { retryCuts(at: now) }
    guard isStale else { return [] }
    var abandoned: [Abandoned] = []
    isStale = false
    for index in groups.indices {
      guard let since = groups[index].staleSince else { continue }
      let entries = schedule.entries { $0.group == index }
      let times = entries.map(\.next)
      guard let next = times.max(), let first = times.min() else { continue }
      let every = groups[index].every
      guard first == next || now - since > Self.patience * every else {
        isStale = true
        continue
      }
      groups[index].staleSince = nil
      let plan = plan(of: index)
      if first == next, plan == Set(entries.map(\.job.request)) { continue }
      let turn = entries.compactMap { lost[$0.id] }.max { $0.again < $1.again }
      for entry in entries {
        let count = Int((next - entry.next) / every)
        if count > 0 {
          let missed = MissedCycles(first: entry.next, every: every, count: count)
          abandoned.append(Abandoned(job: entry.job, missed: missed))
        }
        remove(entry.id)
      }
      let recalled = entries.map(\.recalled).min() ?? .max
      let device = groups[index].device
      for request in plan.sorted(by: { $0.points.lexicographicallyPrecedes($1.points) }) {
        add(
          Job(device: device, group: index, request: request), first: next, recalled: recalled,
          lost: turn)
      }
    }
    return abandoned
  }

  /// Has ranges asked whole again that were divided long ago.
  private mutating func retryCuts(at now: Int64) {
    hasCuts = false
    for device in units.indices where !units[device].limits.cuts.isEmpty {
      if units[device].cutRetry.isDue(at: now) {
        units[device].limits.cuts = []
        markStale(device, at: now)
      } else {
        hasCuts = true
      }
    }
  }

  private func plan(of group: Int) -> Set<PlannedRequest> {
    let (device, every) = (groups[group].device, groups[group].every)
    let requests = RequestPlanner.requests(
      for: definition.devices[device], cost: units[device].cost, limits: units[device].limits)
    return Set(requests.filter { $0.everyMilliseconds == every })
  }
}
