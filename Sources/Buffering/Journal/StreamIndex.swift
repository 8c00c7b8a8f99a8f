internal import LinuxSystem
internal import Telemetry

/// A segment of a stream as readers and the writer know it.
struct Segment {
  /// Batches of one epoch that stand in the segment.
  struct Run: Hashable {
    var epoch: AckSet.EpochID
    var seqs: ClosedRange<UInt64>
  }

  var header: SegmentHeader
  /// The file's name in the stream's folder. Nobody but the writer of the last segment and a reader
  /// at work has it open: a large store has more segments than a process may have descriptors.
  var name: String
  /// What it holds, in order.
  var runs: [Run]
  /// False for a segment that could not be read at the start: what it holds is not known, so
  /// everybody needs it.
  var isKnown = true
  /// Its frames were looked at, now or at an earlier start: its header does not say what it holds.
  var isScanned = false
  /// Its file is in memory, because the disk could not be written when it was begun.
  var isInMemory = false
  /// Readers find frames before this offset: where the next one will be written, or the segment's
  /// length where that was not looked for.
  var end: Int

  var generation: UInt64 { header.generation }

  mutating func note(_ epoch: AckSet.EpochID, _ seq: UInt64) {
    if let last = runs.last, last.epoch == epoch, last.seqs.upperBound + 1 == seq {
      runs[runs.count - 1].seqs = last.seqs.lowerBound...seq
    } else {
      runs.append(Run(epoch: epoch, seqs: seq...seq))
    }
  }
}

/// All that is known of a stream without reading its frames: segments and who has acknowledged
/// what. Shared between the writer and the destinations under a lock; itself without I/O.
struct StreamIndex {
  let stream: StreamName
  /// By generation, the last one is written to.
  var segments: [Segment] = []
  /// By destination.
  var acknowledged: [DestinationName: AckSet] = [:]

  /// Behind the newest batch.
  func end(edition: UInt32) -> LogPosition {
    guard let last = segments.last else { return .start }
    return LogPosition(
      edition: edition, generation: last.generation, offset: UInt32(last.end))
  }

  /// The first segment of this generation or a later one.
  func segment(from generation: UInt64) -> Segment? {
    segments.first { $0.generation >= generation }
  }

  /// The segment of exactly this generation, if it has not been recycled.
  func contains(_ generation: UInt64) -> Bool {
    segments.contains { $0.generation == generation }
  }

  /// The first segment that holds something `destination` has not acknowledged, or may do so.
  func firstUnacknowledged(by destination: DestinationName) -> Segment? {
    segments.first { !$0.isKnown || unacknowledged($0, by: destination) > 0 }
  }

  /// Batches in `segment` that `destination` has not acknowledged.
  func unacknowledged(_ segment: Segment, by destination: DestinationName) -> UInt64 {
    segment.runs.reduce(0) { total, run in
      let done = acknowledged[destination]?.count(run.epoch, in: run.seqs) ?? 0
      return total + UInt64(run.seqs.count) - done
    }
  }

  /// The destinations that still need something of `segment`, in order of name.
  func needers(of segment: Segment) -> [DestinationName] {
    acknowledged.keys.filter { !segment.isKnown || unacknowledged(segment, by: $0) > 0 }
      .sorted { $0.description < $1.description }
  }

  /// What at least one of `needers` still needs of `segment`; of one that could not be read, at
  /// least where it begins.
  func missing(in segment: Segment, by needers: [DestinationName]) -> [Segment.Run] {
    guard segment.isKnown else {
      let epoch = AckSet.EpochID(store: segment.header.store, epoch: segment.header.epoch)
      return [Segment.Run(epoch: epoch, seqs: segment.header.firstSeq...segment.header.firstSeq)]
    }
    return segment.runs.flatMap { run in
      var done = AckSet()
      for seqs in acknowledgedByAll(needers, run) { done.insert(run.epoch, seqs) }
      return done.missing(run.epoch, in: run.seqs).map { Segment.Run(epoch: run.epoch, seqs: $0) }
    }
  }

