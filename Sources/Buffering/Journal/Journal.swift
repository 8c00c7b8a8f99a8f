public import LinuxSystem
internal import Synchronization
public import Telemetry

/// The journal as destinations see it: two streams of batches, each read at its own pace. What
/// writes it is `JournalWriter`.
public final class Journal: BatchLog {
  /// Holes that readers found and the writer has not explained yet. More than this at once and one
  /// event stands for the rest, found again at the next start.
  private static let mostNotedHoles = 1024

  private struct Waker {
    weak var descriptor: EventFD?
  }

  private struct Notes {
    var holes: [(stream: StreamName, run: Segment.Run)] = []
    /// What was noted in this process: two destinations find the same hole.
    var seen: Set<Segment.Run> = []
    var readFailure: SystemError?
  }

  /// The id of the store that takes new batches.
  public let store: UInt64
  /// The epoch that new batches belong to.
  public let epoch: UInt32
  /// False when the store is in memory because the disk could not be used.
  public let isDurable: Bool

  let current: AckSet.EpochID
  /// What the writer says of destinations that are not configured any more.
  let removals = Monitor<[RemovedDestination]>([])
  /// What is known of the clocks of this boot and of earlier ones.
  let clocks = Monitor(ClockHistory())
  let boot: BootID
  private let events: SharedIndex
  private let data: SharedIndex
  private let definitionFiles: DefinitionFiles
  /// Those that new batches refer to, or may still: a reload's old ones are on their way for a
  /// while.
  private let currentDefinitions: Monitor<Set<UInt32>>
  private let wakers = Monitor<[Waker]>([])
  private let notes = Monitor(Notes())
  private let hasNewAcknowledgements = Atomic(false)

  init(
    current: AckSet.EpochID, boot: BootID, isDurable: Bool, events: SharedIndex, data: SharedIndex,
    definitionFiles: DefinitionFiles, currentDefinitions: UInt32
  ) {
    self.current = current
    self.boot = boot
    store = current.store
    epoch = current.epoch
    self.isDurable = isDurable
    self.events = events
    self.data = data
    self.definitionFiles = definitionFiles
    self.currentDefinitions = Monitor([currentDefinitions])
  }

  func index(of stream: StreamName) -> SharedIndex {
    switch stream {
    case .events: events
    case .data: data
    }
  }

  // MARK: BatchLog

  /// Where live delivery begins.
  public func end(of stream: StreamName) -> LogPosition {
    index(of: stream).withLock { $0.end }
  }

  /// A reader that looks things up in this journal.
  public func reader(
    of stream: StreamName, for destination: DestinationName, from position: LogPosition
  ) -> any BatchReader {
    JournalReader(
      journal: self, shared: index(of: stream), stream: stream, destination: destination,
      from: position)
  }

  /// Marks a batch as delivered.
  public func acknowledge(_ identity: BatchIdentity, by destination: DestinationName) {
    let epoch = AckSet.EpochID(store: identity.store, epoch: identity.epoch)
    index(of: identity.stream).withLock { index in
      index.acknowledged[destination]?.insert(epoch, identity.seq...identity.seq)
    }
    hasNewAcknowledgements.store(true, ordering: .releasing)
  }

  /// Counts; the oldest unsent batch is read for its time.
  public func summary(of stream: StreamName, for destination: DestinationName) -> StreamSummary {
    var summary = counts(of: stream, for: destination)
    if summary.unsent > 0 {
      let oldest = reader(of: stream, for: destination, from: .start).next(before: nil)
      summary.oldestUnsent = oldest.map { dated($0.batch).newestTime }
    }
    return summary
  }

  /// The counts alone, without reading a batch: `oldestUnsent` stays `nil`. For whoever must not
  /// wait for the disk.
  public func counts(of stream: StreamName, for destination: DestinationName) -> StreamSummary {
    index(of: stream).withLock { $0.summary(for: destination) }
  }

  /// How much of a stream's cap is in use, without asking the disk: its files up to the newest
  /// batch in each, whether or not it was acknowledged.
  public func usedBytes(of stream: StreamName) -> Int {
    index(of: stream).withLock { index in index.segments.reduce(0) { $0 + $1.end } }
  }

  /// The newest batch of a stream; `nil` if it holds none.
  public func newest(of stream: StreamName) -> BatchIdentity? {
    index(of: stream).withLock { $0.newest }
  }

  /// The payloads that batches still refer to.
  public func definitions() -> [UInt32: [UInt8]] {
    definitionFiles.payloads(of: digestsInUse())
  }

  /// Wakes `descriptor` after every append, for as long as somebody else holds it: a reload makes
  /// new destinations in place of old ones.
  public func wake(_ descriptor: EventFD) {
    wakers.withLock { wakers in
      wakers.removeAll { $0.descriptor == nil }
      wakers.append(Waker(descriptor: descriptor))
    }
  }

  // MARK: The writer's side

  func digestsInUse() -> Set<UInt32> {
    var digests = data.withLock { $0.definitions }
    digests.formUnion(currentDefinitions.withLock { $0 })
    return digests
  }

  /// New batches will refer to these definitions.
  func use(definitions digest: UInt32) {
    currentDefinitions.update { $0.insert(digest) }
  }

  func wakeReaders() {
    wakers.withLock { wakers in
      for waker in wakers { waker.descriptor?.signal() }
    }
  }

  /// Whether cursors changed since the last call.
  func takeNewAcknowledgements() -> Bool {
    hasNewAcknowledgements.exchange(false, ordering: .acquiringAndReleasing)
  }

  func noteDamage(_ run: Segment.Run, in stream: StreamName) {
    notes.withLock { notes in
      guard notes.seen.count < Self.mostNotedHoles, notes.seen.insert(run).inserted else { return }
      notes.holes.append((stream, run))
    }
  }

  /// A hole that has its gap event already; readers will come upon it too.
  func noteExplained(_ run: Segment.Run) {
    notes.withLock { _ = $0.seen.insert(run) }
  }

  func noteReadFailure(_ error: SystemError) {
    notes.withLock { $0.readFailure = error }
  }

  func takeHoles() -> [(stream: StreamName, run: Segment.Run)] {
    notes.withLock { notes in
      defer { notes.holes = [] }
      return notes.holes
    }
  }

  func takeReadFailure() -> SystemError? {
    notes.withLock { notes in
      defer { notes.readFailure = nil }
      return notes.readFailure
    }
  }
}
