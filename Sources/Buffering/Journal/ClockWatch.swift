internal import Telemetry

/// Notices when the wall clock is stepped or becomes synchronised. Pure.
struct ClockWatch {
  private let boot: BootID
  private var last: Timestamp?

  init(boot: BootID) { self.boot = boot }

  /// The event for a reading of the clocks that differs from what was last reported; the first
  /// reading always makes one, since it tells the receivers the boot's offset.
  mutating func observe(_ now: Timestamp) -> Event? {
    let step = last.map { now.offset - $0.offset } ?? 0
    if let last, last.clock == now.clock,
      step.magnitude <= BatchSplitter.largestOffsetChangeMilliseconds.magnitude
    {
      return nil
    }
    defer { last = now }
    return Event(
      time: now, severity: last == nil || now.clock == .synced ? .info : .warning,
      source: "agent",
      detail: .clock(
        ClockDetail(from: last?.clock, to: now.clock, boot: boot, offset: now.offset, step: step)))
  }
}
