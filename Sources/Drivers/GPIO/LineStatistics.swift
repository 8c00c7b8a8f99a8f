public import Telemetry

/// What is known of a line, for `status`.
public struct LineStatistics: Sendable, Hashable {
  /// The debounced level; `nil` while it is not known.
  public var isActive: Bool?
  /// When the newest edge came, debounced ones only.
  public var lastEdge: Timestamp?
  /// Of a count: what it is.
  public var total: UInt64?
  /// How often something showed that edges may be missing.
  public var suspects: UInt64
  /// Edges that were taken since the start, before debounce.
  public var edges: UInt64
  /// Why it can't be read, in words; `nil` while it can.
  public var fault: String?
  /// Who else holds it.
  public var consumer: String?
  /// Where it was found, such as `gpiochip0 (bank-a) line 4`.
  public var place: String?

  /// Makes statistics.
  public init(
    isActive: Bool? = nil, lastEdge: Timestamp? = nil, total: UInt64? = nil, suspects: UInt64 = 0,
    edges: UInt64 = 0, fault: String? = nil, consumer: String? = nil, place: String? = nil
  ) {
    self.isActive = isActive
    self.lastEdge = lastEdge
    self.total = total
    self.suspects = suspects
    self.edges = edges
    self.fault = fault
    self.consumer = consumer
    self.place = place
  }
}
