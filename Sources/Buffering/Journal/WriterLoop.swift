internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// What the journal's thread does, round after round.
struct WriterLoop {
  /// A turn waits for something to write, at most until the cursors are due, and for the disk:
  /// cards have been seen to stall for tens of seconds and go on. See docs/decisions/0006.
  static let diskStallMilliseconds: Int64 = 60_000
  /// A run's first cursors are saved so soon, the next after twice the time each, up to
  /// `cursorSeconds`: an agent that never lives that long would else send the same for ever.
  static let firstCursorSeconds = 1.0

  /// A fault that is no outage, such as of the cursors alone, is looked at again after this.
  private static let retrySeconds = 1.0

  private(set) var store: JournalStore
  private let access: StoreAccess
  let ring: SampleRing
  let clock: any TimeSource
  let observer: any StoreObserver
  let commitSeconds: Double
  let cursorSeconds: Double
  private var watch: ClockWatch
  private var commitDue: ContinuousClock.Instant?
  private var cursorsDue: ContinuousClock.Instant
  private var cursorWaitSeconds: Double
  /// While it lasts everything goes to memory.
  private var outage = StoreOutage()
  /// Why, in the system's words.
  private var outageFault: String?
  /// Samples that the store has not taken yet. Nothing more leaves the ring meanwhile, so the
  /// ring's bound holds for all.
  private var held: [DefinedSample] = []
  private var fault: String?
  /// Why the cursors could not be saved the last time; it holds until they can.
  private var cursorFault: String?

  /// `fault` is what kept the store from being opened on the disk.
  init(
    store: JournalStore, access: StoreAccess, fault: JournalError?, ring: SampleRing,
    clock: any TimeSource, observer: any StoreObserver, cursorSeconds: Double
  ) {
    self.store = store
    self.access = access
    self.ring = ring
    self.clock = clock
    self.observer = observer
    commitSeconds = Double(store.settings.commitMilliseconds) / 1000
    self.cursorSeconds = cursorSeconds
    watch = ClockWatch(boot: store.settings.boot)
    cursorWaitSeconds = min(Self.firstCursorSeconds, cursorSeconds)
    cursorsDue = .now + .seconds(cursorWaitSeconds)
    if let fault {
      outage.failed(at: .now)
      outageFault = "\(fault)"
      change(to: outageFault)
    }
  }

  /// Until the ring says stop and the epoch is sealed.
  mutating func run(
    reporting progress: Monitor<WriterProgress>, changes: Monitor<ChangeRequest>,
    heartbeat: Heartbeat
  ) {
    defer { heartbeat.rest() }
    let turn = Int64(cursorSeconds * 1000) + Self.diskStallMilliseconds
    while true {
      heartbeat.turn(nextWithin: turn)
      if !held.isEmpty { ring.waitForStop(atMost: Self.retrySeconds) }
      let content = takeTurn(atMost: secondsToNextDuty())
      apply(changes)
      if let retryAt = outage.retryAt, retryAt <= .now { comeBack() }
      if let reason = content.stopReason {
        let isComplete = flush(reason: reason)
        progress.update { $0 = max($0, .flushed) }
        // Destinations may take their time with what is left.
        heartbeat.rest()
        _ = progress.wait(atMost: nil) { $0 >= .sealing ? true : nil }
        if isComplete { seal() }
        progress.update { $0 = .ended }
        return
      }
    }
  }

  /// Writes what the ring holds, or gets within `seconds`.
  mutating func takeTurn(atMost seconds: Double) -> SampleRing.Content {
    let content = held.isEmpty ? ring.take(atMost: seconds) : ring.takeEvents()
    round(content)
    return content
  }

  private func secondsToNextDuty() -> Double {
    let next = min(commitDue ?? cursorsDue, cursorsDue, outage.retryAt ?? cursorsDue)
    return max(0, (next - .now) / .seconds(1))
  }

  private mutating func round(_ content: SampleRing.Content) {
    var events = content.events
    if let event = watch.observe(clock.now()) { events.append(event) }
    events += content.overruns.values.map { Self.overrun($0, at: clock.now()) }
    held += content.samples

    var areReadersAwake = false
    do throws(AppendError) {
      try store.append(events)
      try store.explainHoles()
      try appendHeld()
      // Before the sync: samples may be published without it, and flash takes its time.
      store.journal.wakeReaders()
      areReadersAwake = true
      if let due = commitDue, due <= .now {
        commitDue = nil
        try store.commit()
      }
      try saveCursorsWhenDue()
      try store.tendRemovedDestinations()
      if let error = store.journal.takeReadFailure() { throw .storage(error) }
      change(to: outageFault ?? cursorFault ?? access.notice ?? store.evictionFault)
    } catch {
      // What was due still is: without a pause the loop would spin while there is nothing to hold.
      let retry = ContinuousClock.now + .seconds(Self.retrySeconds)
      cursorsDue = max(cursorsDue, retry)
      commitDue = commitDue.map { max($0, retry) }
      if !outage.isOn { mend(error) }
      change(to: outageFault ?? "\(error)")
      areReadersAwake = false
    }
    if !areReadersAwake { store.journal.wakeReaders() }
  }

