import Drivers

extension KnownTotal: ExpressibleByIntegerLiteral {
  /// One that is known, and whole.
  public init(integerLiteral total: UInt64) { self.init(total) }
}
