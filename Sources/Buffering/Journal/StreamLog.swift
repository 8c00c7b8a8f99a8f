internal import LinuxSystem
internal import Telemetry

/// Why a batch could not be appended.
enum AppendError: Error, CustomStringConvertible {
  /// The disk said no.
  case storage(SystemError)
  /// A batch that no segment can hold.
  case tooLarge(bytes: Int, limit: Int)
  /// Every segment is needed and none may be evicted.
  case noRoom

  var description: String {
    switch self {
    case .storage(let error): error.description
    case .tooLarge(let bytes, let limit):
      "a batch of \(bytes) bytes; a segment holds \(limit) at most"
    case .noRoom: "no segment can be used again"
    }
  }
}

/// What has to be done before a segment's room is used again.
protocol EvictionDelegate: AnyObject {
  /// Makes the cursors durable: else a restart would look for what is gone.
  func saveCursors() throws(AppendError)
  /// Tells those who still needed them, durably, that segments of a stream go.
  func explainEviction(of segments: [Segment]) throws(AppendError)
  /// A stream goes on with a segment whose room somebody still needed, or nobody.
  func segmentBegins(in stream: StreamName, evicting isEvicting: Bool)
}

/// Writes one stream: frames into the active segment, segment after segment. The writer thread's
/// alone; what readers need of it stands in the shared index.
final class StreamLog {
  /// How large the stream may become, and its segments.
  struct Limits {
    var segmentBytes: Int
    /// All segment files together.
    var totalBytes: Int
    /// Room at each segment's end that only an event which explains an eviction may use: in a full
    /// events stream it has to be durable before the next segment can begin.
    var reserveBytes: Int
    /// What has to stay free of the file system for a segment file to be made.
    var keepFreeBytes = 0
  }

  let shared: SharedIndex
  weak var delegate: (any EvictionDelegate)?
  private(set) var nextSeq: UInt64 = 1

  let stream: StreamName
  let epoch: AckSet.EpochID
  let directory: String
  /// Where new segments are made.
  var room: SegmentRoom
  private var active: Segment?
  /// The active segment's file; opened when it is first written to.
  private var activeFile: (any StorageFile)?
  /// Behind the last synced frame of the active segment.
  private var syncedEnd = SegmentHeader.bytes
  /// What was appended and is not synced yet, in order: at most what one segment holds, because
  /// another one is begun with a sync.
  private var unsynced: [UnsyncedBatch] = []
  /// The segment of what is not synced was given up after a fault.
  private var isGivenUp = false
  /// The active segment's.
  private var encoder = BatchEncoder(seed: 0)
  var nextGeneration: UInt64
  private var scratch = ByteWriter(capacity: 64 * 1024)

  init(
    _ recovered: RecoveredStream, epoch: AckSet.EpochID, storage: any Storage, directory: String,
    limits: Limits
  ) {
    stream = recovered.index.stream
    self.epoch = epoch
    self.directory = directory
    room = SegmentRoom(
      storage: storage, limits: limits, blanks: recovered.blanks, fileCount: recovered.fileCount,
      nextFileNumber: recovered.nextFileNumber)
    shared = SharedIndex(recovered.index, storage: storage, directory: directory)
    nextGeneration = (recovered.index.segments.last?.generation ?? 0) + 1
    // A segment's header names one store.
    if let devices = recovered.continuableDevices, let last = recovered.index.segments.last,
      last.header.store == epoch.store
    {
      active = last
      syncedEnd = last.end
      encoder = BatchEncoder(seed: last.header.frameSeed, continuing: devices)
    }
  }

  // MARK: Appending

  /// Appends a batch of samples; visible to readers when it returns, durable after `sync`.
  func append(
    _ samples: ArraySlice<DefinedSample>, context: BatchContext, definitions: UInt32
  ) throws(AppendError) {
    try rewrite()
    if active?.header.definitions != definitions { try roll(definitions: definitions) }
    try write(definitions: definitions, isReserved: false) { encoder, name, writer in
      encoder.write(samples, key: name, context: context, to: &writer)
    }
    unsynced.append(
      UnsyncedBatch(context: context, body: .samples(samples, definitions: definitions)))
  }

  /// Appends a batch of events; `isReserved` for one that explains an eviction.
  func append(
    _ events: ArraySlice<Event>, context: BatchContext, isReserved: Bool = false
  ) throws(AppendError) {
    // A reserved one comes while the log itself begins a segment.
    if !isReserved { try rewrite() }
    try write(definitions: 0, isReserved: isReserved) { encoder, name, writer in
      encoder.write(events, key: name, context: context, to: &writer)
    }
    unsynced.append(UnsyncedBatch(context: context, body: .events(events)))
  }

  /// Makes all that was appended durable.
  func sync() throws(AppendError) {
    try rewrite()
    guard hasUnsynced, let activeFile else { return }
    do throws(SystemError) {
      try activeFile.sync()
      unsynced.removeAll(keepingCapacity: true)
      syncedEnd = active?.end ?? syncedEnd
    } catch {
      // After a failed fdatasync the kernel has marked the pages clean: syncing them again would
      // report success for what never reached the disk. Go on in another segment.
      giveUpActive()
      throw .storage(error)
    }
  }

