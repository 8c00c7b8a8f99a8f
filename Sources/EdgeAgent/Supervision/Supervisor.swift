internal import Glibc
internal import LinuxSystem

/// What is supervised: the agent, or what a test has in its place.
protocol Supervised {
  /// The loops without which nothing is kept or delivered. Their names are for the log.
  var vitalLoops: [Heartbeat] { get }
  /// The buses' loops; the names are the buses'.
  var busLoops: [Heartbeat] { get }
  /// That which reads the GPIO lines, if there are any.
  var lineLoops: [Heartbeat] { get }
  /// How it is doing, in a line.
  var statusLine: String { get }
  /// A vital loop got stuck, or turns again.
  func vitalLoop(_ name: String, isStuck: Bool)
  /// A bus's loop got stuck, or turns again.
  func bus(_ name: String, isStuck: Bool)
  /// The lines' loop got stuck, or turns again.
  func lines(areStuck: Bool)
}

/// What the main thread does while the agent runs: takes signals, looks whether all loops turn, and
/// keeps the service manager informed.
final class Supervisor {
  /// How often it looks, and so how late it may notice.
  private static let lookMilliseconds: Int64 = 1_000
  /// While loops begin somebody waits for it.
  private static let startLookMilliseconds: Int64 = 20
  /// A part that can't begin, for want of threads, must not keep the rest from counting as started.
  private static let startMilliseconds: Int64 = 5_000

  /// How often the log is looked after; a fraction of its window.
  private static let logMilliseconds: Int64 = 10_000

  private let agent: any Supervised
  private let service: ServiceManager
  private var vital = LoopWatch()
  private var buses = LoopWatch()
  private var lines = LoopWatch()
  private var isReady = false
  private var readyBy: Int64
  private var nextFeed: Int64
  private var nextLog: Int64
  private var status = ""

  init(_ agent: any Supervised, service: ServiceManager, now: Int64 = Heartbeat.now()) {
    self.agent = agent
    self.service = service
    readyBy = now + Self.startMilliseconds
    nextFeed = now
    nextLog = now + Self.logMilliseconds
  }

  /// Until a signal asks for the end, which is returned. `reload` is called for each SIGHUP.
  func run(reload: () -> Void) -> Int32 {
    while true {
      look(at: Heartbeat.now())
      switch Signals.next(withinMilliseconds: millisecondsToNextLook()) {
      case SIGHUP?:
        service.reloading()
        // It may take seconds, and the watchdog was fed a while ago.
        nextFeed = Heartbeat.now()
        look(at: nextFeed)
        reload()
        isReady = false
        readyBy = Heartbeat.now() + Self.startMilliseconds
      case let signal?:
        service.stopping()
        return signal
      case nil: break
      }
    }
  }

  private func millisecondsToNextLook() -> Int64 {
    let pause = isReady ? Self.lookMilliseconds : Self.startLookMilliseconds
    guard service.watchdogMilliseconds != nil else { return pause }
    return max(0, min(pause, nextFeed - Heartbeat.now()))
  }

  /// Looks whether all loops turn and tells what has to be told; `now` as of `Heartbeat.now`.
  func look(at now: Int64) {
    for change in vital.look(at: agent.vitalLoops, now: now) { tell(ofVital: change) }
    for change in buses.look(at: agent.busLoops, now: now) {
      agent.bus(change.name, isStuck: change.lateness != nil)
    }
    for change in lines.look(at: agent.lineLoops, now: now) {
      agent.lines(areStuck: change.lateness != nil)
    }
    tellStatus(at: now)
    if now >= nextLog {
      nextLog = now + Self.logMilliseconds
      Log.tellSuppressed()
    }
    guard let watchdog = service.watchdogMilliseconds, now >= nextFeed else { return }
    // Half of the time, so that one that is late or lost is no reason to restart.
    nextFeed = now + max(1, watchdog / 2)
    if vital.stuck.isEmpty { service.feedWatchdog() }
  }

  private func tell(ofVital change: LoopWatch.Change) {
    agent.vitalLoop(change.name, isStuck: change.lateness != nil)
    guard change.lateness != nil else {
      Log.write(.notice, "\(change.name): turns again", of: .part(change.name))
      return
    }
    let consequence =
      service.watchdogMilliseconds == nil
      ? "no watchdog is there to restart the agent" : "the watchdog gets no sign of life any more"
    Log.write(.error, "\(change.name): stuck; \(consequence)", of: .part(change.name))
  }

  private func tellStatus(at now: Int64) {
    let text = agent.statusLine
    if !isReady {
      let loops = agent.vitalLoops + agent.busLoops + agent.lineLoops
      guard loops.allSatisfy(\.hasBegun) || now >= readyBy else { return }
      isReady = true
      status = text
      service.ready(status: text)
    } else if text != status, service.status(text) {
      status = text
    }
  }
}
