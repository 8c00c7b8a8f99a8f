internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Reads one stream of a store from its oldest segment to its newest, a segment at a time, and
/// tells of every batch and of everything that is not as it was written.
struct StreamInspection {
  private struct Expected {
    var epoch: AckSet.EpochID
    var seq: UInt64
  }

  /// What is wrong within one segment.
  private struct Issue: Equatable {
    var what: StoreFinding.What
    var offset: Int?
    var length: Int?
    var lost: BatchRun?
    var problem: String?
  }

  /// More would not show less where an agent goes on appending behind what is damaged.
  private static let mostLooks = 5

  private let storage: any Storage
  private let directory: String
  let listing: SegmentListing
  /// The last seqs of epochs, where they are known.
  private let ends: EpochEnds
  /// An epoch that was ended in order and is the newest.
  private let ended: AckSet.EpochID?
  /// What each destination has acknowledged.
  private let acknowledged: [AckSet]

  /// The batch that comes next if nothing is missing.
  private var expected: Expected?
  /// The seq behind the last batch of each epoch. What was kept in memory while the disk could not
  /// be written stands behind batches of the epoch that began when it was back.
  private var nexts: [AckSet.EpochID: UInt64] = [:]
  /// How many of the listed segments were begun.
  private var begun = 0
  /// Where the last segment's batches end, and its generation.
  private var previous: (name: String, end: Int, generation: UInt64)?
  /// Up to the last batch in each segment, headers included.
  private(set) var usedBytes = 0

  init(
    _ stream: StreamName, storage: any Storage, directory: String, store: UInt64?,
    ends: EpochEnds, ended: AckSet.EpochID?, acknowledged: [AckSet]
  ) {
    self.storage = storage
    self.directory = directory
    self.ends = ends
    self.ended = ended
    self.acknowledged = acknowledged
    listing = SegmentListing(stream, storage: storage, directory: directory, store: store)
  }

  /// Reads the stream. `onBatch` returns whether to go on.
  mutating func run(
    onBatch: (PlacedBatch) -> Bool, onFinding: (StoreFinding) -> Void
  ) {
    for (name, obstacle) in listing.unplaced {
      onFinding(
        StoreFinding(
          file: path(name), what: obstacle.what, stream: listing.stream, problem: obstacle.problem))
    }
    let newest = listing.segments.last?.header.generation
    for entry in listing.segments {
      begun += 1
      let isNewest = entry.header.generation == newest
      guard let bytes = read(entry, isNewest: isNewest, onFinding) else {
        // Nothing can be said of what stood there.
        previous = nil
        expected = nil
        continue
      }
      tellMissing(before: entry, onFinding)
      let (file, stream) = (path(entry.name), listing.stream)
      let goesOn = bytes.withUnsafeBytes { buffer in
        walk(buffer, entry, onBatch: onBatch) { issue in
          onFinding(
            StoreFinding(
              file: file, offset: issue.offset, length: issue.length, what: issue.what,
              stream: stream, lost: issue.lost, problem: issue.problem))
        }
      }
      guard goesOn else { return }
    }
    tellMissingAtEnd(onFinding)
  }

  private func path(_ name: String) -> String { "\(listing.stream)/\(name)" }

  // MARK: Reading

  /// A segment's bytes; `nil` if it can't be read, or was used again since it was listed.
  private func read(
    _ entry: SegmentListing.Entry, isNewest: Bool, _ onFinding: (StoreFinding) -> Void
  ) -> [UInt8]? {
    let path = "\(directory)/\(path(entry.name))"
    var issues: [Issue]?
    do throws(SystemError) {
      let file = try storage.open(path, creating: false)
      for look in 1... {
        let bytes = try file.read(listing.segmentBytes, at: 0)
        // Behind the reading: a header is written before anything else of a new generation.
        if entry.obstacle == nil {
          let header = try? SegmentHeader.decode(file.read(SegmentHeader.bytes, at: 0))
          if let header, header.generation != entry.header.generation { return nil }
        }
        guard isNewest, entry.obstacle == nil else { return bytes }
        // An agent may have been writing meanwhile: what is seen twice is there.
        let seen = bytes.withUnsafeBytes { Self.issues(in: $0, entry.header) }
        if seen.isEmpty || seen == issues || look == Self.mostLooks { return bytes }
        issues = seen
        usleep(SegmentListing.pauseMicroseconds)
      }
      return nil
    } catch {
      if error.code == ENOENT { return nil }
      onFinding(
        StoreFinding(
          file: self.path(entry.name), what: .unreadableFile, stream: listing.stream,
          problem: error.reason))
      return nil
    }
  }

