public import Telemetry

/// What names a batch for ever, also after a wiped card or a swapped board; the gateway's id
/// completes it.
public struct BatchIdentity: Sendable, Hashable {
  /// 64 random bits made with the store.
  public var store: UInt64
  /// The stream it stands in.
  public var stream: StreamName
  /// The start of that store in which it was made.
  public var epoch: UInt32
  /// Contiguous from 1 in each epoch and stream.
  public var seq: UInt64

  /// Makes an identity.
  public init(store: UInt64, stream: StreamName, epoch: UInt32, seq: UInt64) {
    self.store = store
    self.stream = stream
    self.epoch = epoch
    self.seq = seq
  }
}

/// An event as the journal keeps it: its typed details are JSON already, so that an agent can
/// deliver what another version of it wrote.
public struct StoredEvent: Sendable, Hashable {
  /// The event's random id.
  public var id: UInt64
  /// Milliseconds of the boot's monotonic clock.
  public var monotonic: Int64
  /// The event's severity.
  public var severity: Severity
  /// The event's `type`.
  public var type: String
  /// What it is about.
  public var source: String
  /// The members of its details as JSON, without braces; may be empty.
  public var details: [UInt8]

  /// Makes a stored event.
  public init(
    id: UInt64, monotonic: Int64, severity: Severity, type: String, source: String,
    details: [UInt8]
  ) {
    self.id = id
    self.monotonic = monotonic
    self.severity = severity
    self.type = type
    self.source = source
    self.details = details
  }
}

/// A sample as the journal gives it back; its wall time is `monotonic` + the batch's offset.
public struct StoredSample: Sendable, Hashable {
  /// The device and the names of its points.
  public var device: DeviceSchema
  /// Milliseconds of the boot's monotonic clock.
  public var monotonic: Int64
  /// Each due point once.
  public var outcomes: [PointOutcome]

  /// Makes a stored sample.
  public init(device: DeviceSchema, monotonic: Int64, outcomes: [PointOutcome]) {
    self.device = device
    self.monotonic = monotonic
    self.outcomes = outcomes
  }
}

/// One batch as it was appended and as it is published.
public struct Batch: Sendable, Hashable {
  /// What it carries, by stream.
  public enum Body: Sendable, Hashable {
    case samples([StoredSample])
    case events([StoredEvent])
  }

  /// Its name.
  public var identity: BatchIdentity
  /// The boot its times belong to.
  public var boot: BootID
  /// Wall time minus monotonic time, in milliseconds, for all of the batch.
  public var offset: Int64
  /// Whether the wall clock was synchronised for all of the batch.
  public var clock: ClockState
  /// Whether `offset` is what the boot learnt after the batch was read, in place of what it
  /// believed then.
  public var isCorrected = false
  /// Digest of the point definitions that its points refer to; 0 in the events stream.
  public var definitions: UInt32
  /// False when the store has failed and the batch exists in memory only.
  public var isDurable: Bool
  /// Samples or events.
  public var body: Body

  /// Makes a batch.
  public init(
    identity: BatchIdentity, boot: BootID, offset: Int64, clock: ClockState, definitions: UInt32,
    isDurable: Bool, body: Body
  ) {
    self.identity = identity
    self.boot = boot
    self.offset = offset
    self.clock = clock
    self.definitions = definitions
    self.isDurable = isDurable
    self.body = body
  }

  /// Wall time of its newest sample or event in Unix milliseconds; 0 for an empty one.
  public var newestTime: Int64 {
    let newest: Int64? =
      switch body {
      case .samples(let samples): samples.map(\.monotonic).max()
      case .events(let events): events.map(\.monotonic).max()
      }
    return newest.map { $0 &+ offset } ?? 0
  }
}
