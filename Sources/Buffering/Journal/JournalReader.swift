internal import LinuxSystem
internal import Telemetry

/// Walks one stream's segments for one destination. The thread that made it owns it; it looks at
/// the shared index under its lock and reads the files without one.
final class JournalReader: BatchReader {
  /// What one read takes from the file: a few batches of a busy stream.
  private static let chunkBytes = 64 * 1024

  private let journal: Journal
  private let edition: UInt32
  private let shared: SharedIndex
  private let stream: StreamName
  private let destination: DestinationName
  private(set) var position: LogPosition

  private var segment: Segment?
  private var file: (any StorageFile)?
  /// Both have seen all of the segment's frames before `position`.
  private var finder: FrameFinder?
  private var decoder: BatchDecoder?
  /// Whether frames of the segment could not be had for now: what builds on them can't be read
  /// either, and is no more known to be damaged than they are.
  private var isBlind = false
  /// Bytes of the segment from `chunkStart` on.
  private var chunk: [UInt8] = []
  private var chunkStart = 0
  /// The batch that should come next if nothing is missing.
  private var expected: (epoch: UInt32, seq: UInt64)?

  /// Whether it reads for a destination. One that only looks finds what was acknowledged, too, and
  /// holes that were explained long ago.
  private let isDelivering: Bool
  /// A hole that may go on.
  private var hole: Segment.Run?

  init(
    journal: Journal, content: JournalContent, stream: StreamName, destination: DestinationName,
    from position: LogPosition, isDelivering: Bool = true
  ) {
    self.journal = journal
    self.isDelivering = isDelivering
    edition = content.edition
    shared = content.index(of: stream)
    self.stream = stream
    self.destination = destination
    self.position = position.edition == edition ? position : .start
  }

  func next(before limit: LogPosition?) -> (batch: Batch, start: LogPosition)? {
    // The files may be another store's by now.
    guard journal.edition == edition else { return nil }
    defer { tellHole() }
    while let segment = currentSegment() {
      let readable = readableEnd(of: segment)
      while Int(position.offset) < readable {
        if let limit, position >= limit { return nil }
        guard let (frame, start) = nextFrame(in: segment, readable: readable) else { break }
        if let limit, start >= limit { return nil }
        if let batch = take(frame, of: segment) {
          // Recycled while it was being read: what the bytes say may be half old, half new.
          guard journal.edition == edition,
            shared.withLock({ $0.contains(segment.generation) })
          else { break }
          return (batch, start)
        }
      }
      guard moveOn(from: segment) else { return nil }
    }
    return nil
  }

  private func place(generation: UInt64, offset: UInt32) -> LogPosition {
    LogPosition(edition: edition, generation: generation, offset: offset)
  }

  // MARK: Segments

  /// The segment that `position` lies in, opened.
  private func currentSegment() -> Segment? {
    let generation = position.generation
    if let segment, segment.generation == generation,
      shared.withLock({ $0.contains(generation) })
    {
      return segment
    }
    guard let found = firstSegment(from: generation) else { return nil }
    open(found)
    return found
  }

  private func firstSegment(from generation: UInt64) -> Segment? {
    let destination = destination
    return shared.withLock { index in
      guard let segment = index.segment(from: generation) else { return nil }
      // A reader from the start need not walk what its destination has long acknowledged.
      guard generation == 0 else { return segment }
      return index.firstUnacknowledged(by: destination) ?? index.segments.last
    }
  }

  /// Begins to read a segment. In the middle of one, what stands before is read for its dictionary.
  private func open(_ found: Segment) {
    segment = found
    file = nil
    finder = FrameFinder(found.header)
    decoder = BatchDecoder(found.header)
    isBlind = false
    chunk = []
    expected = (found.header.epoch, found.header.firstSeq)
    let target = found.generation == position.generation ? Int(position.offset) : 0
    position = place(generation: found.generation, offset: UInt32(SegmentHeader.bytes))
    while Int(position.offset) < target,
      let (frame, _) = nextFrame(in: found, readable: target)
    {
      _ = take(frame, of: found, isSkipping: true)
    }
    position.offset = UInt32(max(target, SegmentHeader.bytes))
  }

