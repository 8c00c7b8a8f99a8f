import Drivers

extension KnownTotal: ExpressibleByIntegerLiteral {
  /// One that is known, and whole.
  /// A total that nothing is missing of.
  public init(integerLiteral total: UInt64) { self.init(total) }
}
