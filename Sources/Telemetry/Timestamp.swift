/// Whether the kernel holds the wall clock for synchronised (`adjtimex`, not `STA_UNSYNC`).
public enum ClockState: String, Sendable, Hashable {
  case synced
  case unsynced
}

/// When something was measured: the boot's monotonic clock, and what the wall clock was believed
/// to be at that moment. Milliseconds throughout, as in the payloads.
public struct Timestamp: Sendable, Hashable {
  /// Milliseconds of CLOCK_BOOTTIME: never steps, counts suspend, starts near 0 at boot.
  public var monotonic: Int64
  /// Wall time minus monotonic time, in milliseconds: steps exactly when the wall clock does.
  public var offset: Int64
  /// Whether the wall clock was synchronised then.
  public var clock: ClockState

  /// Makes a time stamp from a reading of both clocks.
  public init(monotonic: Int64, offset: Int64, clock: ClockState) {
    self.monotonic = monotonic
    self.offset = offset
    self.clock = clock
  }

  /// Unix milliseconds, UTC, by the wall clock's belief at that moment.
  public var wall: Int64 { monotonic + offset }

  /// The same belief of the wall clock, `milliseconds` later.
  public func advanced(by milliseconds: Int64) -> Timestamp {
    Timestamp(monotonic: monotonic + milliseconds, offset: offset, clock: clock)
  }
}

/// Where time comes from. A seam, so that tests step the clock.
public protocol TimeSource: Sendable {
  /// Both clocks, now.
  func now() -> Timestamp
  /// Milliseconds of the monotonic clock alone, now: what timers need, and cheaper.
  var monotonic: Int64 { get }
  /// The same in nanoseconds, for whoever is to wake up when a millisecond begins.
  var monotonicNanoseconds: Int64 { get }
}

extension TimeSource {
  /// That of both clocks.
  public var monotonic: Int64 { now().monotonic }
  /// As fine as its milliseconds.
  public var monotonicNanoseconds: Int64 { monotonic * 1_000_000 }
}

/// One boot of the board: the first 32 bits of the kernel's random boot id.
public struct BootID: Sendable, Hashable, CustomStringConvertible {
  /// The 32 bits as a number.
  public var rawValue: UInt32

  /// Makes a boot id of its number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Eight hexadecimal digits, as in payloads.
  public var description: String { hexadecimal(UInt64(rawValue), digits: 8) }
}

/// `value` in lower-case hexadecimal, padded with zeros to `digits`.
public func hexadecimal(_ value: UInt64, digits: Int) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}