  /// The parts of `run` that every one of `destinations` has.
  private func acknowledgedByAll(
    _ destinations: [DestinationName], _ run: Segment.Run
  ) -> [ClosedRange<UInt64>] {
    var missing = AckSet()
    for destination in destinations {
      let set = acknowledged[destination] ?? AckSet()
      for seqs in set.missing(run.epoch, in: run.seqs) { missing.insert(run.epoch, seqs) }
    }
    return missing.missing(run.epoch, in: run.seqs)
  }

  /// Which segment in the same place to use again when there may be no more: the oldest that nobody
  /// needs, else the oldest. Never the one that is written to.
  func victim(inMemory: Bool) -> Segment? {
    let sealed = segments.dropLast().filter { $0.isInMemory == inMemory }
    return sealed.first { needers(of: $0).isEmpty } ?? sealed.first
  }

  /// A segment was given up after a fault: of `epoch` it counts only what stands before `seq`.
  mutating func cut(
    _ generation: UInt64, to end: Int, before seq: UInt64, of epoch: AckSet.EpochID
  ) {
    guard let place = segments.lastIndex(where: { $0.generation == generation }) else { return }
    segments[place].end = end
    segments[place].runs = segments[place].runs.compactMap { run in
      guard run.epoch == epoch, run.seqs.upperBound >= seq else { return run }
      guard run.seqs.lowerBound < seq else { return nil }
      return Segment.Run(epoch: epoch, seqs: run.seqs.lowerBound...seq - 1)
    }
  }

  /// Forgets a segment that is about to be overwritten, and acknowledgements of epochs that it was
  /// the last to hold, save `current`.
  mutating func remove(_ generation: UInt64, keeping current: AckSet.EpochID) {
    segments.removeAll { $0.generation == generation }
    var kept = Set(segments.flatMap { $0.runs.map(\.epoch) })
    kept.insert(current)
    for destination in acknowledged.keys { acknowledged[destination]?.keepOnly(kept) }
  }

  /// Takes acknowledgements over, of destinations that it knows.
  mutating func take(_ known: [DestinationName: AckSet]) {
    for (destination, set) in known { acknowledged[destination]?.formUnion(set) }
  }

  /// Which segments to give up where there may be `count` fewer, in order: what nobody needs first,
  /// the oldest before the newer ones. Never the one that is written to.
  func victims(_ count: Int) -> [Segment] {
    let sealed = segments.dropLast()
    let free = sealed.filter { needers(of: $0).isEmpty }.prefix(count)
    let generations = Set(free.map(\.generation))
    let others = sealed.filter { !generations.contains($0.generation) }
    return Array(free) + others.prefix(count - free.count)
  }

  /// Whether a segment holds all of `run`.
  func holds(_ run: Segment.Run) -> Bool {
    segments.contains { segment in
      segment.runs.contains {
        $0.epoch == run.epoch && $0.seqs.lowerBound <= run.seqs.lowerBound
          && $0.seqs.upperBound >= run.seqs.upperBound
      }
    }
  }

  /// What of `run` no segment holds, or none but the one in which it was not found.
  func lost(_ run: Segment.Run, besides generation: UInt64? = nil) -> [Segment.Run] {
    var held = AckSet()
    for segment in segments where segment.generation != generation {
      for other in segment.runs where other.epoch == run.epoch && other.seqs.overlaps(run.seqs) {
        held.insert(run.epoch, other.seqs.clamped(to: run.seqs))
      }
    }
    return held.missing(run.epoch, in: run.seqs).map { Segment.Run(epoch: run.epoch, seqs: $0) }
  }

