import Telemetry

/// A store's epoch of one gateway: what seqs are counted in, together with the stream.
struct EpochName: Sendable, Hashable, Comparable {
  var gateway: String
  /// 64 random bits made with the store.
  var store: UInt64
  /// The start of that store.
  var epoch: UInt32

  static func < (left: EpochName, right: EpochName) -> Bool {
    (left.gateway, left.store, left.epoch) < (right.gateway, right.store, right.epoch)
  }
}

/// One stream of one epoch: seqs are contiguous from 1 in it.
struct StreamEpoch: Sendable, Hashable, Comparable {
  var epoch: EpochName
  var stream: StreamName

  static func < (left: StreamEpoch, right: StreamEpoch) -> Bool {
    (left.epoch, left.stream.rawValue) < (right.epoch, right.stream.rawValue)
  }
}

/// What the clock of a batch's times was.
enum BatchClock: String, Sendable, Hashable {
  case synced
  case unsynced
  /// Re-dated by the agent after the boot learnt the time.
  case corrected
}

/// A decoded batch of samples or events.
struct ReceivedBatch: Sendable, Hashable {
  /// What it carries, by stream.
  enum Body: Sendable, Hashable {
    case samples([ReceivedSample])
    case events([ReceivedEvent])
  }

  /// Where its seq is counted.
  var stream: StreamEpoch
  /// Its number there, from 1.
  var seq: UInt64
  /// The boot its monotonic times belong to.
  var boot: BootID
  /// Wall time minus monotonic time, ms.
  var offset: Int64
  /// What the wall time is worth.
  var clock: BatchClock
  /// The digest of the point definitions; absent in the events stream.
  var points: String?
  /// False when it was delivered from RAM because the store had failed.
  var isDurable: Bool
  /// What it carries.
  var body: Body
}

/// One transaction's points.
struct ReceivedSample: Sendable, Hashable {
  var device: String
  /// The boot's monotonic time, ms.
  var monotonic: Int64
  /// The points by name in the order of their names, each once.
  var readings: [PointReading]
  /// The `flags` member as it stands.
  var flags: JSONValue?
}

/// A point and what became of it, its value as printed.
struct PointReading: Sendable, Hashable {
  enum Outcome: Sendable, Hashable {
    case good(String)
    /// `raw` is the value that was read and is not trusted.
    case bad(BadReason, raw: String?)
  }

  var point: String
  var outcome: Outcome
}

/// An event with the statements that the account needs.
struct ReceivedEvent: Sendable, Hashable {
  /// Typed details of the events that explain something.
  enum Statement: Sendable, Hashable {
    case start([EpochSummary])
    case gap(GapDetail)
    case clock(ClockDetail)
    /// An event that explains no hole.
    case other
  }

  /// The boot's monotonic time, ms.
  var monotonic: Int64
  /// What it states.
  var statement: Statement
  /// All members but the time, which may differ between copies.
  var content: [String: JSONValue]
}

extension ReceivedBatch {
  /// Monotonic times of the oldest and newest sample or event, ms; `nil` for an empty batch.
  var monotonicSpan: ClosedRange<Int64>? {
    let times =
      switch body {
      case .samples(let samples): samples.map(\.monotonic)
      case .events(let events): events.map(\.monotonic)
      }
    guard let oldest = times.min(), let newest = times.max() else { return nil }
    return oldest...newest
  }

  /// A hash of what the identity fixes: boot, definitions, monotonic times, values. Copies may
  /// differ in time, offset, clock and durability. The hash is good within one run of the program.
  var fingerprint: Int {
    var hasher = Hasher()
    hasher.combine(boot)
    hasher.combine(points)
    hasher.combine(body)
    return hasher.finalize()
  }
}
