/// How often a bus makes its connection anew because it gave it back, and what that takes of its
/// time: the first request waits for `pause-after-connect`. Estimated, for `BusPlan`.
struct ConnectionReopening: Sendable, Hashable {
  /// Without use for so many milliseconds, it is given back.
  private let rest: Double
  /// Milliseconds from opening to the first request.
  let pause: Double

  /// `nil` for a bus that keeps its connection, or is ready as soon as it has one.
  init?(_ manners: BusManners) {
    guard let rest = manners.restAfterMilliseconds, manners.pauseAfterConnectMilliseconds > 0
    else { return nil }
    self.rest = Double(rest)
    pause = Double(manners.pauseAfterConnectMilliseconds)
  }

  /// The share of the bus's time while units are asked in these periods, all together for `busy`
  /// milliseconds. Those that are due at the same times share an opening.
  func load(of periods: Set<Int64>, busy: Double) -> Double {
    guard let shortest = periods.min(), Double(shortest) - busy > rest else { return 0 }
    return pause
      * periods.filter { period in
        !periods.contains { $0 < period && period.isMultiple(of: $0) }
      }.reduce(0) { $0 + 1 / Double($1) }
  }

  /// The same of dead units that are asked once in each of these many milliseconds, from when the
  /// connection is ready.
  func load(ofDead intervals: [Double]) -> Double {
    let openings = intervals.reduce(0) { $1 > rest ? $0 + 1 / ($1 + pause) : $0 }
    // Each needs a rest before it.
    return pause * min(openings, 1 / (rest + pause))
  }
}
