/// What the retained `health` topic says of the agent, without the part that is different for each
/// destination. A value: whoever holds one sees one moment.
public struct HealthReport: Sendable, Hashable {
  /// A bus, device, line, area or destination by name, or something of the agent's own.
  public struct Part: Sendable, Hashable {
    /// What the part is.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
      case bus
      case device
      case line
      /// One whose people are counted.
      case area
      case destination
      /// Of the agent itself, such as its control socket; listed only while it has a fault.
      case agent
    }

    /// Bus, device, line, area, destination or agent.
    public var kind: Kind
    /// Its configured name.
    public var name: String
    /// `nil` while it does its work, else what is wrong, such as `timeout`.
    public var fault: String?
    /// Unix milliseconds since when `fault` (or its absence) has held.
    public var since: Int64
    /// When its newest good value was measured, in this boot, a bus's being the newest of its
    /// devices'; `nil` where there was none yet or none applies.
    public var newestValue: Timestamp?

    /// Makes a part's entry.
    public init(kind: Kind, name: String, fault: String?, since: Int64, newestValue: Timestamp?) {
      self.kind = kind
      self.name = name
      self.fault = fault
      self.since = since
      self.newestValue = newestValue
    }
  }

  /// When the report was made.
  public var time: Timestamp
  /// Every configured part, in the configuration's order.
  public var parts: [Part]
  /// `nil` while the store takes what it is given, else why not.
  public var storeFault: String?

  /// Makes a report.
  public init(time: Timestamp, parts: [Part], storeFault: String?) {
    self.time = time
    self.parts = parts
    self.storeFault = storeFault
  }

  /// Whether no part has a fault and the store has none. What is measured has no part in it: a
  /// value out of its range leaves the agent healthy.
  public var isHealthy: Bool { storeFault == nil && parts.allSatisfy { $0.fault == nil } }
}

/// Where an uplink asks for the agent's health when it is about to publish it.
public protocol HealthSource: Sendable {
  /// The agent's health at this moment.
  func report() -> HealthReport
}
