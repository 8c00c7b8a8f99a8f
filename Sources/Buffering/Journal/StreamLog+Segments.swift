internal import LinuxSystem
internal import Telemetry

/// Where a stream's new segments are made, and what of it is used.
struct SegmentRoom {
  var storage: any Storage
  /// Whether it is memory because the disk could not be written.
  var isMemory = false
  var limits: StreamLog.Limits
  /// Files that are zero-filled and hold nothing.
  var blanks: [String]
  var fileCount: Int
  var nextFileNumber: Int
}

/// What was appended and is not synced yet: when the sync fails it has to be written again.
struct UnsyncedBatch {
  enum Body {
    case samples(ArraySlice<DefinedSample>, definitions: UInt32)
    case events(ArraySlice<Event>)
  }

  var context: BatchContext
  var body: Body
}

// The files of a stream: made, taken over, used again.
extension StreamLog {
  func nextFile() throws(AppendError) -> (name: String, file: any StorageFile) {
    do throws(SystemError) {
      if let name = room.blanks.last {
        let file = try room.storage.open(directory + "/" + name, creating: false)
        room.blanks.removeLast()
        return (name, file)
      }
      let mayGrow = (room.fileCount + 1) * room.limits.segmentBytes <= room.limits.totalBytes
      if mayGrow || room.fileCount < JournalSettings.fewestSegments { return try createFile() }
    } catch {
      // A full disk is a smaller cap: go on with the room that there is.
      guard room.fileCount >= JournalSettings.fewestSegments else { throw .storage(error) }
    }
    return try recycle()
  }

  /// A file of zeros: appending to it later moves no file size and allocates no block, which halves
  /// what a synced append writes to flash.
  private func createFile() throws(SystemError) -> (name: String, file: any StorageFile) {
    let name = RecoveredStream.fileName(room.nextFileNumber)
    let path = directory + "/" + name
    let temporary = path + RecoveredStream.temporarySuffix
    do throws(SystemError) {
      let file = try room.storage.open(temporary, creating: true)
      try fillWithZeros(file)
      try room.storage.rename(temporary, to: path)
      try room.storage.syncDirectory(directory)
      room.fileCount += 1
      room.nextFileNumber += 1
      return (name, file)
    } catch {
      // Half a segment must not take the room that others need.
      try? room.storage.remove(temporary)
      throw error
    }
  }

  private func fillWithZeros(_ file: any StorageFile) throws(SystemError) {
    let zeros = [UInt8](repeating: 0, count: min(room.limits.segmentBytes, 128 * 1024))
    var offset = 0
    while offset < room.limits.segmentBytes {
      let count = min(zeros.count, room.limits.segmentBytes - offset)
      try file.write(count == zeros.count ? zeros : Array(zeros[..<count]), at: offset)
      offset += count
    }
    try file.sync()
  }

  /// A segment that could not be read at the start, with what it holds if it can be read now: the
  /// gap of its eviction has to name that.
  private func known(_ segment: Segment) -> Segment {
    guard !segment.isKnown, let file = try? shared.open(segment),
      let bytes = try? file.read(room.limits.segmentBytes, at: 0)
    else { return segment }
    let scan = bytes.withUnsafeBytes { SegmentScan($0, seed: segment.header.frameSeed) }
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
    let isInMemory = room.isMemory
    let found = shared.withLock { $0.victim(inMemory: isInMemory) }
    guard let victim = found.map(known) else { throw .noRoom }
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

  /// Takes over a segment of another store or of memory: its frames are the same, its place in the
  /// stream and so the seed of its checksums are new. Durable when it returns.
  func adopt(_ segment: Segment, _ bytes: [UInt8]) throws(AppendError) {
    try sync()
    closeActive()
    let (name, file) = try nextFile()
    var adopted = segment
    adopted.header.generation = nextGeneration
    adopted.name = name
    adopted.isInMemory = room.isMemory
    let frames = SegmentImage.frames(of: bytes, from: segment.header, to: adopted.header)
    adopted.end = SegmentHeader.bytes + frames.count
    do throws(SystemError) {
      // In this order, as where a segment begins.
      try file.write(adopted.header.encoded(), at: 0)
      try file.sync()
      try file.write(frames, at: SegmentHeader.bytes)
      try file.sync()
    } catch {
      room.blanks.append(name)
      throw .storage(error)
    }
    nextGeneration += 1
    shared.withLock { $0.segments.append(adopted) }
  }
}

/// A segment's bytes, moved to another place in a stream.
enum SegmentImage {
  /// The frames of a segment with the checksums that they need below another header.
  static func frames(
    of bytes: [UInt8], from old: SegmentHeader, to new: SegmentHeader
  ) -> [UInt8] {
    var writer = ByteWriter(capacity: bytes.count)
    bytes.withUnsafeBytes { bytes in
      var offset = SegmentHeader.bytes
      while let frame = SegmentScan.nextFrame(bytes, from: offset, seed: old.frameSeed) {
        Frame.append(to: &writer, seed: new.frameSeed) { $0.raw(Array(bytes[frame.body])) }
        offset = frame.end
      }
    }
    return writer.bytes
  }
}
