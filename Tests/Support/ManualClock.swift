internal import LinuxSystem
public import Telemetry

/// A clock that stands still until a test moves it.
public final class ManualClock: TimeSource {
  private let time: Monitor<Timestamp>

  /// Starts a minute after boot on 2026-11-21, synchronised.
  public init(
    _ start: Timestamp = Timestamp(monotonic: 60_000, offset: 1_795_219_200_000, clock: .synced)
  ) {
    time = Monitor(start)
  }

  /// The time it was set to.
  public func now() -> Timestamp { time.withLock { $0 } }

  /// Lets `milliseconds` pass on both clocks.
  public func advance(by milliseconds: Int64) {
    time.withLock { $0.monotonic += milliseconds }
  }

  /// Steps the wall clock.
  public func step(by milliseconds: Int64, to clock: ClockState? = nil) {
    time.withLock {
      $0.offset += milliseconds
      if let clock { $0.clock = clock }
    }
  }
}
