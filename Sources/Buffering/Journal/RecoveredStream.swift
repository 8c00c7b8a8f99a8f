internal import LinuxSystem
internal import Telemetry

/// A stream's folder as the last run left it, read and put in order.
struct RecoveredStream {
  static let temporarySuffix = ".new"
  static let badSuffix = ".bad"
  static let segmentSuffix = ".seg"
  /// Files that could not be read are kept for whoever wants to look, but not without end.
  private static let mostBadFiles = 4

  static func fileName(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits + segmentSuffix
  }

  /// Every segment with what it holds.
  var index: StreamIndex
  /// Zero-filled files that hold nothing.
  var blanks: [String] = []
  /// Segment files there are, blank ones included.
  var fileCount = 0
  /// Files are numbered so that a name is never used twice.
  var nextFileNumber = 1
  /// The dictionary of the last segment, if frames can be appended to it.
  var continuableDevices: [DeviceSchema]?
  /// Holes that were found: seqs that must have been written and can't be read.
  var damage: [Segment.Run] = []
  /// Files that were put aside before.
  private var badFiles = 0
  /// Files that have to be put aside, with what was wrong.
  var putAside: [(name: String, problem: String)] = []
  /// What they held.
  var lost: [LostSegment] = []
  /// When the newest item of the last batch was measured, in Unix milliseconds as believed then.
  var newestTime: Int64?
  /// When the oldest event that is left happened; `nil` for data.
  var oldestTime: Int64?

  /// A stream of which nothing is there.
  init(empty stream: StreamName) { index = StreamIndex(stream: stream) }

  /// Reads the folder. Fails only if it can't be listed; what is broken in it is to be put aside.
  init(
    stream: StreamName, storage: any Storage, directory: String, segmentBytes: Int,
    catalogue: SegmentCatalogue = SegmentCatalogue()
  ) throws(SystemError) {
    index = StreamIndex(stream: stream)
    var unreadable: [[UInt8]] = []
    for name in try storage.list(directory).sorted() {
      let path = directory + "/" + name
      if name.hasSuffix(Self.temporarySuffix) {
        // A segment whose preparation was cut short.
        try storage.remove(path)
      } else if name.hasSuffix(Self.badSuffix) {
        badFiles += 1
      } else if name.hasSuffix(Self.segmentSuffix) {
        let number = Int(name.dropLast(Self.segmentSuffix.count)) ?? 0
        nextFileNumber = max(nextFileNumber, number + 1)
        do {
          // Flash controllers have bad moments; a good file must not be put aside for one.
          do {
            try addFile(name, path: path, storage: storage, segmentBytes: segmentBytes)
          } catch is SystemError {
            try addFile(name, path: path, storage: storage, segmentBytes: segmentBytes)
          }
        } catch {
          putAside.append((name, "\(error)"))
          unreadable.append(Self.bytes(storage, path, atMost: segmentBytes))
        }
      }
    }
    index.segments.sort { $0.generation < $1.generation }
    lost = unreadable.map { LostSegment($0, beside: index.segments) }
    scanSegments(storage, directory, segmentBytes: segmentBytes, catalogue)
  }

  /// Renames what could not be read. Only once the disk has shown that it takes something: one that
  /// fails as a whole makes every file unreadable.
  func putAside(_ storage: any Storage, _ directory: String) throws(SystemError) {
    var badFiles = badFiles
    for (name, _) in putAside {
      let path = directory + "/" + name
      badFiles += 1
      if badFiles <= Self.mostBadFiles {
        try storage.rename(path, to: path + Self.badSuffix)
      } else {
        try storage.remove(path)
      }
    }
  }

  private static func bytes(_ storage: any Storage, _ path: String, atMost count: Int) -> [UInt8] {
    for _ in 0..<2 {
      if let bytes = try? storage.open(path, creating: false).read(count, at: 0) { return bytes }
    }
    return []
  }

  private mutating func addFile(
    _ name: String, path: String, storage: any Storage, segmentBytes: Int
  ) throws {
    let file = try storage.open(path, creating: false)
    let size = try file.size()
    guard size == segmentBytes else {
      throw MalformedBytes(description: "\(size) bytes; a segment has \(segmentBytes)")
    }
    guard let header = try SegmentHeader.decode(file.read(SegmentHeader.bytes, at: 0)) else {
      blanks.append(name)
      fileCount += 1
      return
    }
    guard header.stream == index.stream else {
      throw MalformedBytes(description: "a segment of the stream \(header.stream)")
    }
    index.segments.append(
      Segment(header: header, name: name, runs: [], end: segmentBytes))
    fileCount += 1
  }

