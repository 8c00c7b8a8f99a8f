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

  private struct Hole: Hashable {
    var stream: StreamName
    var run: Segment.Run
  }

  private struct Notes {
    var holes: [Hole] = []
    /// What was noted in this process: two destinations find the same hole.
    var seen: Set<Hole> = []
    var readFailure: SystemError?
  }

  private let held: Monitor<JournalContent>
  private let currentEdition: Atomic<UInt32>
  /// What the writer says of destinations that are not configured any more.
  let removals = Monitor<[RemovedDestination]>([])
  /// What is known of the clocks of this boot and of earlier ones.
  let clocks = Monitor(ClockHistory())
  let boot: BootID
  /// Whether the run before this one ended in order: everything that it read is kept. False as well
  /// where there was none.
  public let isAfterOrderlyStop: Bool
  /// Those that new batches refer to, or may still: a reload's old ones are on their way for a
  /// while.
  private let currentDefinitions: Monitor<Set<UInt32>>
  private let wakers = Monitor<[Waker]>([])
  private let notes = Monitor(Notes())
  private let hasNewAcknowledgements = Atomic(false)

  init(
    _ content: JournalContent, boot: BootID, currentDefinitions: UInt32,
    isAfterOrderlyStop: Bool = false
  ) {
    held = Monitor(content)
    currentEdition = Atomic(content.edition)
    self.boot = boot
    self.isAfterOrderlyStop = isAfterOrderlyStop
    self.currentDefinitions = Monitor([currentDefinitions])
  }

  /// What it holds at present.
  var content: JournalContent { held.withLock { $0 } }

  func index(of stream: StreamName) -> SharedIndex { content.index(of: stream) }

  /// The id of the store that takes new batches.
  public var store: UInt64 { content.current.store }
  /// The epoch that new batches belong to.
  public var epoch: UInt32 { content.current.epoch }
  /// False while new batches are kept in memory because the disk can't be written.
  public var isDurable: Bool { content.isDurable }

  // MARK: BatchLog

  /// Grows when the store was opened anew.
  public var edition: UInt32 { currentEdition.load(ordering: .acquiring) }

  /// Where live delivery begins.
  public func end(of stream: StreamName) -> LogPosition {
    let content = content
    let edition = content.edition
    return content.index(of: stream).withLock { $0.end(edition: edition) }
  }

  /// A reader that looks things up in this journal.
  public func reader(
    of stream: StreamName, for destination: DestinationName, from position: LogPosition
  ) -> any BatchReader {
    JournalReader(
      journal: self, content: content, stream: stream, destination: destination, from: position)
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
  /// batch in each, whether or not it was acknowledged; those in memory while new batches go there.
  public func usedBytes(of stream: StreamName) -> Int {
    let content = content
    let isInMemory = !content.isDurable
    return content.index(of: stream).withLock { index in
      index.segments.reduce(0) { $0 + ($1.isInMemory == isInMemory ? $1.end : 0) }
    }
  }

  /// The newest batch of a stream; `nil` if it holds none.
  public func newest(of stream: StreamName) -> BatchIdentity? {
    index(of: stream).withLock { $0.newest }
  }

  /// The payloads that batches still refer to.
  public func definitions() -> [UInt32: [UInt8]] {
    content.definitionFiles.payloads(of: digestsInUse())
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
    var digests = index(of: .data).withLock { $0.definitions }
    digests.formUnion(currentDefinitions.withLock { $0 })
    return digests
  }

  /// New batches will refer to these definitions.
  func use(definitions digest: UInt32) {
    currentDefinitions.update { $0.insert(digest) }
  }

  /// Goes over to a store that was opened anew. Acknowledgements that came meanwhile are taken
  /// over; one that comes in this very moment may be forgotten, which costs a repeat.
  func replace(with new: JournalContent) {
    let old = content
    held.withLock { $0 = new }
    // At once: what a reader of the old one finds in files that are used again is no damage.
    notes.withLock { notes in
      notes = Notes()
      currentEdition.store(new.edition, ordering: .releasing)
    }
    for stream in StreamName.allCases {
      let known = old.index(of: stream).withLock { $0.acknowledged }
      new.index(of: stream).withLock { $0.take(known) }
    }
    hasNewAcknowledgements.store(true, ordering: .releasing)
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

  /// A reader of an older edition may have looked into another store's files.
  func noteDamage(_ run: Segment.Run, in stream: StreamName, edition: UInt32) {
    notes.withLock { notes in
      guard edition == self.edition else { return }
      let hole = Hole(stream: stream, run: run)
      guard notes.seen.count < Self.mostNotedHoles, notes.seen.insert(hole).inserted else { return }
      notes.holes.append(hole)
    }
  }

  /// A hole that has its gap event already; readers will come upon it too.
  func noteExplained(_ run: Segment.Run, in stream: StreamName) {
    notes.withLock { _ = $0.seen.insert(Hole(stream: stream, run: run)) }
  }

  func noteReadFailure(_ error: SystemError) {
    notes.withLock { $0.readFailure = error }
  }

  func takeHoles() -> [(stream: StreamName, run: Segment.Run)] {
    notes.withLock { notes in
      defer { notes.holes = [] }
      return notes.holes.map { ($0.stream, $0.run) }
    }
  }

  func takeReadFailure() -> SystemError? {
    notes.withLock { notes in
      defer { notes.readFailure = nil }
      return notes.readFailure
    }
  }
}