  /// What must have been in an epoch and is in no segment: up to the last batch held of it, or to
  /// that of `lasts`. Nothing while a segment could not be read: it may stand there.
  func absent(lasts: [AckSet.EpochID: UInt64]) -> [Segment.Run] {
    guard segments.allSatisfy(\.isKnown) else { return [] }
    var absent: [Segment.Run] = []
    var next: [AckSet.EpochID: UInt64] = [:]
    for run in segments.flatMap(\.runs).sorted(by: { $0.seqs.lowerBound < $1.seqs.lowerBound }) {
      let expected = next[run.epoch] ?? 1
      if run.seqs.lowerBound > expected {
        absent.append(Segment.Run(epoch: run.epoch, seqs: expected...run.seqs.lowerBound - 1))
      }
      next[run.epoch] = max(expected, run.seqs.upperBound &+ 1)
    }
    for (epoch, last) in lasts where last >= next[epoch] ?? 1 {
      absent.append(Segment.Run(epoch: epoch, seqs: (next[epoch] ?? 1)...last))
    }
    return absent
  }

  /// The first seq held of each epoch.
  var firstSeqs: [AckSet.EpochID: UInt64] {
    Dictionary(
      segments.flatMap(\.runs).map { ($0.epoch, $0.seqs.lowerBound) }, uniquingKeysWith: min)
  }

  /// The last seq held of an epoch; 0 if none.
  func lastSeq(of epoch: AckSet.EpochID) -> UInt64 {
    segments.flatMap(\.runs).filter { $0.epoch == epoch }.map(\.seqs.upperBound).max() ?? 0
  }

  /// From which seq on everything of an epoch stands in segments that are here, also where nothing
  /// of it can be read any more; `nil` if no segment proves that.
  func firstExpected(of epoch: AckSet.EpochID) -> UInt64? {
    let own = segments.first { $0.header.store == epoch.store && $0.header.epoch == epoch.epoch }
    let before = segments.lastIndex {
      $0.header.store == epoch.store && $0.header.epoch < epoch.epoch
    }
    if let before {
      // Nothing was used again between it and the next.
      let next = before + 1 < segments.count ? segments[before + 1] : nil
      if next.map({ $0.generation == segments[before].generation + 1 }) ?? true { return 1 }
    }
    return own?.header.firstSeq
  }

  /// Whether the segment was read that the last batches of an epoch stand in: the last one begun in
  /// it or before it.
  func isTailKnown(of epoch: AckSet.EpochID) -> Bool {
    segments.last { $0.header.store == epoch.store && $0.header.epoch <= epoch.epoch }?.isKnown
      ?? true
  }

  /// Digests that the stream's batches refer to.
  var definitions: Set<UInt32> { Set(segments.map(\.header.definitions)) }

  /// The newest batch held.
  var newest: BatchIdentity? {
    segments.last { !$0.runs.isEmpty }?.runs.last.map { identity($0, $0.seqs.upperBound) }
  }

  /// The oldest batch held.
  private var oldest: BatchIdentity? {
    segments.first { !$0.runs.isEmpty }?.runs.first.map { identity($0, $0.seqs.lowerBound) }
  }

  private func identity(_ run: Segment.Run, _ seq: UInt64) -> BatchIdentity {
    BatchIdentity(store: run.epoch.store, stream: stream, epoch: run.epoch.epoch, seq: seq)
  }

  func summary(for destination: DestinationName) -> StreamSummary {
    let unsent = segments.reduce(0) { $0 + unacknowledged($1, by: destination) }
    return StreamSummary(newest: newest, oldest: oldest, unsent: Int(unsent), oldestUnsent: nil)
  }
}

/// A stream's index behind its lock: the writer changes it, destinations look things up.
final class SharedIndex: Sendable {
  /// Where segments go that the disk does not take.
  let memory = MemoryStorage()
  private let index: Monitor<StreamIndex>
  private let storage: any Storage
  private let directory: String

  init(_ index: StreamIndex, storage: any Storage, directory: String) {
    self.index = Monitor(index)
    self.storage = storage
    self.directory = directory
  }

  /// Opens a segment's file.
  func open(_ segment: Segment) throws(SystemError) -> any StorageFile {
    let place: any Storage = segment.isInMemory ? memory : storage
    return try place.open(directory + "/" + segment.name, creating: false)
  }

  /// Short and without I/O: the writer waits meanwhile.
  func withLock<Result>(_ body: (inout sending StreamIndex) -> sending Result) -> sending Result {
    index.withLock(body)
  }
}
