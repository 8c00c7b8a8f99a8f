internal import LinuxSystem

/// Which loops are stuck, and what changed of it since the last look. Pure; times are those of
/// `Heartbeat`.
struct LoopWatch {
  /// A loop got stuck, or turns again.
  struct Change: Equatable {
    var name: String
    /// By how many milliseconds its turn is late; `nil` for one that turns again.
    var lateness: Int64?
  }

  /// The names of those that are stuck.
  private(set) var stuck: Set<String> = []

  /// Looks at all loops there are now. One that is gone is forgotten.
  mutating func look(at loops: [Heartbeat], now: Int64) -> [Change] {
    var late: Set<String> = []
    var changes: [Change] = []
    for loop in loops {
      let lateness = loop.lateness(at: now)
      if lateness != nil { late.insert(loop.name) }
      if (lateness != nil) != stuck.contains(loop.name) {
        changes.append(Change(name: loop.name, lateness: lateness))
      }
    }
    stuck = late
    return changes
  }
}
