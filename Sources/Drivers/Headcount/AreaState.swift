public import Telemetry

/// What is known of an area, for `status` and for who sets a count.
public struct AreaState: Sendable, Hashable {
  /// A source of the count that is lost.
  public struct Fault: Sendable, Hashable {
    /// The line, or the device and its point as `device.point`.
    public var source: String
    /// Why.
    public var reason: BadReason

    /// Makes one.
    public init(source: String, reason: BadReason) {
      self.source = source
      self.reason = reason
    }
  }

  /// A gate and what passed it.
  public struct GateBalance: Sendable, Hashable {
    /// The gate's name.
    public var name: String
    /// Who entered by it less who left by it, since it was last set.
    public var balance: Int64

    /// Makes one.
    public init(name: String, balance: Int64) {
      self.name = name
      self.balance = balance
    }
  }

  /// The configured name.
  public var name: String
  /// The count as samples have it.
  public var count: Outcome
  /// What the gates say; `nil` for an area without any.
  public var balance: Int64?
  /// Each gate's part.
  public var gates: [GateBalance]
  /// What the devices' points say, in sum; `nil` while one of them was never read.
  public var reported: Int64?
  /// How many may be there.
  public var quota: Int64?
  /// Milliseconds since the source that is oldest was last known to be good.
  public var ageMilliseconds: Int64
  /// What is lost.
  public var faults: [Fault]

  /// Makes a state.
  public init(
    name: String, count: Outcome, balance: Int64?, gates: [GateBalance], reported: Int64?,
    quota: Int64?, ageMilliseconds: Int64, faults: [Fault]
  ) {
    self.name = name
    self.count = count
    self.balance = balance
    self.gates = gates
    self.reported = reported
    self.quota = quota
    self.ageMilliseconds = ageMilliseconds
    self.faults = faults
  }
}

/// Why an area's count is not set.
public enum HeadcountRefusal: Error, Sendable, Hashable {
  /// There is no such area.
  case noArea(String)
  /// The area has no gates, so nothing is counted that could be set.
  case noGates(String)
  /// Not a number of people: outside 0…`Headcount.mostPersons`.
  case outOfRange(Int64)
}
