import Telemetry

/// What is held of one stream in one epoch, and whether the copies of a batch agree.
struct HeldStream: Sendable {
  /// What the account keeps of a batch.
  struct Batch: Sendable, Hashable {
    /// Hash of what the identity fixes.
    var fingerprint: Int
    /// Monotonic times of its oldest and newest sample, ms; `nil` for an empty batch.
    var span: ClosedRange<Int64>?
    /// Wall minus monotonic time, ms; a corrected copy's wins.
    var offset: Int64
    /// What the wall time is worth; a corrected copy's wins.
    var clock: BatchClock
    /// How many samples it has; 0 for events.
    var samples: Int
  }

  /// What a batch is to what is held already.
  enum Copy: Sendable, Hashable {
    case new
    /// The same content again.
    case repeated
    /// The same identity and boot with other content.
    case conflicting
  }

  private struct Key: Sendable, Hashable {
    var seq: UInt64
    var boot: BootID
  }

  /// The seqs held.
  private(set) var seqs = SeqSet()
  /// The boots it was sent from: more than one means that two boards run one card.
  private(set) var boots: Set<BootID> = []
  private var batches: [Key: Batch] = [:]

  /// Holds a batch; the content of the first copy stays.
  mutating func hold(_ batch: ReceivedBatch) -> Copy {
    let key = Key(seq: batch.seq, boot: batch.boot)
    boots.insert(batch.boot)
    guard let held = batches[key] else {
      seqs.insert(batch.seq)
      batches[key] = Batch(batch)
      return .new
    }
    guard held.fingerprint == batch.fingerprint else { return .conflicting }
    if batch.clock == .corrected { batches[key] = Batch(batch) }
    return .repeated
  }

  /// The batches with this seq: one, but for a cloned card.
  func batches(_ seq: UInt64) -> [(boot: BootID, batch: Batch)] {
    boots.compactMap { boot in batches[Key(seq: seq, boot: boot)].map { (boot, $0) } }
  }

  /// All batches with their boots, in no order.
  var all: some Sequence<(boot: BootID, batch: Batch)> {
    batches.lazy.map { ($0.key.boot, $0.value) }
  }
}

extension HeldStream.Batch {
  fileprivate init(_ batch: ReceivedBatch) {
    var samples = 0
    if case .samples(let list) = batch.body { samples = list.count }
    self.init(
      fingerprint: batch.fingerprint, span: batch.monotonicSpan, offset: batch.offset,
      clock: batch.clock, samples: samples)
  }
}
