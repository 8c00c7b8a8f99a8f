internal import Telemetry

/// Tells when a device is lost and when it is back, once each.
struct DeviceWatch: Sendable, Hashable {
  /// Cycles in a row without a good answer after which a device is lost: one is noise on a line,
  /// and a methane reading that is missing longer than this has to be seen.
  static let toleratedCycles = 3

  private var failedCycles = 0
  private var newestFailure = Int64.min
  private var isLost = false

  /// Makes a watch of a device that is taken for present.
  init() {}

  /// The device gave values; returns what to report.
  mutating func recordValues() -> StateDetail? {
    defer { self = DeviceWatch() }
    return isLost ? StateDetail(state: "recovered") : nil
  }

  /// A request that was due at `time` (monotonic milliseconds) yielded no values; returns what to
  /// report. Several requests of one cycle count once.
  mutating func recordFailure(dueAt time: Int64, reason: BadReason) -> StateDetail? {
    guard !isLost, time > newestFailure else { return nil }
    newestFailure = time
    failedCycles += 1
    guard failedCycles >= Self.toleratedCycles else { return nil }
    isLost = true
    return StateDetail(state: "lost", reason: "\(reason)")
  }
}

/// Tells when a bus opens and closes, once each, and why it is still closed when that changes.
struct BusWatch: Sendable, Hashable {
  /// Milliseconds between two reasons of one outage, doubled with each up to the longest: a station
  /// that now refuses and now hangs up would change with each attempt.
  static let reasonPauses: ClosedRange<Int64> = 10_000...640_000

  private var known: Bool?
  private var toldReason = ""
  private var nextReason = Int64.min
  private var reasonPause = BusWatch.reasonPauses.lowerBound
  /// Whether it was told that the bus is open.
  var isOpen: Bool { known == true }

  /// Makes a watch of a bus of which nothing is known.
  init() {}

  /// The connection proved good; returns what to report.
  mutating func recordOpen() -> StateDetail? {
    guard known != true else { return nil }
    known = true
    return StateDetail(state: "open")
  }

  /// Points could not be read for want of a connection at `now` (monotonic milliseconds); returns
  /// what to report.
  mutating func recordClosed(reason: String, at now: Int64) -> StateDetail? {
    if known == false {
      guard reason != toldReason, now >= nextReason else { return nil }
      reasonPause = min(2 * reasonPause, Self.reasonPauses.upperBound)
    } else {
      reasonPause = Self.reasonPauses.lowerBound
    }
    known = false
    toldReason = reason
    nextReason = now + reasonPause
    return StateDetail(state: "closed", reason: reason)
  }
}
