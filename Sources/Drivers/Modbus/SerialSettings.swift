internal import Glibc

/// A serial line's settings as `tcsetattr` takes them. No I/O.
enum SerialSettings {
  /// The kernel's code of each speed in `SerialLine.bauds`.
  private static let speeds: [Int: Int32] = [
    300: B300, 600: B600, 1200: B1200, 2400: B2400, 4800: B4800, 9600: B9600, 19_200: B19200,
    38_400: B38400, 57_600: B57600, 115_200: B115200, 230_400: B230400, 460_800: B460800,
    500_000: B500000, 576_000: B576000, 921_600: B921600,
  ]

  /// Bytes as they are, without echo, flow control or signals; reading never waits. `nil` for a
  /// speed that has no code.
  static func attributes(of line: SerialLine) -> termios? {
    guard let speed = speeds[line.baud] else { return nil }
    var settings = termios()
    settings.c_cflag = controlFlags(of: line)
    // A character with a wrong parity bit is read as 0, so that the checksum tells; a break too.
    settings.c_iflag = line.parity == .none ? 0 : tcflag_t(INPCK)
    // VMIN and VTIME are 0 as all else.
    guard cfsetspeed(&settings, speed_t(speed)) == 0 else { return nil }
    return settings
  }

  private static func controlFlags(of line: SerialLine) -> tcflag_t {
    // Modem lines have no say: RS-485 has none.
    let size = line.dataBits == 7 ? CS7 : CS8
    let parity: Int32 =
      switch line.parity {
      case .none: 0
      case .even: PARENB
      case .odd: PARENB | PARODD
      case .mark: PARENB | PARODD | CMSPAR
      case .space: PARENB | CMSPAR
      }
    return tcflag_t(CREAD | CLOCAL | size | parity | (line.stopBits == 2 ? CSTOPB : 0))
  }

  /// What of `wanted` a port did not take, in words; `nil` if it has all of it. A driver that can't
  /// do a thing leaves it out and says nothing.
  static func refusal(of wanted: termios, in taken: termios, _ line: SerialLine) -> String? {
    func differs(_ mask: Int32) -> Bool {
      (wanted.c_cflag ^ taken.c_cflag) & tcflag_t(mask) != 0
    }
    var (wantedSpeed, takenSpeed) = (wanted, taken)
    if cfgetospeed(&wantedSpeed) != cfgetospeed(&takenSpeed) { return "\(line.baud) Bd" }
    if differs(CSIZE) { return "\(line.dataBits) data bits" }
    if differs(PARENB | PARODD | CMSPAR) { return "\(line.parity.rawValue) parity" }
    if differs(CSTOPB) { return "\(line.stopBits) stop bits" }
    return nil
  }
}
