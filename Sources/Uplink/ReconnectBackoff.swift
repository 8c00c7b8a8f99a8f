/// How long to wait before the next attempt to connect. What failed without reaching a broker may
/// be repeated at once; what a broker had to work for is repeated ever more slowly, so that ten
/// thousand gateways do not hold down one that recovers.
struct ReconnectBackoff {
  /// Who paid for the attempt that failed.
  enum Cost: Equatable, Sendable {
    /// Refused, no route, no name: nobody did any work.
    case nobodys
    /// A time-out or a refusal by the broker.
    case brokers
  }

  /// After a failure that cost nobody anything: fresh data within about a second of a restart.
  static let quickMilliseconds: ClosedRange<Int64> = 500...1_000
  /// Decorrelated jitter: each delay is drawn between the base and three times the one before.
  static let baseMilliseconds: Int64 = 1_000
  /// The longest delay; a gateway is silent no longer than this once its broker is well.
  static let longestMilliseconds: Int64 = 60_000
  /// A connection that held this long shows that the broker is well.
  static let stableMilliseconds: Int64 = 30_000

  private var generator: any RandomNumberGenerator
  private var previous = baseMilliseconds

  init(generator: any RandomNumberGenerator) { self.generator = generator }

  /// Milliseconds to wait after a failure.
  mutating func delay(after cost: Cost) -> Int64 {
    switch cost {
    case .nobodys:
      return Int64.random(in: Self.quickMilliseconds, using: &generator)
    case .brokers:
      let most = min(Self.longestMilliseconds, previous * 3)
      previous = Int64.random(in: Self.baseMilliseconds...most, using: &generator)
      return previous
    }
  }

  /// Begins anew, after a connection that was stable.
  mutating func reset() { previous = Self.baseMilliseconds }
}