  /// After a fault: another segment may do. Where it does not, the store goes on in memory.
  private mutating func mend(_ error: AppendError) {
    do throws(AppendError) {
      if store.isRemoved || !access.isStanding { throw error }
      try store.mend()
      try store.append([])
      try appendHeld()
    } catch {
      if case .tooLarge = error { return }
      outageFault = "\(error)"
      outage.failed(at: .now)
      try? store.leaveDisk()
      try? store.append([])
      try? appendHeld()
    }
  }

  /// Tries to open the store on the disk again.
  private mutating func comeBack() {
    do throws(JournalError) {
      try? store.mend()
      store = try access.open(store.settings, clock: clock, continuing: store)
    } catch {
      outage.failed(at: .now)
      outageFault = "\(error)"
      change(to: outageFault)
      return
    }
    outage.ended(at: .now)
    outageFault = nil
    cursorFault = nil
    cursorsDue = .now
    store.journal.wakeReaders()
  }

  /// Batches may go on into files that are open while nothing new can be made beside them, on a
  /// full disk or in a directory that somebody deleted.
  private mutating func saveCursorsWhenDue() throws(AppendError) {
    guard cursorsDue <= .now else { return }
    if !outage.isOn, store.isRemoved || !access.isStanding {
      throw .storage(SystemError(call: "open", subject: store.settings.directory, code: ENOENT))
    }
    defer { cursorsDue = .now + .seconds(cursorWaitSeconds) }
    let isChanged = store.journal.takeNewAcknowledgements()
    guard isChanged || cursorFault != nil || store.hasUnsavedRecords else { return }
    cursorWaitSeconds = min(2 * cursorWaitSeconds, cursorSeconds)
    do throws(AppendError) {
      try store.saveCursors()
      if store.hasUnsavedRecords { try store.saveClocks() }
      cursorFault = nil
    } catch {
      cursorFault = "\(error)"
      // The directory is gone, or files in it: what is appended goes into the void.
      if case .storage(let system) = error, system.code == ENOENT { throw error }
    }
  }

  private mutating func apply(_ changes: Monitor<ChangeRequest>) {
    let (wanted, number) = changes.withLock { ($0.wanted.take(), $0.number) }
    guard let wanted else { return }
    func tell(_ isDone: Bool) {
      changes.update { if $0.number == number { $0.isDone = isDone } }
    }
    do throws(AppendError) {
      try store.apply(wanted)
      tell(true)
    } catch {
      change(to: "\(error)")
      tell(false)
    }
  }

  private mutating func appendHeld() throws(AppendError) {
    guard !held.isEmpty else { return }
    var appended = 0
    defer {
      held.removeFirst(appended)
      if commitDue == nil, store.hasUncommitted { commitDue = .now + .seconds(commitSeconds) }
    }
    do throws(AppendError) {
      try store.append(held, appended: &appended)
    } catch .tooLarge(let bytes, let limit) {
      // It would not fit the next time either; everything behind it would wait for ever.
      appended += 1
      throw .tooLarge(bytes: bytes, limit: limit)
    }
  }

  private mutating func change(to fault: String?) {
    guard fault != self.fault else { return }
    self.fault = fault
    observer.store(changedTo: fault)
    let isEvicting = fault != nil && fault == store.evictionFault
    let state = isEvicting ? "evicting" : fault == nil ? "ok" : "failed"
    let detail = StateDetail(state: state, reason: fault)
    ring.accept(
      Event(
        time: clock.now(), severity: fault == nil ? .info : .warning, source: "store",
        detail: .store(detail)))
  }

  private static func overrun(_ overrun: SampleRing.Overrun, at now: Timestamp) -> Event {
    let detail = GapDetail(
      stream: overrun.stream, span: .time(from: overrun.first, to: overrun.last),
      count: overrun.count, reason: .overrun)
    return Event(
      time: now, severity: .warning, source: "\(overrun.stream)", detail: .gap(detail))
  }

  /// Appends and syncs all that there is. What the store still does not take is named in a gap
  /// event, and the epoch is not marked as ended in order.
  private mutating func flush(reason: String) -> Bool {
    // While the store failed, samples stayed in the ring.
    if outage.isOn { comeBack() }
    let rest = ring.take(atMost: 0)
    round(SampleRing.Content(samples: rest.samples, events: rest.events, overruns: rest.overruns))
    do throws(AppendError) {
      if let first = held.first?.sample.time, let last = held.last?.sample.time {
        let detail = GapDetail(
          stream: .data, span: .time(from: first, to: last), count: held.count,
          reason: .storeFailed)
        try store.append([
          Event(time: clock.now(), severity: .warning, source: "data", detail: .gap(detail))
        ])
      }
      try store.close(reason: reason)
      return held.isEmpty && !outage.isOn
    } catch {
      observer.store(changedTo: "\(error)")
      return false
    }
  }

  private func seal() {
    do throws(AppendError) {
      try store.seal()
    } catch {
      observer.store(changedTo: "\(error)")
    }
  }
}
