/// When a store that can't be written is tried again. A pure value.
struct StoreOutage {
  /// Soon at first, so that a card which is put back is used at once; later seldom enough to wear
  /// nothing out: opening a store reads all of its headers.
  static let firstSeconds = 1.0
  static let longestSeconds = 60.0

  private var waitSeconds = firstSeconds
  private(set) var retryAt: ContinuousClock.Instant?
  private var endedAt: ContinuousClock.Instant?

  /// Whether there is one.
  var isOn: Bool { retryAt != nil }

  /// It begins, or an attempt to end it was in vain.
  mutating func failed(at now: ContinuousClock.Instant) {
    if isOn {
      waitSeconds = min(2 * waitSeconds, Self.longestSeconds)
    } else if let endedAt, now - endedAt < .seconds(Self.longestSeconds) {
      // A disk that comes and goes is not opened every second.
      waitSeconds = min(2 * waitSeconds, Self.longestSeconds)
    } else {
      waitSeconds = Self.firstSeconds
    }
    retryAt = now + .seconds(waitSeconds)
  }

  /// The store was opened.
  mutating func ended(at now: ContinuousClock.Instant) {
    retryAt = nil
    endedAt = now
  }
}
