/// Spreads what is asked of a bus over its periods: were everything due at one moment, a slow
/// period's requests would all stand in the way of a fast one's.
enum PhaseSpread {
  /// Phases are whole multiples of this, in milliseconds: each costs the bus's thread a wakeup, and
  /// a burst this short delays nobody.
  static let slot: Int64 = 50
  /// Periods up to this, in milliseconds, are spread over themselves; so long after the start their
  /// first values are there.
  static let quickPeriod: Int64 = 1_000
  /// How full the line may be while the points of longer periods are asked for the first time: as
  /// soon as can be, and still with room for a time-out or two.
  static let fill = 0.8
  /// What they get of a line that the quick ones fill alone.
  static let leastShare = 0.1

  /// What is asked together, a device's points of one period.
  struct Load: Sendable, Hashable {
    /// Milliseconds between two times.
    var every: Int64
    /// Bus time of one time, in microseconds.
    var microseconds: Int64
    /// Whether its first values come before others of its period.
    var isSafety = false
  }

  /// When each is due first, in milliseconds after the start and less than its period: quick ones
  /// evenly over their period, by the time that they take; the others one after the other as fast
  /// as the line carries them beside the quick ones, over a second at least.
  static func phases(of loads: [Load]) -> [Int64] {
    var phases = [Int64](repeating: 0, count: loads.count)
    let order = loads.indices.sorted {
      (loads[$0].every, loads[$0].isSafety ? 0 : 1, $0)
        < (loads[$1].every, loads[$1].isSafety ? 0 : 1, $1)
    }
    let quick = order.filter { loads[$0].every <= quickPeriod }
    for (every, members) in Dictionary(grouping: quick, by: { loads[$0].every }) {
      let total = members.reduce(0) { $0 + loads[$1].microseconds }
      place(members, of: loads, over: Double(every) * 1000 / Double(max(1, total)), &phases)
    }
    let slow = order.filter { loads[$0].every > quickPeriod }
    let carried = quick.reduce(0) {
      $0 + Double(loads[$1].microseconds) / 1000 / Double(loads[$1].every)
    }
    let total = Double(slow.reduce(0) { $0 + loads[$1].microseconds })
    let share = max(leastShare, fill - carried)
    let stretch = max(1 / share, Double(quickPeriod) * 1000 / max(1, total))
    place(slow, of: loads, over: stretch, &phases)
    return phases
  }

  /// When what was missed is asked for beside the cycles, which take `carried` of the line's time,
  /// in milliseconds: safety first, one after the other as fast as the line carries them.
  static func turns(of missed: [Load], beside carried: Double) -> [Int64] {
    var turns = [Int64](repeating: 0, count: missed.count)
    var microseconds = 0.0
    let stretch = 1 / max(leastShare, fill - carried)
    for index in missed.indices.sorted(by: {
      (missed[$0].isSafety ? 0 : 1, $0) < (missed[$1].isSafety ? 0 : 1, $1)
    }) {
      turns[index] = Int64(microseconds * stretch / 1000)
      microseconds += Double(missed[index].microseconds)
    }
    return turns
  }

  /// One after the other, `stretch` times as long as they take.
  private static func place(
    _ members: [Int], of loads: [Load], over stretch: Double, _ phases: inout [Int64]
  ) {
    var microseconds: Int64 = 0
    for index in members {
      let offset = Int64(Double(microseconds) * stretch / 1000) % loads[index].every
      phases[index] = offset / slot * slot
      microseconds += loads[index].microseconds
    }
  }
}