  private func readableEnd(of segment: Segment) -> Int {
    let generation = segment.generation
    return shared.withLock { index in
      index.segments.last { $0.generation == generation }?.end ?? 0
    }
  }

  /// To the next segment, if there is one; what the index promised of this one and was not found is
  /// reported.
  private func moveOn(from finished: Segment) -> Bool {
    let generation = finished.generation
    let (next, this) = shared.withLock { index in
      (
        index.segment(from: generation + 1),
        index.segments.first { $0.generation == generation }
      )
    }
    // The segment may have been completed since its end was looked up: then there is more to read.
    if let this, Int(position.offset) < this.end { return true }
    guard let next else { return false }
    if let this { notePromised(in: this.runs) }
    position = place(generation: next.generation, offset: 0)
    segment = nil
    file = nil
    return true
  }

  // MARK: Frames

  /// The next valid frame, with `position` moved behind it; `nil` if there is none before
  /// `readable`, with `position` moved there.
  private func nextFrame(
    in segment: Segment, readable: Int
  ) -> (frame: Frame.Found, start: LogPosition)? {
    var offset = Int(position.offset)
    while offset + Frame.fewestBytes <= readable {
      guard fill(segment, from: offset, count: Frame.fewestBytes, readable: readable) else { break }
      var reading = readFrame(at: offset)
      if case .needs(let count) = reading, offset + count <= readable,
        fill(segment, from: offset, count: count, readable: readable)
      {
        reading = readFrame(at: offset)
      }
      if case .frame(let frame) = reading {
        position.offset = UInt32(offset + frame.bytes)
        let start = place(generation: segment.generation, offset: UInt32(offset))
        return (frame, start)
      }
      offset = candidate(after: offset)
    }
    position.offset = UInt32(readable)
    return nil
  }

  private func readFrame(at offset: Int) -> Frame.Reading {
    chunk.withUnsafeBytes { finder?.read($0, at: offset - chunkStart) ?? .invalid }
  }

  private func candidate(after offset: Int) -> Int {
    chunk.withUnsafeBytes { bytes in
      chunkStart
        + (finder?.candidate(after: offset - chunkStart, in: bytes) ?? bytes.count)
    }
  }

  /// Makes sure that `count` bytes from `offset` on are at hand.
  private func fill(_ segment: Segment, from offset: Int, count: Int, readable: Int) -> Bool {
    if offset >= chunkStart, offset + count <= chunkStart + chunk.count { return true }
    let size = min(max(count, Self.chunkBytes), readable - offset)
    // A read that failed once is tried once more; flash controllers have bad moments.
    for isLast in [false, true] {
      do throws(SystemError) {
        try read(size, of: segment, at: offset)
        return chunk.count >= count
      } catch {
        file = nil
        chunk.removeAll(keepingCapacity: true)
        guard isLast else { continue }
        journal.noteReadFailure(error)
        // What can't be read now is not known to be damaged: it stays unacknowledged, and the next
        // connection looks again.
        expected = nil
        isBlind = true
      }
    }
    return false
  }

  /// Into the memory of the chunk before: a destination that keeps up reads each batch by itself.
  private func read(
    _ size: Int, of segment: Segment, at offset: Int
  ) throws(SystemError) {
    let file = try opened(segment)
    chunk.removeAll(keepingCapacity: true)
    chunk.append(contentsOf: repeatElement(0, count: size))
    chunkStart = offset
    let result = chunk.withUnsafeMutableBytes { buffer in
      Result { () throws(SystemError) in try file.read(into: buffer, at: offset) }
    }
    chunk.removeLast(size - (try result.get()))
  }

  private func opened(_ segment: Segment) throws(SystemError) -> any StorageFile {
    if let file { return file }
    let opened = try shared.open(segment)
    file = opened
    return opened
  }