  private static func issues(
    in bytes: UnsafeRawBufferPointer, _ header: SegmentHeader
  ) -> [Issue] {
    var issues: [Issue] = []
    var walk = SegmentWalk(bytes, header: header)
    while let step = walk.next() {
      switch step {
      case .damage(let range):
        issues.append(Issue(what: .damagedBytes, offset: range.lowerBound, length: range.count))
      case .batch(let found):
        guard case .failure(let error) = found.batch else { continue }
        issues.append(
          Issue(
            what: .unreadableBatch, offset: found.frame.lowerBound, problem: error.description))
      }
    }
    return issues
  }

  // MARK: A segment

  private mutating func walk(
    _ bytes: UnsafeRawBufferPointer, _ entry: SegmentListing.Entry,
    onBatch: (PlacedBatch) -> Bool, onIssue: (Issue) -> Void
  ) -> Bool {
    let header = entry.header
    expected = Expected(
      epoch: AckSet.EpochID(store: header.store, epoch: header.epoch), seq: header.firstSeq)
    var issues = MergedIssues(entry.obstacle)
    var damage: [Range<Int>] = []
    var walk = SegmentWalk(bytes, header: header)
    while let step = walk.next() {
      switch step {
      case .damage(let range): damage.append(range)
      case .batch(let found):
        let lost = take(found.key, header)
        if let backwards = lost.backwards {
          issues.add(
            Issue(what: .outOfOrder, offset: found.frame.lowerBound, problem: backwards))
        }
        issues.add(damage, lost: lost.runs, before: found.frame.lowerBound)
        damage = []
        switch found.batch {
        case .failure(let error):
          issues.add(
            Issue(
              what: .unreadableBatch, offset: found.frame.lowerBound, length: found.frame.count,
              lost: Self.run(header, found.key), problem: error.description))
        case .success(let batch):
          if entry.obstacle != nil {
            issues.add(Issue(what: .damagedHeader, lost: Self.run(header, found.key)))
            continue
          }
          let placed = PlacedBatch(
            file: path(entry.name), offset: found.frame.lowerBound, bytes: found.frame.count,
            batch: batch)
          if !onBatch(placed) { return false }
        }
      }
    }
    issues.add(damage, lost: [], before: walk.end)
    usedBytes += walk.end
    previous = (entry.name, walk.end, header.generation)
    for issue in issues.all { onIssue(issue) }
    return true
  }

  private static func run(_ header: SegmentHeader, _ key: BatchKey) -> BatchRun {
    BatchRun(store: header.store, epoch: key.epoch, seqs: key.seq...key.seq)
  }

  /// What is missing before a batch; moves on behind it.
  private mutating func take(
    _ key: BatchKey, _ header: SegmentHeader
  ) -> (runs: [BatchRun], backwards: String?) {
    let epoch = AckSet.EpochID(store: header.store, epoch: key.epoch)
    let known = expected.flatMap { $0.epoch == epoch ? $0.seq : nil }
    let next = known ?? 1
    let runs =
      known.map { [Self.run(epoch, from: $0, to: key.seq &- 1)].compactMap { $0 } }
      ?? missing(before: epoch, key.seq)
    expected = Expected(epoch: epoch, seq: max(next, key.seq &+ 1))
    nexts[epoch] = max(nexts[epoch] ?? 1, key.seq &+ 1)
    guard key.seq < next else { return (runs, nil) }
    return (runs, "seq \(key.seq) of epoch \(key.epoch) after \(next - 1)")
  }

  /// What is missing between the batch that was expected and one that stands right behind: the rest
  /// of the expected one's epoch, epochs between, and the beginning of the other's.
  private func missing(before epoch: AckSet.EpochID, _ seq: UInt64) -> [BatchRun] {
    var runs: [BatchRun?] = []
    var first = nexts[epoch] ?? 1
    if let expected, expected.epoch == epoch {
      first = expected.seq
    } else if let expected, expected.epoch.store == epoch.store,
      expected.epoch.epoch < epoch.epoch
    {
      for (between, last) in ends.between(expected.epoch, and: epoch, of: listing.stream) {
        let first = between == expected.epoch ? expected.seq : nexts[between] ?? 1
        // What comes later is looked for there.
        let later = listing.segments.dropFirst(begun).map(\.header)
          .filter { $0.store == between.store && $0.epoch == between.epoch }.map(\.firstSeq).min()
        runs.append(Self.run(between, from: first, to: min(last, (later ?? .max) &- 1)))
      }
    }
    runs.append(Self.run(epoch, from: first, to: seq &- 1))
    return runs.compactMap { $0 }.flatMap(needed)
  }

