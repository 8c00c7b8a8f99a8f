internal import LinuxSystem
public import Telemetry

/// Counts the people in areas, from gates and from what devices state. Calls may come from any
/// thread; the sink is called without a lock held, in order.
public final class Headcount: Sendable {
  /// The largest number that an operator may set: far more than any mine has, and small enough that
  /// no sum overflows.
  public static let mostPersons: Int64 = 1_000_000

  /// Begins to count.
  /// - Parameter restored: the newest sample of each area that the journal has, by its name.
  public init(
    _ areas: [AreaDefinition], restored: [String: Sample], sink: any SampleSink,
    clock: any TimeSource
  ) {}

  /// A change of a line.
  public func accept(_ transition: LineTransition) {}

  /// A line can't be read, or can again.
  public func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {}

  /// Edges of a line may be missing.
  public func lineIsSuspect(_ name: String, at time: Timestamp) {}

  /// A sample of any device; those that areas name are looked at.
  public func take(_ sample: Sample) {}

  /// An operator knows how many people are there: what the gates say is `count` from now on.
  public func set(
    area: String, to count: Int64, operator: String, reason: String
  ) throws(HeadcountRefusal) -> AreaState {
    throw .noArea(area)
  }

  /// Emits the samples that are due.
  /// - Returns: when to be called next, in milliseconds of the monotonic clock; `nil`: there are no
  ///   areas.
  public func tick() -> Int64? { nil }

  /// All areas as they are, in the order of their definitions.
  public var states: [AreaState] { [] }
}
