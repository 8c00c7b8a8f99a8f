internal import CLinux
internal import Glibc
public import Telemetry

/// The kernel's clocks.
public struct KernelClock: TimeSource {
  /// Makes a clock; it has no state.
  public init() {}

  /// CLOCK_BOOTTIME, its offset to CLOCK_REALTIME, and what `adjtimex` says of the latter.
  public func now() -> Timestamp {
    var boot: Int64 = 0
    var real: Int64 = 0
    CLinux_clocks(&boot, &real)
    let offset = (real - boot).roundedToMilliseconds
    return Timestamp(
      monotonic: boot / 1_000_000, offset: offset,
      clock: CLinux_clock_is_synchronised() == 1 ? .synced : .unsynced)
  }

  /// CLOCK_BOOTTIME.
  public var monotonic: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

extension Int64 {
  /// Nanoseconds to the nearest millisecond: truncation would let an offset flap by one.
  fileprivate var roundedToMilliseconds: Int64 {
    (self >= 0 ? self + 500_000 : self - 500_000) / 1_000_000
  }
}
