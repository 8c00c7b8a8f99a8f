/// What became of one due point.
public enum Outcome: Sendable, Hashable {
  case good(Value)
  /// `raw` is the value that was read and is not trusted, for reasons that have one.
  case bad(BadReason, raw: Value? = nil)
}

/// A point of a device and what became of it.
public struct PointOutcome: Sendable, Hashable {
  /// Index into the device's `DeviceSchema.points`.
  public var point: Int
  /// Its value, or why it has none.
  public var outcome: Outcome

  /// Pairs a point with its outcome.
  public init(point: Int, outcome: Outcome) {
    self.point = point
    self.outcome = outcome
  }
}

/// The outcome of one transaction with a device: the points it was to yield, each with a value or
/// a reason, and when its answer arrived (for a failure, when it was due).
public struct Sample: Sendable, Hashable {
  /// The device, shared by reference.
  public var device: DeviceSchema
  /// When the answer arrived, or was due.
  public var time: Timestamp
  /// Each due point once.
  public var outcomes: [PointOutcome]

  /// Makes a sample.
  public init(device: DeviceSchema, time: Timestamp, outcomes: [PointOutcome]) {
    self.device = device
    self.time = time
    self.outcomes = outcomes
  }
}

/// Where the field side hands over what it read. An implementation never blocks and never fails:
/// a full buffer drops its oldest sample and accounts for it.
public protocol SampleSink: Sendable {
  /// Takes a sample over.
  func accept(_ sample: Sample)
  /// Takes an event over.
  func accept(_ event: Event)
}
