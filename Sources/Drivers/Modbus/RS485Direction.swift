/// How the driver of a two-wire RS-485 line is switched on for a request and off for its answer.
public struct RS485Direction: Sendable, Hashable {
  /// Who switches.
  public enum Switch: String, Sendable, Hashable, CaseIterable {
    /// The UART's driver in the kernel (`TIOCSRS485`), to the bit.
    case kernel
    /// The agent, by the RTS line, when the kernel says that the last bit has gone.
    case rts
  }

  /// The level of RTS while the request is sent; while the line is listened to it has the other.
  public enum Level: String, Sendable, Hashable, CaseIterable {
    case high
    case low
  }

  /// The longest delay that the kernel takes (RS485_MAX_RTS_DELAY of its serial core).
  public static let longestDelayMilliseconds: Int64 = 100

  /// Who switches.
  public var by: Switch
  /// RTS while sending.
  public var levelOnSend: Level
  /// Milliseconds from switching on to the first bit.
  public var delayBeforeMilliseconds: Int64
  /// Milliseconds from the last bit to switching off.
  public var delayAfterMilliseconds: Int64

  /// Makes a direction control; most boards switch by RTS high and need no delay.
  public init(
    by: Switch, levelOnSend: Level = .high, delayBeforeMilliseconds: Int64 = 0,
    delayAfterMilliseconds: Int64 = 0
  ) {
    self.by = by
    self.levelOnSend = levelOnSend
    self.delayBeforeMilliseconds = delayBeforeMilliseconds
    self.delayAfterMilliseconds = delayAfterMilliseconds
  }
}

extension RS485Direction {
  /// Milliseconds that a request takes beside its bits before its answer is waited for.
  var sendingMilliseconds: Int64 {
    delayBeforeMilliseconds + (by == .rts ? delayAfterMilliseconds : 0)
  }

  /// Milliseconds that the driver is on while the answer is waited for already.
  var holdingMilliseconds: Int64 { by == .kernel ? delayAfterMilliseconds : 0 }
}

/// The kernel's `struct serial_rs485` (<linux/serial.h>), member by member: the argument of
/// `TIOCGRS485` and `TIOCSRS485`. The shim in LinuxSystem asserts size, places and flags.
struct RS485Settings {
  static let enabled: UInt32 = 1 << 0
  static let highOnSend: UInt32 = 1 << 1
  static let highAfterSend: UInt32 = 1 << 2

  var flags: UInt32 = 0
  var delayBeforeSendMilliseconds: UInt32 = 0
  var delayAfterSendMilliseconds: UInt32 = 0
  private var rest: (UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0)

  /// What the kernel has set; filled by it.
  init() {}

  /// Switching by the kernel as `direction` wants it.
  init(_ direction: RS485Direction) {
    flags =
      Self.enabled | (direction.levelOnSend == .high ? Self.highOnSend : Self.highAfterSend)
    delayBeforeSendMilliseconds = UInt32(direction.delayBeforeMilliseconds)
    delayAfterSendMilliseconds = UInt32(direction.delayAfterMilliseconds)
  }
}
