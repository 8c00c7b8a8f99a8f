/// Limits history to a rate. A batch may be sent while the balance is above zero and is charged in
/// full, so that the balance may fall below it: no batch is too large to be sent at all.
struct TokenBucket: Sendable {
  /// Bytes a second, `nil` for no limit.
  let rate: Int?
  // Thousandths of a byte, so that a millisecond's worth of a low rate is not lost.
  private var balance: Int64
  private var filledAt: Int64

  /// Begins with one second's worth. Times are milliseconds of a monotonic clock.
  init(bytesPerSecond rate: Int?, now: Int64) {
    precondition(rate.map { $0 > 0 } ?? true, "a rate of 0 would never send")
    self.rate = rate
    balance = Int64(rate ?? 0) * 1000
    filledAt = now
  }

  /// When the next batch may go; not later than `now` if it may go at once.
  mutating func readyAt(_ now: Int64) -> Int64 {
    guard let rate else { return now }
    fill(now)
    if balance > 0 { return now }
    return now + (-balance) / Int64(rate) + 1
  }

  /// Charges a batch that was sent.
  mutating func take(_ bytes: Int, now: Int64) {
    guard rate != nil else { return }
    fill(now)
    balance -= Int64(bytes) * 1000
  }

  private mutating func fill(_ now: Int64) {
    guard let rate, now > filledAt else { return }
    let full = Int64(rate) * 1000
    // A long pause fills the bucket and no more; multiplied out it could overflow.
    let milliseconds = min(now - filledAt, 1000 + (full - balance) / Int64(rate))
    balance = min(full, balance + milliseconds * Int64(rate))
    filledAt = now
  }
}
