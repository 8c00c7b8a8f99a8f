public import Telemetry

/// What a stream holds.
public struct StreamStatistics: Sendable {
  /// What a destination has not acknowledged, as its cursor says: an agent that runs saves it some
  /// seconds late.
  public struct Unsent: Sendable, Hashable {
    /// How many.
    public var batches = 0
    /// Wall time of the oldest item of the first of them, in Unix milliseconds.
    public var oldest: Int64?
  }

  /// Whose figures they are.
  public let stream: StreamName
  /// Files of segments.
  public private(set) var files = 0
  /// Of those the ones that hold something.
  public private(set) var segments = 0
  /// Files that an agent renamed because it could not read them.
  public private(set) var putAside = 0
  /// Length of all files.
  public private(set) var fileBytes = 0
  /// Up to the last batch in each file that holds something.
  public private(set) var usedBytes = 0
  /// What the segments' headers say.
  public private(set) var formatVersions: [UInt16] = []
  /// Batches that can be read.
  public private(set) var batches = 0
  /// Their samples or events.
  public private(set) var items = 0
  /// The values and reasons of the samples.
  public private(set) var values = 0
  /// Wall time of the oldest item, in Unix milliseconds as it is published.
  public private(set) var oldest: Int64?
  /// The same of the newest.
  public private(set) var newest: Int64?
  /// Seqs by epoch, in order; holes are not shown.
  public private(set) var epochs: [BatchRun] = []
  /// Places that are damaged.
  public private(set) var findings = 0
  /// Batches that are known to be lost there.
  public private(set) var lost: UInt64 = 0
  /// By destination.
  public private(set) var unsent: [String: Unsent] = [:]
  /// Bytes of files that hold something which a destination has not acknowledged.
  public private(set) var heldBytes = 0
  /// What was appended in the last hour.
  public private(set) var recent = RecentRate()

  private let acknowledged: [String: AckSet]
  private var heldFiles: Set<String> = []

  init(_ stream: StreamName, destinations: [String: AckSet]) {
    self.stream = stream
    acknowledged = destinations
    for name in destinations.keys { unsent[name] = Unsent() }
  }

  /// Bytes of files for each value, dictionaries included, segments' headers not: they are 0.4 %
  /// of a full one; `nil` without values.
  public var bytesPerValue: Double? {
    values == 0 ? nil : Double(usedBytes - segments * SegmentHeader.bytes) / Double(values)
  }

  mutating func note(_ placed: PlacedBatch) {
    let batch = placed.batch
    batches += 1
    values += batch.valueCount
    switch batch.body {
    case .samples(let samples): items += samples.count
    case .events(let events): items += events.count
    }
    if let times = batch.times {
      oldest = min(oldest ?? times.lowerBound, times.lowerBound)
      newest = max(newest ?? times.upperBound, times.upperBound)
      recent.add(at: times.upperBound, bytes: placed.bytes, values: batch.valueCount)
    }
    note(batch.identity)
    let epoch = AckSet.EpochID(store: batch.identity.store, epoch: batch.identity.epoch)
    for (name, set) in acknowledged where !set.contains(epoch, batch.identity.seq) {
      unsent[name]?.batches += 1
      if unsent[name]?.oldest == nil { unsent[name]?.oldest = batch.times?.lowerBound }
      heldFiles.insert(placed.file)
    }
    // Nobody's yet: whoever comes first wants it.
    if acknowledged.isEmpty { heldFiles.insert(placed.file) }
  }

  private mutating func note(_ identity: BatchIdentity) {
    if let last = epochs.last, last.store == identity.store, last.epoch == identity.epoch {
      let end = max(last.seqs.upperBound, identity.seq)
      epochs[epochs.count - 1].seqs = last.seqs.lowerBound...end
    } else {
      epochs.append(
        BatchRun(
          store: identity.store, epoch: identity.epoch, seqs: identity.seq...identity.seq))
    }
  }

  mutating func note(_ finding: StoreFinding) {
    findings += 1
    lost += UInt64(finding.lost?.seqs.count ?? 0)
  }

  mutating func finish(_ listing: SegmentListing, usedBytes: Int) {
    files = listing.files
    segments = listing.segments.count
    putAside = listing.putAside
    fileBytes = listing.fileBytes
    self.usedBytes = usedBytes
    formatVersions = listing.formatVersions.sorted()
    heldBytes = heldFiles.count * listing.segmentBytes
  }
}

/// What was appended in the last hour before the newest batch. Times are those of batches; where
/// they jump by more than the hour, it begins anew.
public struct RecentRate: Sendable, Hashable {
  private struct Slot: Hashable {
    var number: Int64
    var bytes: Int
    var values: Int
  }

  private static let slotMilliseconds: Int64 = 10_000
  private static let slotCount: Int64 = 360
  /// A rate of less says nothing.
  private static let fewestSlots = 3

  private var slots: [Slot] = []

  mutating func add(at time: Int64, bytes: Int, values: Int) {
    let number = time / Self.slotMilliseconds
    if let last = slots.last {
      if abs(number - last.number) >= Self.slotCount { slots = [] }
      // Late ones count as of now.
      if !slots.isEmpty, number <= last.number {
        slots[slots.count - 1].bytes += bytes
        slots[slots.count - 1].values += values
        return
      }
    }
    slots.append(Slot(number: number, bytes: bytes, values: values))
    if let first = slots.first, first.number <= number - Self.slotCount {
      slots.removeAll { $0.number <= number - Self.slotCount }
    }
  }

  /// The first slot and the last are not whole.
  private var whole: ArraySlice<Slot> { slots.dropFirst().dropLast() }

  /// Over how many seconds the rates are taken; `nil` where there are too few for any.
  public var seconds: Double? {
    guard slots.count >= Self.fewestSlots, let first = slots.first, let last = slots.last else {
      return nil
    }
    return Double((last.number - first.number - 1) * Self.slotMilliseconds) / 1000
  }

  /// Bytes of batches a second.
  public var bytesPerSecond: Double? {
    seconds.map { Double(whole.reduce(0) { $0 + $1.bytes }) / $0 }
  }

  /// Values a second.
  public var valuesPerSecond: Double? {
    seconds.map { Double(whole.reduce(0) { $0 + $1.values }) / $0 }
  }
}
