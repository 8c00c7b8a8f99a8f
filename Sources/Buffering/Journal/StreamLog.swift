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
  /// Tells those who still needed it, durably, that a segment goes.
  func explainEviction(of segment: Segment, needers: [DestinationName]) throws(AppendError)
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
  }

  let shared: SharedIndex
  weak var delegate: (any EvictionDelegate)?
  private(set) var nextSeq: UInt64 = 1

  let stream: StreamName
  private let epoch: AckSet.EpochID
  private let storage: any Storage
  private let directory: String
  private let limits: Limits
  private var active: Segment?
  /// The active segment's file; opened when it is first written to.
  private var activeFile: (any StorageFile)?
  /// Seqs that were appended and not synced yet.
  private var unsynced: ClosedRange<UInt64>?
  /// Seqs that will never be synced, because their segment was given up after a fault.
  private var givenUp: [ClosedRange<UInt64>] = []
  /// The active segment's.
  private var encoder = BatchEncoder(seed: 0)
  private var nextGeneration: UInt64
  /// Files that are zero-filled and hold nothing.
  private var blanks: [String]
  private var fileCount: Int
  private var nextFileNumber: Int
  private var scratch = ByteWriter(capacity: 64 * 1024)

  init(
    _ recovered: RecoveredStream, epoch: AckSet.EpochID, storage: any Storage, directory: String,
    limits: Limits
  ) {
    stream = recovered.index.stream
    self.epoch = epoch
    self.storage = storage
    self.directory = directory
    self.limits = limits
    shared = SharedIndex(recovered.index, storage: storage, directory: directory)
    nextGeneration = (recovered.index.segments.last?.generation ?? 0) + 1
    blanks = recovered.blanks
    fileCount = recovered.fileCount
    nextFileNumber = recovered.nextFileNumber
    // A segment's header names one store.
    if let devices = recovered.continuableDevices, let last = recovered.index.segments.last,
      last.header.store == epoch.store
    {
      active = last
      encoder = BatchEncoder(seed: last.header.frameSeed, continuing: devices)
    }
  }

  // MARK: Appending

  /// Appends a batch of samples; visible to readers when it returns, durable after `sync`.
  func append(
    _ samples: ArraySlice<DefinedSample>, context: BatchContext, definitions: UInt32
  ) throws(AppendError) {
    if active?.header.definitions != definitions { try roll(definitions: definitions) }
    try write(definitions: definitions, isReserved: false) { encoder, name, writer in
      encoder.write(samples, key: name, context: context, to: &writer)
    }
  }

  /// Appends a batch of events; `isReserved` for one that explains an eviction.
  func append(
    _ events: ArraySlice<Event>, context: BatchContext, isReserved: Bool = false
  ) throws(AppendError) {
    try write(definitions: 0, isReserved: isReserved) { encoder, name, writer in
      encoder.write(events, key: name, context: context, to: &writer)
    }
  }

  /// Makes all that was appended durable.
  func sync() throws(AppendError) {
    guard hasUnsynced, let activeFile else { return }
    do throws(SystemError) {
      try activeFile.sync()
      unsynced = nil
    } catch {
      // After a failed fdatasync the kernel has marked the pages clean: syncing them again would
      // report success for what never reached the disk. Go on in another segment.
      abandonActive()
      throw .storage(error)
    }
  }

  /// Whether a sync is due.
  var hasUnsynced: Bool { unsynced != nil }

  /// Batches that can be read until a power cut and may be missing after it; each is named once.
  func takeGivenUp() -> [Segment.Run] {
    defer { givenUp = [] }
    return givenUp.map { Segment.Run(epoch: epoch, seqs: $0) }
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
      let capacity = limits.segmentBytes - (isReserved ? 0 : limits.reserveBytes)
      if segment.end + scratch.count <= capacity {
        try put(scratch.bytes, into: segment)
        return
      }
      encoder.forgetLast()
    }
    let limit = limits.segmentBytes - limits.reserveBytes - SegmentHeader.bytes
    throw .tooLarge(bytes: scratch.count, limit: limit)
  }

  private func put(_ bytes: [UInt8], into segment: Segment) throws(AppendError) {
    do throws(SystemError) {
      try opened(segment).write(bytes, at: segment.end)
    } catch {
      abandonActive()
      throw .storage(error)
    }
    unsynced = (unsynced?.lowerBound ?? nextSeq)...nextSeq
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

  /// Lets the next append begin a new segment.
  private func abandonActive() {
    active = nil
    activeFile = nil
    if let unsynced { givenUp.append(unsynced) }
    unsynced = nil
  }

  // MARK: Segments

  private func roll(definitions: UInt32) throws(AppendError) {
    try sync()
    let (name, file) = try nextFile()
    let header = SegmentHeader(
      stream: stream, generation: nextGeneration, store: epoch.store, epoch: epoch.epoch,
      firstSeq: nextSeq, definitions: definitions)
    abandonActive()
    do throws(SystemError) {
      // Synced before any frame: a frame of the new generation below a header of the old one would
      // look like damage.
      try file.write(header.encoded(), at: 0)
      try file.sync()
    } catch {
      blanks.append(name)
      throw .storage(error)
    }
    nextGeneration += 1
    let segment = Segment(header: header, name: name, runs: [], end: SegmentHeader.bytes)
    active = segment
    activeFile = file
    encoder = BatchEncoder(seed: header.frameSeed)
    shared.withLock { $0.segments.append(segment) }
  }

  private func nextFile() throws(AppendError) -> (name: String, file: any StorageFile) {
    do throws(SystemError) {
      if let name = blanks.last {
        let file = try storage.open(directory + "/" + name, creating: false)
        blanks.removeLast()
        return (name, file)
      }
      let mayGrow = (fileCount + 1) * limits.segmentBytes <= limits.totalBytes
      if mayGrow || fileCount < JournalSettings.fewestSegments { return try createFile() }
    } catch {
      // A full disk is a smaller cap: go on with the room that there is.
      guard fileCount >= JournalSettings.fewestSegments else { throw .storage(error) }
    }
    return try recycle()
  }

  /// A file of zeros: appending to it later moves no file size and allocates no block, which halves
  /// what a synced append writes to flash.
  private func createFile() throws(SystemError) -> (name: String, file: any StorageFile) {
    let name = RecoveredStream.fileName(nextFileNumber)
    let path = directory + "/" + name
    let temporary = path + RecoveredStream.temporarySuffix
    do throws(SystemError) {
      let file = try storage.open(temporary, creating: true)
      try fillWithZeros(file)
      try storage.rename(temporary, to: path)
      try storage.syncDirectory(directory)
      fileCount += 1
      nextFileNumber += 1
      return (name, file)
    } catch {
      // Half a segment must not take the room that others need.
      try? storage.remove(temporary)
      throw error
    }
  }

  private func fillWithZeros(_ file: any StorageFile) throws(SystemError) {
    let zeros = [UInt8](repeating: 0, count: min(limits.segmentBytes, 128 * 1024))
    var offset = 0
    while offset < limits.segmentBytes {
      let count = min(zeros.count, limits.segmentBytes - offset)
      try file.write(count == zeros.count ? zeros : Array(zeros[..<count]), at: offset)
      offset += count
    }
    try file.sync()
  }

  /// A segment that could not be read at the start, with what it holds if it can be read now: the
  /// gap of its eviction has to name that.
  private func known(_ segment: Segment) -> Segment {
    guard !segment.isKnown, let file = try? shared.open(segment),
      let bytes = try? file.read(limits.segmentBytes, at: 0)
    else { return segment }
    let scan = bytes.withUnsafeBytes { SegmentScan($0, segment.header) }
    guard !scan.runs.isEmpty else { return segment }
    var known = segment
    known.isKnown = true
    known.runs = scan.runs.map {
      Segment.Run(
        epoch: AckSet.EpochID(store: segment.header.store, epoch: $0.epoch), seqs: $0.seqs)
    }
    return known
  }

  private func recycle() throws(AppendError) -> (name: String, file: any StorageFile) {
    guard let victim = shared.withLock({ $0.victim() }).map(known) else { throw .noRoom }
    let needers = shared.withLock { $0.needers(of: victim) }
    try delegate?.saveCursors()
    if !needers.isEmpty {
      try delegate?.explainEviction(of: victim, needers: needers)
    }
    do throws(SystemError) {
      let file = try shared.open(victim)
      shared.withLock { $0.remove(victim.generation, keeping: epoch) }
      return (victim.name, file)
    } catch {
      throw .storage(error)
    }
  }
}
