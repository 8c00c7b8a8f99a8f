public import Buffering
public import LinuxSystem
public import Telemetry

/// Who wants to know how a destination fares.
public protocol UplinkObserver: Sendable {
  /// Called on the uplink's thread when what is wrong changes: one of `UplinkFault`'s words, or `nil`
  /// when the destination gets its batches. Until the first call it is not connected yet. Must not
  /// block.
  func destination(_ name: DestinationName, changedTo fault: String?)
}

/// Delivers the log to one destination, on a thread of its own. Destinations are independent: a slow
/// one never holds up another.
///
/// Start it once; it works until `stop` and holds itself while it does.
public final class Uplink: Sendable {
  /// What other threads ask of the uplink's.
  struct Requests {
    // Made by `start`; signalled by requests and by the log after every append.
    var waker: EventFD?
    var stopWithin: Int64?
    var isHealthChanged = false
    var hasEnded = false
  }

  let settings: UplinkSettings
  let log: any BatchLog
  let health: any HealthSource
  let clock: any TimeSource
  let boot: BootID
  let observer: any UplinkObserver
  let requests = Monitor(Requests())

  /// Makes an uplink that has not begun. `boot` is the boot whose monotonic clock `clock` reads.
  public init(
    settings: UplinkSettings, log: any BatchLog, health: any HealthSource, clock: any TimeSource,
    boot: BootID, observer: any UplinkObserver
  ) {
    self.settings = settings
    self.log = log
    self.health = health
    self.clock = clock
    self.boot = boot
    self.observer = observer
  }

  /// Starts the thread; fails when the process may have no more threads or descriptors.
  public func start() throws(SystemError) {
    try start(generator: SystemRandomNumberGenerator())
  }

  /// With the generator that the back-off draws from.
  func start(generator: some RandomNumberGenerator & Sendable) throws(SystemError) {
    let waker = try EventFD()
    requests.withLock { $0.waker = waker }
    log.wake(waker)
    try Thread.start(named: "uplink-\(settings.name)") { [self] in
      let worker = UplinkWorker(self, waker: waker, generator: generator)
      worker.run()
      requests.update { $0.hasEnded = true }
    }
  }

  /// Has `health` published anew, at most once a second. From any thread; returns at once.
  public func healthChanged() {
    request { $0.isHealthChanged = true }
  }

  /// Asks it to end in order: deliver what the live lanes hold, publish the `offline` state, send
  /// DISCONNECT, all within the time given. Returns at once; the result can be waited for.
  @discardableResult
  public func beginStop(withinMilliseconds milliseconds: Int) -> UplinkStop {
    request { requests in
      requests.stopWithin = requests.stopWithin ?? Int64(milliseconds)
      // One that was never started has nothing to end.
      if requests.waker == nil { requests.hasEnded = true }
    }
    return UplinkStop(uplink: self, milliseconds: milliseconds)
  }

  /// Whether the thread has done its last work.
  public var hasEnded: Bool { requests.withLock { $0.hasEnded } }

  private func request(_ change: (inout Requests) -> Void) {
    let waker = requests.withLock { requests in
      change(&requests)
      return requests.waker
    }
    waker?.signal()
  }
}

/// A stop that was begun.
public struct UplinkStop: Sendable {
  /// Beyond the time for stopping: for the thread to be scheduled and its socket to be closed.
  private static let graceMilliseconds = 300

  let uplink: Uplink
  let milliseconds: Int

  /// Blocks the calling thread until the uplink has ended, little longer than it was given; returns
  /// whether it has. It has not while the look-up of a host name hangs.
  public func wait() -> Bool {
    let seconds = Double(milliseconds + Self.graceMilliseconds) / 1000
    return uplink.requests.wait(atMost: seconds) { $0.hasEnded ? true : nil } ?? false
  }
}