  /// Whether a sync is due.
  var hasUnsynced: Bool { !unsynced.isEmpty }

  /// Appends what a given-up segment held and never synced again, under the same names. What fails
  /// here is tried again with the next append or sync.
  private func rewrite() throws(AppendError) {
    guard isGivenUp else { return }
    isGivenUp = false
    let batches = unsynced
    let resumesAt = nextSeq
    unsynced = []
    nextSeq -= UInt64(batches.count)
    var written = 0
    do throws(AppendError) {
      for batch in batches {
        switch batch.body {
        case .samples(let samples, let definitions):
          try append(samples, context: batch.context, definitions: definitions)
        case .events(let events): try append(events, context: batch.context)
        }
        written += 1
      }
    } catch {
      giveUpActive()
      unsynced += batches[written...]
      isGivenUp = !unsynced.isEmpty
      nextSeq = resumesAt
      throw error
    }
  }

  private var nextKey: BatchKey { BatchKey(epoch: epoch.epoch, seq: nextSeq) }

  private func write(
    definitions: UInt32, isReserved: Bool,
    _ encode: (inout BatchEncoder, BatchKey, inout ByteWriter) -> Void
  ) throws(AppendError) {
    // Once for the active segment and, when it is full, once more for the next.
    for isFresh in [false, true] {
      // Beginning a segment may evict one, and that is what a reserved event is about to explain.
      if isReserved, active == nil || isFresh { throw .noRoom }
      if active == nil || isFresh { try roll(definitions: definitions) }
      guard let segment = active else { throw .noRoom }
      scratch.reset()
      encode(&encoder, nextKey, &scratch)
      let capacity = room.limits.segmentBytes - (isReserved ? 0 : room.limits.reserveBytes)
      if segment.end + scratch.count <= capacity {
        try put(scratch.bytes, into: segment)
        return
      }
      encoder.forgetLast()
    }
    let limit = room.limits.segmentBytes - room.limits.reserveBytes - SegmentHeader.bytes
    throw .tooLarge(bytes: scratch.count, limit: limit)
  }

  private func put(_ bytes: [UInt8], into segment: Segment) throws(AppendError) {
    do throws(SystemError) {
      try opened(segment).write(bytes, at: segment.end)
    } catch {
      giveUpActive()
      throw .storage(error)
    }
    active?.end += bytes.count
    active?.note(epoch, nextSeq)
    nextSeq += 1
    guard let updated = active else { return }
    shared.withLock { index in
      index.segments[index.segments.count - 1] = updated
    }
  }

  private func opened(_ segment: Segment) throws(SystemError) -> any StorageFile {
    if let activeFile { return activeFile }
    let opened = try shared.open(segment)
    activeFile = opened
    return opened
  }

  /// Whether somebody deleted the file that is written to.
  var isRemoved: Bool { activeFile?.isRemoved ?? false }

  /// Lets the next append begin a new segment. All was synced.
  func closeActive() {
    active = nil
    activeFile = nil
  }

  /// After a fault: what was not synced does not count as being in the segment any more, and goes
  /// into another one before anything else.
  private func giveUpActive() {
    defer { closeActive() }
    isGivenUp = hasUnsynced
    guard let active, hasUnsynced else { return }
    let (generation, end) = (active.generation, syncedEnd)
    let first = nextSeq - UInt64(unsynced.count)
    let epoch = epoch
    shared.withLock { $0.cut(generation, to: end, before: first, of: epoch) }
  }

  /// From now on new segments are in memory, and so is what was not synced.
  func leaveDisk(_ limits: Limits) throws(AppendError) {
    giveUpActive()
    room = SegmentRoom(
      storage: shared.memory, isMemory: true, limits: limits, blanks: [], fileCount: 0,
      nextFileNumber: 1)
    try rewrite()
  }

  // MARK: Segments

  private func roll(definitions: UInt32) throws(AppendError) {
    try sync()
    let (name, file) = try nextFile()
    let header = SegmentHeader(
      stream: stream, generation: nextGeneration, store: epoch.store, epoch: epoch.epoch,
      firstSeq: nextSeq, definitions: definitions)
    closeActive()
    do throws(SystemError) {
      // Synced before any frame: a frame of the new generation below a header of the old one would
      // look like damage.
      try file.write(header.encoded(), at: 0)
      try file.sync()
    } catch {
      room.blanks.append(name)
      throw .storage(error)
    }
    nextGeneration += 1
    let segment = Segment(
      header: header, name: name, runs: [], isInMemory: room.isMemory, end: SegmentHeader.bytes)
    active = segment
    syncedEnd = segment.end
    activeFile = file
    encoder = BatchEncoder(seed: header.frameSeed)
    shared.withLock { $0.segments.append(segment) }
  }
}
