internal import LinuxSystem

/// An errand at a bus that runs: the bus does it between its own requests. Safe to ask from any
/// thread.
public final class VisitTicket: Sendable {
  /// Whoever does not look for so long has gone away; asked twice a second at least.
  public static let patience: Duration = .seconds(10)

  private struct State {
    var runner: VisitRunner
    var isDone = false
    var lastLook = ContinuousClock.now
  }

  private let state: Monitor<State>

  init(_ errand: BusErrand) { state = Monitor(State(runner: VisitRunner(errand))) }

  /// The errand as far as it is done. Keeps it going: one that nobody looks at ends.
  public func look() -> (errand: BusErrand, isDone: Bool) {
    state.withLock { state in
      state.lastLook = .now
      return (state.runner.errand, state.isDone)
    }
  }

  /// Ends it; what was not asked yet will not be.
  public func cancel() { abandon("given up") }

  /// The bus can do no more for it.
  func abandon(_ reason: String) {
    state.update { state in
      guard !state.isDone else { return }
      state.runner.abandon(reason)
      state.isDone = true
    }
  }

  // MARK: The bus's side

  func next(isOpen: Bool) -> VisitRunner.Step {
    state.withLock { state in
      if !state.isDone, state.lastLook.duration(to: .now) > Self.patience {
        state.runner.abandon("nobody waits for it any more")
        state.isDone = true
      }
      guard !state.isDone else { return .done }
      let step = state.runner.next(isOpen: isOpen)
      if case .done = step { state.isDone = true }
      return step
    }
  }

  var isTraced: Bool { state.withLock { $0.runner.errand.isTraced } }

  func connectFailed(_ error: ConnectError) {
    state.update { $0.runner.connectFailed(error) }
  }

  func finish(_ outcome: VisitOutcome) {
    state.update { state in
      guard !state.isDone else { return }
      state.runner.finish(outcome)
    }
  }
}

/// What a bus's loop is told from other threads.
struct BusInbox {
  /// Errands at the same time; each may take minutes.
  static let mostTickets = 4

  var isCancelled = false
  /// The loop has ended.
  var isOver = false
  /// In the order they came; the first is at work.
  private(set) var tickets: [VisitTicket] = []
  /// Something came since the loop looked.
  private var hasNews = false

  /// Takes an errand; false when there are too many, or nobody to do it.
  mutating func add(_ ticket: VisitTicket) -> Bool {
    guard !isOver, !isCancelled, tickets.count < Self.mostTickets else { return false }
    tickets.append(ticket)
    hasNews = true
    return true
  }

  mutating func remove(_ ticket: VisitTicket) { tickets.removeAll { $0 === ticket } }

  /// What the loop has to know at each turn.
  mutating func look() -> (isCancelled: Bool, ticket: VisitTicket?) {
    hasNews = false
    return (isCancelled, tickets.first)
  }

  /// Whether the loop is to wake up.
  var wakes: Bool { isCancelled || hasNews }

  /// The loop has ended: those that were waited for in vain.
  mutating func end() -> [VisitTicket] {
    isOver = true
    defer { tickets = [] }
    return tickets
  }
}

/// How much of a bus's time errands may take. Pure; times are monotonic milliseconds.
struct VisitShare: Sendable, Hashable {
  /// After a question that took some time the bus has this many times as long for its own: a
  /// quarter of the line is an errand's, and no more than one time-out at once.
  static let ownTimes: Int64 = 3
  /// Milliseconds that a question waits at most while the schedule's own, in vain each time, keep
  /// the late window shut before it; then it goes first when the window opens. A unit whose every
  /// answer is a bad one is asked at each opening, and an errand at it would never end.
  static let longestWait: Int64 = 5_000

  private var earliest = Int64.min
  /// Since when a late window has held the next question; the end of time if none has.
  private var heldSince = Int64.max

  /// When a question may be asked that is allowed from `opening` on and takes `longest` at most,
  /// while the bus has nothing to do until `idleEnd` (`nil`: it is busy).
  func earliest(opening: Int64, longest: Int64, idleEnd: Int64?, at now: Int64) -> Int64 {
    let hurtsNobody = idleEnd.map { max(now, opening) + longest <= $0 } ?? false
    return hurtsNobody ? opening : max(opening, earliest)
  }

  /// A question began and ended.
  mutating func record(from start: Int64, until end: Int64) {
    heldSince = .max
    earliest = end + Self.ownTimes * max(1, end - start)
  }

  /// A question has to wait, for a window that opens at `opening`.
  mutating func recordHeld(until opening: Int64, at now: Int64) {
    if opening > now { heldSince = min(heldSince, now) }
  }

  /// The question that waited is given up.
  mutating func forgetHeld() { heldSince = .max }

  /// Whether a question is to be asked before the schedule's, as soon as it may be at all.
  func goesFirst(at now: Int64) -> Bool {
    heldSince != .max && now - heldSince >= Self.longestWait
  }
}
