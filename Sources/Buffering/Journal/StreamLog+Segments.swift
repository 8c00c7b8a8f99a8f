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
    while let name = room.blanks.popLast() {
      do throws(SystemError) {
        let file = try room.storage.open(directory + "/" + name, creating: false)
        delegate?.segmentBegins(in: stream, evicting: false)
        return (name, file)
      } catch {
        // Nothing may be evicted for it. One that is still there is found at the next start.
        if error.isAbsence { room.fileCount -= 1 }
      }
    }
    do throws(SystemError) {
      if mayGrow {
        let made = try createFile()
        delegate?.segmentBegins(in: stream, evicting: false)
        return made
      }
    } catch {
      // A full disk is a smaller cap: go on with the room that there is.
      guard room.fileCount >= JournalSettings.fewestSegments else { throw .storage(error) }
    }
    return try recycle()
  }

  /// Whether another file may be made. Two have to be, whatever the file system says.
  private var mayGrow: Bool {
    guard room.fileCount >= JournalSettings.fewestSegments else { return true }
    let bytes = (room.fileCount + 1) * room.limits.segmentBytes
    guard bytes <= room.limits.totalBytes else { return false }
    guard let free = try? room.storage.freeBytes(directory) else { return true }
    return free - room.limits.segmentBytes >= room.limits.keepFreeBytes
  }

  /// Gives back what is more than the cap: files that hold nothing, then what nobody needs, then
  /// the oldest. What can't be removed now is removed at another start.
  func fitCap() throws(AppendError) {
    guard !room.isMemory else { return }
    let most = max(
      room.limits.totalBytes / room.limits.segmentBytes, JournalSettings.fewestSegments)
    var names: [String] = []
    while room.fileCount - names.count > most, let blank = room.blanks.popLast() {
      names.append(blank)
    }
    let surplus = room.fileCount - names.count - most
    if surplus > 0 {
      let victims = shared.withLock { $0.victims(surplus) }.map(known)
      try delegate?.saveCursors()
      let needed = shared.withLock { index in victims.filter { !index.needers(of: $0).isEmpty } }
      if !needed.isEmpty { try delegate?.explainEviction(of: needed) }
      for victim in victims {
        shared.withLock { $0.remove(victim.generation, keeping: epoch) }
        names.append(victim.name)
      }
    }
    for name in names where (try? room.storage.remove(directory + "/" + name)) != nil {
      room.fileCount -= 1
    }
    if !names.isEmpty { try? room.storage.syncDirectory(directory) }
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
    let isInMemory = room.isMemory
    let found = shared.withLock { $0.victim(inMemory: isInMemory) }
    guard let victim = found.map(known) else { throw .noRoom }
    let isNeeded = shared.withLock { !$0.needers(of: victim).isEmpty }
    try delegate?.saveCursors()
    if isNeeded { try delegate?.explainEviction(of: [victim]) }
    delegate?.segmentBegins(in: stream, evicting: isNeeded)
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
      var finder = FrameFinder(old)
      var keyChecksum = new.frameSeed
      while let (frame, start) = finder.next(bytes, from: offset) {
        let seed = frame.kind == .delta ? keyChecksum : new.frameSeed
        let checksum = Frame.append(frame.kind, to: &writer, seed: seed) {
          $0.raw(Array(bytes[frame.body]))
        }
        if frame.kind == .key { keyChecksum = checksum }
        offset = start + frame.bytes
      }
    }
    return writer.bytes
  }
}