  /// Fills in what each segment holds. One whose successor began in the same epoch holds exactly
  /// the seqs between; only the others have to be read, so opening a large store stays quick.
  private mutating func scanSegments(
    _ storage: any Storage, _ directory: String, segmentBytes: Int,
    _ catalogue: SegmentCatalogue
  ) {
    for position in index.segments.indices {
      let header = index.segments[position].header
      let epoch = AckSet.EpochID(store: header.store, epoch: header.epoch)
      let next = position + 1 < index.segments.count ? index.segments[position + 1].header : nil
      if let next, next.store == header.store, next.epoch == header.epoch {
        if next.firstSeq > header.firstSeq {
          index.segments[position].runs = [
            Segment.Run(epoch: epoch, seqs: header.firstSeq...next.firstSeq - 1)
          ]
        }
        continue
      }
      index.segments[position].isScanned = true
      if next != nil, let known = catalogue.entry(index.stream, header) {
        index.segments[position].end = min(known.end, segmentBytes)
        index.segments[position].runs = known.runs.map {
          let epoch = AckSet.EpochID(store: header.store, epoch: $0.epoch)
          return Segment.Run(epoch: epoch, seqs: $0.seqs)
        }
        index.segments[position].runs.cut(before: next)
        continue
      }
      let path = directory + "/" + index.segments[position].name
      // A segment that can't be read now may be readable later: it stays, with nothing known of it.
      guard let file = try? storage.open(path, creating: false),
        let bytes = try? file.read(segmentBytes, at: 0)
      else {
        index.segments[position].isKnown = false
        continue
      }
      scan(bytes, position, next)
    }
    findTimes(storage, directory, segmentBytes: segmentBytes)
  }

  /// The last segment may have been begun and nothing of it survived.
  private mutating func findTimes(
    _ storage: any Storage, _ directory: String, segmentBytes: Int
  ) {
    func times(
      of segment: Segment,
      _ batch: (SegmentScan, UnsafeRawBufferPointer) -> BatchDecoder.Content?
    ) -> [Int64] {
      let path = directory + "/" + segment.name
      guard let file = try? storage.open(path, creating: false),
        let bytes = try? file.read(segmentBytes, at: 0)
      else { return [] }
      return bytes.withUnsafeBytes { batch(SegmentScan($0, segment.header), $0)?.times ?? [] }
    }
    for segment in index.segments.reversed() where newestTime == nil {
      newestTime = times(of: segment) { $0.lastBatch($1) }.max()
    }
    guard index.stream == .events else { return }
    for segment in index.segments where oldestTime == nil {
      oldestTime = times(of: segment) { $0.firstBatch($1) }.min()
    }
  }

  private mutating func scan(_ bytes: [UInt8], _ position: Int, _ next: SegmentHeader?) {
    let segment = index.segments[position]
    let scan = bytes.withUnsafeBytes { SegmentScan($0, segment.header) }
    var holes: [Segment.Run] = []
    var expected: (epoch: UInt32, seq: UInt64) = (segment.header.epoch, segment.header.firstSeq)
    for run in scan.runs {
      let epoch = AckSet.EpochID(store: segment.header.store, epoch: run.epoch)
      if run.epoch != expected.epoch { expected = (run.epoch, 1) }
      if run.seqs.lowerBound > expected.seq {
        let hole = expected.seq...run.seqs.lowerBound - 1
        holes.append(Segment.Run(epoch: epoch, seqs: hole))
      }
      index.segments[position].runs.append(Segment.Run(epoch: epoch, seqs: run.seqs))
      expected.seq = run.seqs.upperBound + 1
    }
    if let last = scan.lastUnreadable, last.epoch == expected.epoch, last.seq >= expected.seq {
      let epoch = AckSet.EpochID(store: segment.header.store, epoch: last.epoch)
      holes.append(Segment.Run(epoch: epoch, seqs: expected.seq...last.seq))
    }
    holes.cut(before: next)
    damage += holes
    index.segments[position].runs.cut(before: next)
    index.segments[position].end = scan.end
    guard next == nil, segment.header.version == SegmentHeader.currentVersion else { return }
    let devices = scan.devices.compactMap { $0 }
    if !scan.isDamaged, devices.count == scan.devices.count { continuableDevices = devices }
  }
}

extension [Segment.Run] {
  /// Without what stands in the next segment: after a sync that failed it was appended there again,
  /// and what is left of it here may have been in the page cache only.
  fileprivate mutating func cut(before next: SegmentHeader?) {
    guard let next else { return }
    let epoch = AckSet.EpochID(store: next.store, epoch: next.epoch)
    self = compactMap { run in
      guard run.epoch == epoch, run.seqs.upperBound >= next.firstSeq else { return run }
      guard run.seqs.lowerBound < next.firstSeq else { return nil }
      return Segment.Run(epoch: epoch, seqs: run.seqs.lowerBound...next.firstSeq - 1)
    }
  }
}
