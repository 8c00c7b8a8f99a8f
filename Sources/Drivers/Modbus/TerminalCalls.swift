internal import Glibc
internal import LinuxSystem

/// The calls by which a serial port is set up and its direction switched. A pseudo-terminal has
/// neither parity nor modem lines nor RS-485, so tests look at the arguments here.
struct TerminalCalls: Sendable {
  /// `tcgetattr`.
  var attributes: @Sendable (_ descriptor: Int32, UnsafeMutablePointer<termios>) -> Int32
  /// `tcsetattr`.
  var setAttributes: @Sendable (_ descriptor: Int32, _ when: Int32, UnsafePointer<termios>) -> Int32
  /// `ioctl` with a pointer.
  var control: @Sendable (_ descriptor: Int32, _ request: UInt, UnsafeMutableRawPointer) -> Int32
  /// `write`.
  var write: @Sendable (_ descriptor: Int32, UnsafeRawPointer, _ count: Int) -> Int
  /// `tcdrain`.
  var drain: @Sendable (_ descriptor: Int32) -> Int32
  /// Waits a delay of the direction control.
  var pause: @Sendable (_ milliseconds: Int64) -> Void
  /// Whether the terminal is one end of a pseudo-terminal, which drops parity and 7 bits.
  var isPseudoTerminal: @Sendable (_ descriptor: Int32) -> Bool

  /// The system's calls.
  static let system = TerminalCalls(
    attributes: { tcgetattr($0, $1) },
    setAttributes: { tcsetattr($0, $1, $2) },
    control: { controlTerminal($0, $1, $2) },
    write: { Glibc.write($0, $1, $2) },
    drain: { tcdrain($0) },
    pause: { usleep(UInt32($0) * 1000) },
    isPseudoTerminal: { hasPseudoTerminalDevice($0) })

  /// Major device numbers of Unix 98 pseudo-terminals (the kernel's devices.txt).
  private static let pseudoTerminalMajors: ClosedRange<UInt> = 136...143

  private static func hasPseudoTerminalDevice(_ descriptor: Int32) -> Bool {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return false }
    return pseudoTerminalMajors.contains((UInt(status.st_rdev) >> 8) & 0xFFF)
  }
}