  /// What a frame in `chunk` holds; `nil` for one that is no batch for this destination. A batch
  /// that is passed over is read all the same: what follows builds on it.
  private func take(
    _ frame: Frame.Found, of segment: Segment, isSkipping: Bool = false
  ) -> Batch? {
    let taken = chunk.withUnsafeBytes { bytes in
      decoder?.take(frame.kind, UnsafeRawBufferPointer(rebasing: bytes[frame.body]))
    }
    guard let taken else { return nil }
    let key = taken.key
    let epoch = AckSet.EpochID(store: segment.header.store, epoch: key.epoch)
    noteHole(before: key, epoch)
    expected = (key.epoch, key.seq &+ 1)
    if isSkipping || isAcknowledged(epoch, key.seq) { return nil }
    guard case .success(let content)? = taken.content else {
      if !isBlind { noteHole(epoch, key.seq...key.seq) }
      return nil
    }
    return Batch(
      identity: BatchIdentity(
        store: segment.header.store, stream: stream, epoch: key.epoch, seq: key.seq),
      boot: content.context.boot, offset: content.context.offset, clock: content.context.clock,
      definitions: segment.header.definitions, isDurable: !segment.isInMemory, body: content.body)
  }

  private func noteHole(before key: BatchKey, _ epoch: AckSet.EpochID) {
    guard let expected else { return }
    if expected.epoch == key.epoch {
      if expected.seq < key.seq { noteHole(epoch, expected.seq...key.seq - 1) }
    } else {
      let generation = position.generation
      let runs = shared.withLock { index in
        index.segments.first { $0.generation == generation }?.runs
      }
      notePromised(in: runs ?? [], before: key)
    }
  }

  /// What the index says of the segment between what was expected and `key`, or the segment's end:
  /// where one epoch follows another, seqs alone do not tell.
  private func notePromised(in runs: [Segment.Run], before key: BatchKey? = nil) {
    guard let expected else { return }
    for run in runs where run.epoch.epoch >= expected.epoch {
      var (first, last) = (run.seqs.lowerBound, run.seqs.upperBound)
      if run.epoch.epoch == expected.epoch { first = max(first, expected.seq) }
      if let key, run.epoch.epoch >= key.epoch {
        guard run.epoch.epoch == key.epoch, key.seq > 0 else { continue }
        last = min(last, key.seq - 1)
      }
      if first <= last { noteHole(run.epoch, first...last) }
    }
  }

  /// A hole that was explained before counts as acknowledged. What was written to another segment
  /// because this one failed is no hole.
  private func noteHole(_ epoch: AckSet.EpochID, _ seqs: ClosedRange<UInt64>) {
    let (destination, generation) = (destination, position.generation)
    let lost = shared.withLock { index in
      let isExplained = index.acknowledged[destination]?.covers(epoch, seqs) ?? false
      let run = Segment.Run(epoch: epoch, seqs: seqs)
      return isExplained ? [] : index.lost(run, besides: generation)
    }
    for run in lost { noteHole(epoch, certain: run.seqs) }
  }

  private func noteHole(_ epoch: AckSet.EpochID, certain seqs: ClosedRange<UInt64>) {
    if let last = hole, last.epoch == epoch, last.seqs.upperBound &+ 1 == seqs.lowerBound {
      hole?.seqs = last.seqs.lowerBound...seqs.upperBound
    } else {
      tellHole()
      hole = Segment.Run(epoch: epoch, seqs: seqs)
    }
  }

  private func tellHole() {
    if let hole, isDelivering { journal.noteDamage(hole, in: stream, edition: edition) }
    hole = nil
  }

  private func isAcknowledged(_ epoch: AckSet.EpochID, _ seq: UInt64) -> Bool {
    guard isDelivering else { return false }
    let destination = destination
    return shared.withLock { $0.acknowledged[destination]?.contains(epoch, seq) ?? false }
  }
}
