internal import CLinux
internal import Glibc

/// A serial line within this machine: whoever opens the terminal at `path` talks with whoever holds
/// `descriptor`. It goes away when released, as a USB adapter that is pulled.
public final class PseudoTerminal: Sendable {
  /// The controlling side, non-blocking; owned by this object. As long as nobody has the terminal
  /// open that once was, it polls as hung up.
  public let descriptor: Int32
  /// The terminal's path.
  public let path: String

  /// Makes one; fails when the process is out of descriptors or the system out of terminals.
  public init() throws(SystemError) {
    var name = [CChar](repeating: 0, count: 64)
    descriptor = try systemCall("posix_openpt") { CLinux_open_pseudo_terminal(&name, name.count) }
    path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Gives a terminal that a killed program left as it had set it a speed that nobody asks for.
  /// Whoever opens it next then changes something: glibc takes it for an error if the only change
  /// asked for is a parity, which no pseudo-terminal has. Costs one who has opened it meanwhile
  /// nothing: those settings differ in what has no meaning here.
  public func resetSettings() {
    var settings = termios()
    // A program that closed it in order has put back the settings of a new one.
    guard tcgetattr(descriptor, &settings) == 0, settings.c_lflag & tcflag_t(ICANON) == 0
    else { return }
    cfsetspeed(&settings, speed_t(B50))
    tcsetattr(descriptor, TCSANOW, &settings)
  }

  deinit { close(descriptor) }
}
