/// What is known of a count from before.
public struct KnownTotal: Sendable, Hashable {
  /// Its newest total; `nil` if none is known.
  public var total: UInt64?
  /// Whether there may have been a newer one that can't be read any more.
  public var isDamaged: Bool

  /// Makes one.
  public init(_ total: UInt64?, isDamaged: Bool = false) {
    self.total = total
    self.isDamaged = isDamaged
  }
}
