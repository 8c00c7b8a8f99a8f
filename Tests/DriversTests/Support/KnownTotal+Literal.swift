import Drivers

extension KnownTotal: ExpressibleByIntegerLiteral {
  public init(integerLiteral total: UInt64) { self.init(total) }
}
