internal import LinuxSystem
internal import Telemetry

/// What the clocks of the board's boots turned out to be: enough to give samples that were read
/// before the clock was set the time that they were read at. Pure.
struct ClockHistory: Hashable {
  /// Boots that are kept though nothing of them is in the store any more: what a receiver may still
  /// ask about.
  static let mostBoots = 64
  /// Boots that are kept at all: a board that boots every ten minutes for a week, without ever
  /// learning the time at once. Older backlog keeps the times that it has.
  static let mostBootsInStore = 1024

  /// When a boot learnt the time, and what its clocks differ by since.
  struct Synchronisation: Hashable {
    /// Milliseconds of the boot's monotonic clock.
    var monotonic: Int64
    /// Wall time less monotonic time, in milliseconds.
    var offset: Int64
  }

  /// A change of the running boot's offset.
  struct Step: Hashable {
    /// When, by the monotonic clock.
    var monotonic: Int64
    /// By how many milliseconds.
    var milliseconds: Int64
  }

  struct Boot: Hashable {
    var boot: BootID
    /// The first and last epoch that began in it.
    var store: UInt64
    var epochs: ClosedRange<UInt32>
    /// Its first `clock` event to `synced`.
    var firstSynced: Synchronisation?
    /// The offset that was journalled last.
    var lastOffset: Int64
    /// Whether samples may have been read of which later events say more than the batch does.
    var hasUndated: Bool
  }

  /// Oldest first; the last one may be the one that runs.
  private(set) var boots: [Boot] = []
  /// The newest step of the boot that runs, by this process's knowledge.
  private(set) var lastStep: Step?

  /// Takes a `clock` event that is journalled.
  mutating func note(_ clock: ClockDetail, at monotonic: Int64, in epoch: AckSet.EpochID) {
    if clock.from != nil, clock.step != 0 {
      lastStep = Step(monotonic: monotonic, milliseconds: clock.step)
    }
    let synchronisation =
      clock.to == .synced ? Synchronisation(monotonic: monotonic, offset: clock.offset) : nil
    guard let place = boots.lastIndex(where: { $0.boot == clock.boot }) else {
      boots.append(
        Boot(
          boot: clock.boot, store: epoch.store, epochs: epoch.epoch...epoch.epoch,
          firstSynced: synchronisation, lastOffset: clock.offset, hasUndated: false))
      return
    }
    var boot = boots[place]
    // A boot that knew the time from the start has nothing that has to be dated anew.
    if boot.firstSynced == nil {
      let change = clock.offset - boot.lastOffset
      boot.hasUndated =
        boot.hasUndated || synchronisation != nil
        || change.magnitude > BatchSplitter.largestOffsetChangeMilliseconds.magnitude
    }
    boot.firstSynced = boot.firstSynced ?? synchronisation
    boot.lastOffset = clock.offset
    boot.epochs =
      boot.store == epoch.store && epoch.epoch >= boot.epochs.lowerBound
      ? boot.epochs.lowerBound...epoch.epoch : epoch.epoch...epoch.epoch
    boot.store = epoch.store
    boots[place] = boot
  }

  /// What is known of the boot that runs is not in a record that could not be written meanwhile.
  mutating func takeOver(_ boot: BootID, from known: ClockHistory) {
    guard let running = known.boots.last(where: { $0.boot == boot }) else { return }
    boots.removeAll { $0.boot == boot }
    boots.append(running)
    lastStep = known.lastStep
  }

  /// Forgets boots that say nothing of any batch, and the oldest of too many; never the last.
  /// `held` are the epochs of which the store holds something.
  mutating func prune(held: Set<AckSet.EpochID>) {
    guard let last = boots.popLast() else { return }
    boots.removeAll { !$0.hasUndated }
    func isHeld(_ boot: Boot) -> Bool {
      held.contains { $0.store == boot.store && boot.epochs.contains($0.epoch) }
    }
    var surplus = boots.count + 1 - Self.mostBoots
    boots.removeAll { boot in
      guard surplus > 0, !isHeld(boot) else { return false }
      surplus -= 1
      return true
    }
    boots.append(last)
    boots.removeFirst(max(0, boots.count - Self.mostBootsInStore))
  }

  /// The batch with the times that are known by now. Only samples are dated anew, and only those
  /// that were read before their boot knew the time: once it did, the batch says what it is.
  /// `current` is the boot that runs.
  func dated(_ batch: Batch, current: BootID) -> Batch {
    guard batch.clock == .unsynced, case .samples(let samples) = batch.body,
      let newest = samples.map(\.monotonic).max(),
      let boot = boots.last(where: { $0.boot == batch.boot })
    else { return batch }
    var dated = batch
    if let known = boot.firstSynced {
      guard newest < known.monotonic else { return batch }
      dated.offset = known.offset
      dated.isCorrected = true
    } else if batch.boot != current {
      // It never learnt the time for certain. What it believed last is the best there is.
      dated.offset = boot.lastOffset
    }
    return dated
  }
}

extension ClockHistory {
  private static let isSynced: UInt8 = 1
  private static let hasUndated: UInt8 = 2

  /// The payload of its record.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 64 + boots.count * 40)
    writer.varint(UInt64(boots.count))
    for boot in boots {
      writer.fixed(boot.boot.rawValue)
      writer.fixed(boot.store)
      writer.fixed(boot.epochs.lowerBound)
      writer.fixed(boot.epochs.upperBound)
      writer.fixed(
        (boot.firstSynced == nil ? 0 : Self.isSynced) | (boot.hasUndated ? Self.hasUndated : 0))
      writer.zigzag(boot.lastOffset)
      guard let known = boot.firstSynced else { continue }
      writer.zigzag(known.monotonic)
      writer.zigzag(known.offset)
    }
    return writer.bytes
  }

  init(_ payload: [UInt8]) throws {
    boots = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var boots: [Boot] = []
      for _ in 0..<(try reader.count()) {
        let boot = BootID(rawValue: try reader.fixed(UInt32.self))
        let store = try reader.fixed(UInt64.self)
        let first = try reader.fixed(UInt32.self)
        let last = try reader.fixed(UInt32.self)
        guard first <= last else { throw MalformedBytes(description: "epochs in disorder") }
        let flags = try reader.fixed(UInt8.self)
        let offset = try reader.zigzag()
        var known: Synchronisation?
        if flags & Self.isSynced != 0 {
          known = Synchronisation(monotonic: try reader.zigzag(), offset: try reader.zigzag())
        }
        boots.append(
          Boot(
            boot: boot, store: store, epochs: first...last, firstSynced: known,
            lastOffset: offset, hasUndated: flags & Self.hasUndated != 0))
      }
      return boots
    }
  }
}