  private static func run(
    _ epoch: AckSet.EpochID, from first: UInt64, to last: UInt64
  ) -> BatchRun? {
    guard first <= last else { return nil }
    return BatchRun(store: epoch.store, epoch: epoch.epoch, seqs: first...last)
  }

  /// What some destination has not had of a run. The rest need not have stood here: what is
  /// delivered from memory is not written any more.
  private func needed(_ run: BatchRun) -> [BatchRun] {
    guard !acknowledged.isEmpty else { return [run] }
    let epoch = AckSet.EpochID(store: run.store, epoch: run.epoch)
    var needed = AckSet()
    for set in acknowledged {
      for seqs in set.missing(epoch, in: run.seqs) { needed.insert(epoch, seqs) }
    }
    return (needed.epochs[epoch] ?? []).map {
      BatchRun(store: run.store, epoch: run.epoch, seqs: $0)
    }
  }

  /// What a segment's issues come to: neighbours of a kind are one, and in a segment that an agent
  /// passes over all are.
  private struct MergedIssues {
    private(set) var all: [Issue] = []
    private let obstacle: SegmentListing.Obstacle?

    init(_ obstacle: SegmentListing.Obstacle?) {
      self.obstacle = obstacle
      if let obstacle {
        all.append(Issue(what: obstacle.what, problem: obstacle.problem))
      }
    }

    mutating func add(_ issue: Issue) {
      var issue = issue
      if let obstacle {
        guard issue.lost != nil else { return }
        issue = Issue(what: obstacle.what, lost: issue.lost, problem: obstacle.problem)
      }
      guard let last = all.last, let merged = Self.merged(last, issue) else {
        all.append(issue)
        return
      }
      all[all.count - 1] = merged
    }

    /// A hole may have several damaged places: it is told with the first.
    mutating func add(_ damage: [Range<Int>], lost: [BatchRun], before offset: Int) {
      if let place = damage.first {
        add(
          Issue(
            what: .damagedBytes, offset: place.lowerBound, length: place.count, lost: lost.first))
        for place in damage.dropFirst() {
          add(Issue(what: .damagedBytes, offset: place.lowerBound, length: place.count))
        }
      }
      for run in lost.dropFirst(damage.isEmpty ? 0 : 1) {
        add(Issue(what: .missingBatches, offset: offset, lost: run))
      }
    }

    private static func merged(_ first: Issue, _ second: Issue) -> Issue? {
      guard first.what == second.what, first.what != .damagedBytes, let more = second.lost else {
        return nil
      }
      var merged = first
      if let length = first.length, let start = first.offset, let offset = second.offset,
        let next = second.length
      {
        merged.length = max(length, offset + next - start)
      }
      guard let lost = first.lost else {
        merged.lost = more
        return merged
      }
      guard lost.store == more.store, lost.epoch == more.epoch,
        lost.seqs.upperBound + 1 == more.seqs.lowerBound
      else { return nil }
      merged.lost?.seqs = lost.seqs.lowerBound...more.seqs.upperBound
      return merged
    }
  }

  // MARK: Between segments

  /// A segment's header says what stood before it. Where a generation is missing, it was used
  /// again, unless there are files whose place is not known.
  private func tellMissing(
    before entry: SegmentListing.Entry, _ onFinding: (StoreFinding) -> Void
  ) {
    guard let previous, expected != nil else { return }
    let header = entry.header
    let isNext = previous.generation + 1 == header.generation
    guard isNext || !listing.unplaced.isEmpty else { return }
    let epoch = AckSet.EpochID(store: header.store, epoch: header.epoch)
    for run in missing(before: epoch, header.firstSeq) { onFinding(finding(run, at: previous)) }
  }

  private func tellMissingAtEnd(_ onFinding: (StoreFinding) -> Void) {
    // A later epoch may have begun since the record was read.
    guard let ended, let previous, let expected, expected.epoch.store == ended.store,
      expected.epoch.epoch <= ended.epoch
    else { return }
    // As if the next one's first batch stood here.
    let next = AckSet.EpochID(store: ended.store, epoch: ended.epoch &+ 1)
    for run in missing(before: next, 1) { onFinding(finding(run, at: previous)) }
  }

  private func finding(
    _ run: BatchRun, at place: (name: String, end: Int, generation: UInt64)
  ) -> StoreFinding {
    StoreFinding(
      file: path(place.name), offset: place.end, what: .missingBatches, stream: listing.stream,
      lost: run)
  }
}
