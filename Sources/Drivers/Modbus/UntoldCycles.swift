/// Cycles of a device that passed unasked and stand in no sample, until a gap event tells of them.
/// Pure; times are monotonic milliseconds.
struct UntoldCycles: Sendable, Hashable {
  /// Between two such events of a device. A period that the bus can't keep makes an overrun of each
  /// cycle; untold they would be cut off by a kill, told each they would push alarms out of the
  /// stream of events.
  static let spacing: Int64 = 10_000

  /// What an event says.
  struct Account: Sendable, Hashable {
    /// When the first and the last of them were due.
    var first: Int64
    var last: Int64
    var count: Int
  }

  private var account: Account?
  private var toldAt: Int64?

  /// Takes cycles in; of several requests in any order.
  mutating func add(_ missed: MissedCycles) {
    guard let last = missed.last else { return }
    account = Account(
      first: min(account?.first ?? missed.first, missed.first),
      last: max(account?.last ?? last, last), count: (account?.count ?? 0) + missed.count)
  }

  /// What is to be told at `now`: nothing shortly after the last time, unless it `isLast`.
  mutating func take(at now: Int64, isLast: Bool) -> Account? {
    guard let account, isLast || toldAt.map({ $0 + Self.spacing <= now }) ?? true else {
      return nil
    }
    self.account = nil
    toldAt = now
    return account
  }
}
