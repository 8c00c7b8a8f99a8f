internal import CLinux
internal import Glibc
internal import Synchronization
public import Telemetry

/// The kernel's clocks.
public struct KernelClock: TimeSource {
  /// Makes a clock; it has no state.
  public init() {}

  /// CLOCK_BOOTTIME, its offset to CLOCK_REALTIME, and what `adjtimex` says of the latter, or said
  /// less than `answerMilliseconds` ago.
  public func now() -> Timestamp {
    var boot: Int64 = 0
    var real: Int64 = 0
    CLinux_clocks(&boot, &real)
    let offset = (real - boot).roundedToMilliseconds
    let monotonic = boot / 1_000_000
    return Timestamp(
      monotonic: monotonic, offset: offset,
      clock: Self.isSynchronised(at: monotonic, offset: offset) ? .synced : .unsynced)
  }

  /// CLOCK_BOOTTIME.
  public var monotonic: Int64 { monotonicNanoseconds / 1_000_000 }

  /// CLOCK_BOOTTIME.
  public var monotonicNanoseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// How long an answer of `adjtimex` holds, unless the wall clock is set meanwhile: other than the
  /// clocks it is a system call, and each request of a bus asks several times.
  private static let answerMilliseconds: Int64 = 16

  /// The newest answer in the lowest bit, and above it the time that it is of. One number, so that
  /// the parts of two threads' answers never mix.
  private static let answer = Atomic<UInt64>(0)

  private static func isSynchronised(at monotonic: Int64, offset: Int64) -> Bool {
    // 31 bits of the time, a year, and 32 of the offset, 49 days.
    let slot = UInt64(truncatingIfNeeded: monotonic / answerMilliseconds + 1) << 33
    let key = slot | UInt64(UInt32(truncatingIfNeeded: offset)) << 1
    let known = answer.load(ordering: .relaxed)
    if known & ~1 == key { return known & 1 == 1 }
    let isSynchronised = CLinux_clock_is_synchronised() == 1
    answer.store(key | (isSynchronised ? 1 : 0), ordering: .relaxed)
    return isSynchronised
  }
}

extension Int64 {
  /// Nanoseconds to the nearest millisecond: truncation would let an offset flap by one.
  fileprivate var roundedToMilliseconds: Int64 {
    (self >= 0 ? self + 500_000 : self - 500_000) / 1_000_000
  }
}
