public import LinuxSystem
public import Telemetry

/// Told when the store stops or resumes taking what it is given.
public protocol StoreObserver: Sendable {
  /// `fault` is `nil` while the store works, else what is wrong in the system's words.
  func store(changedTo fault: String?)
}

/// Writes the journal: takes what the field side put into the ring, appends it, tells the
/// destinations, and syncs. On a thread of its own, because every one of its calls may wait for the
/// disk.
public final class JournalWriter: Sendable {
  /// Acknowledgements that a restart may forget, and then deliver again: at most those of this many
  /// seconds.
  private static let cursorSeconds = 10.0
  /// How late whoever waits for a change may notice that it is given up.
  private static let giveUpSeconds = 0.05

  /// What destinations read.
  public let journal: Journal
  /// Where the field side's samples and events go in.
  public let ring: SampleRing

  /// Whether the loop turns; flash may take a minute for a turn.
  public let heartbeat = Heartbeat(name: "journal")

  private let loop: Monitor<WriterLoop?>
  private let progress = Monitor(WriterProgress.running)
  private let change = Monitor(ChangeRequest())

  /// Opens the store in `settings.directory`, recovers it, and begins an epoch. Blocks while it
  /// reads. Where that can't be done, it begins in memory, tells the observer, and tries again;
  /// fails only if another agent holds the store.
  public static func open(
    _ settings: JournalSettings, ring: SampleRing, clock: any TimeSource,
    observer: any StoreObserver
  ) throws(JournalError) -> JournalWriter {
    try JournalWriter(
      settings, storage: DiskStorage(), isLocking: true, ring: ring, clock: clock,
      observer: observer)
  }

  /// A journal in memory for good, of at most `bytes`: for measuring what all but the disk costs.
  public static func inMemory(
    _ settings: JournalSettings, bytes: Int, ring: SampleRing, clock: any TimeSource,
    observer: any StoreObserver
  ) throws(JournalError) -> JournalWriter {
    var settings = settings
    settings.segmentBytes = bytes / 8
    settings.memoryBytes = bytes
    return try JournalWriter(
      settings, storage: MemoryStorage(), isLocking: false, ring: ring, clock: clock,
      observer: observer)
  }

  init(
    _ settings: JournalSettings, storage: any Storage, isLocking: Bool = false, ring: SampleRing,
    clock: any TimeSource, observer: any StoreObserver,
    cursorSeconds: Double = JournalWriter.cursorSeconds
  ) throws(JournalError) {
    let access = StoreAccess(
      storage: storage, directory: settings.directory, isLocking: isLocking)
    let store: JournalStore
    var fault: JournalError?
    do throws(JournalError) {
      store = try access.open(settings, clock: clock)
    } catch {
      // A broken disk must not silence the mine: deliver from memory, and say so.
      if case .lock(.held) = error { throw error }
      fault = error
      store = try JournalStore(settings, storage: MemoryStorage(), clock: clock, isInMemory: true)
    }
    journal = store.journal
    self.ring = ring
    loop = Monitor(
      WriterLoop(
        store: store, access: access, fault: fault, ring: ring, clock: clock,
        observer: observer, cursorSeconds: cursorSeconds))
  }

  /// Begins to write.
  public func start() throws(SystemError) {
    // Moved out, so that the loop is the thread's alone.
    let box = Monitor(loop.withLock { $0.take() })
    let progress = progress
    let change = change
    let heartbeat = heartbeat
    try Thread.start(named: "journal") {
      var loop = box.withLock { $0.take() }
      loop?.run(reporting: progress, changes: change, heartbeat: heartbeat)
    }
  }

  /// Appends what the ring holds now, on the caller's thread; durable a commit later. In place of
  /// `start`, for measuring what the thread's turns cost; does nothing once it was started.
  public func turn() {
    loop.withLock { loop in _ = loop?.takeTurn(atMost: 0) }
  }

  /// Changes definitions and destinations of the running journal. Returns whether that was done
  /// durably within `seconds`; samples may refer to the new definitions from then on. Waits no
  /// longer once `isGivenUp` says so, which is asked several times a second.
  public func apply(
    _ wanted: JournalChange, within seconds: Double, unless isGivenUp: () -> Bool = { false }
  ) -> Bool {
    change.update { $0 = ChangeRequest(number: $0.number + 1, wanted: wanted) }
    ring.nudge()
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      let remaining = (deadline - .now) / .seconds(1)
      let pause = max(0, min(remaining, Self.giveUpSeconds))
      if let isDone = change.wait(atMost: pause, until: { $0.isDone }) { return isDone }
      if remaining <= 0 || isGivenUp() { return false }
    }
  }

  /// Asks for the end of writing: what is in the ring is appended and synced. Destinations can
  /// still read and acknowledge. Returns whether that was done within `seconds`; if not, it goes
  /// on.
  public func flush(within seconds: Double, reason: String) -> Bool {
    ring.stop(reason: reason)
    return progress.wait(atMost: seconds) { $0 >= .flushed ? true : nil } ?? false
  }

  /// After `flush`: saves the cursors and marks the epoch as ended in order. Returns whether that
  /// was done within `seconds`.
  public func seal(within seconds: Double) -> Bool {
    progress.update { $0 = max($0, .sealing) }
    return progress.wait(atMost: seconds) { $0 == .ended ? true : nil } ?? false
  }
}

/// A change that somebody waits for, and what became of it.
struct ChangeRequest {
  /// Tells the answer to this request from a late one to the request before it.
  var number = 0
  var wanted: JournalChange?
  var isDone: Bool?
}

/// How far the writer's end has come.
enum WriterProgress: Int, Comparable {
  case running
  case flushed
  case sealing
  case ended

  static func < (left: WriterProgress, right: WriterProgress) -> Bool {
    left.rawValue < right.rawValue
  }
}
