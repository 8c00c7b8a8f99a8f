public import Buffering
public import LinuxSystem
public import Telemetry

/// Who wants to know how a destination fares.
public protocol UplinkObserver: Sendable {
  /// Called on the uplink's thread when what is wrong changes: one of `UplinkFault`'s words, or
  /// `nil` when the destination gets its batches. Until the first call it is not connected yet.
  /// Must not block.
  func destination(_ name: DestinationName, changedTo fault: String?)
}

/// Delivers the log to one destination, on a thread of its own. Destinations are independent: a
/// slow one never holds up another.
///
/// Start it once; it works until `stop` and holds itself while it does.
public final class Uplink: Sendable {
  /// What other threads ask of the uplink's.
  struct Requests {
    var stopWithin: Int64?
    var isHealthChanged = false
    var hasEnded = false
    /// Not asked, but told: a broker has taken the connection and it stands.
    var isConnected = false
  }

  /// Whether its loop turns.
  public let heartbeat: Heartbeat
  let settings: UplinkSettings
  let log: any BatchLog
  let health: any HealthSource
  let clock: any TimeSource
  let boot: BootID
  let observer: any UplinkObserver
  let requests = Monitor(Requests())
  // Signalled by requests and by the log after every append.
  let waker: EventFD

  /// Makes an uplink that has not begun; fails when the process is out of descriptors. `boot` is
  /// the boot whose monotonic clock `clock` reads.
  public init(
    settings: UplinkSettings, log: any BatchLog, health: any HealthSource, clock: any TimeSource,
    boot: BootID, observer: any UplinkObserver
  ) throws(SystemError) {
    self.settings = settings
    heartbeat = Heartbeat(name: "destination \(settings.name)")
    self.log = log
    self.health = health
    self.clock = clock
    self.boot = boot
    self.observer = observer
    waker = try EventFD()
  }

  /// The destination's name.
  public var name: DestinationName { settings.name }

  /// Whether it is connected to a broker now. A destination can be connected and have a fault
  /// nevertheless.
  public var isConnected: Bool { requests.withLock { $0.isConnected } }

  /// Starts the thread; fails when the process may have no more of them.
  public func start() throws(SystemError) {
    try start(generator: SystemRandomNumberGenerator())
  }

  /// With the generator that the back-off draws from.
  func start(generator: some RandomNumberGenerator & Sendable) throws(SystemError) {
    log.wake(waker)
    try Thread.start(named: "uplink-\(settings.name)") { [self] in
      let worker = UplinkWorker(self, generator: generator)
      worker.run()
      heartbeat.rest()
      requests.update { $0.hasEnded = true }
    }
  }

  /// Has `health` published anew, at most once a second. From any thread; returns at once.
  public func healthChanged() {
    requests.withLock { $0.isHealthChanged = true }
    waker.signal()
  }

  /// Asks it to end in order: deliver what the live lanes hold, publish the `offline` state, send
  /// DISCONNECT, all within the time given. Returns at once; `waitForEnd` tells.
  public func stop(withinMilliseconds milliseconds: Int) {
    requests.withLock { $0.stopWithin = $0.stopWithin ?? Int64(milliseconds) }
    waker.signal()
  }

  /// Whether the thread has done its last work.
  public var hasEnded: Bool { requests.withLock { $0.hasEnded } }

  /// Blocks the calling thread until the uplink has ended, at most `milliseconds`; returns whether
  /// it has. It has not while the look-up of a host name hangs, nor if it was never started.
  public func waitForEnd(atMostMilliseconds milliseconds: Int) -> Bool {
    requests.wait(atMost: Double(milliseconds) / 1000) { $0.hasEnded ? true : nil } ?? false
  }
}
