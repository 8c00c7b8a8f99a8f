internal import CLinux
internal import Glibc

/// The sole use of a terminal, until it is released. Two locks, because none alone is enough:
/// `flock` keeps out programs that ask for it, also those of root (this agent, minicom, picocom);
/// `TIOCEXCL` keeps out all others but root's.
public struct TerminalClaim: ~Copyable {
  /// The terminal, open for reading and writing without waiting; it belongs to the claim.
  public let descriptor: Int32

  /// Claims the terminal at `path`, without changing its settings.
  /// - Throws: EWOULDBLOCK of `flock` or EBUSY of `open` when another program has it, ENOTTY when
  ///   it is no terminal.
  public init(path: String) throws(SystemError) {
    let descriptor = try systemCall("open", on: path) {
      // Non-blocking: a port with modem lines would wait for a carrier.
      open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    }
    do throws(SystemError) {
      guard isatty(descriptor) == 1 else {
        throw SystemError(call: "isatty", subject: path, code: ENOTTY)
      }
      try tryLock(descriptor, path: path)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  /// Lets nobody but root open the terminal any more, this process neither.
  public func excludeOthers() {
    // Drivers without this call leave the other lock.
    _ = CLinux_set_exclusive(descriptor, 1)
  }

  deinit {
    // The kernel keeps the mark as long as anybody has the terminal open.
    _ = CLinux_set_exclusive(descriptor, 0)
    close(descriptor)
  }
}

/// An `ioctl` on a terminal whose argument is a pointer; what the call returns, with `errno` set.
public func controlTerminal(
  _ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer
) -> Int32 {
  CLinux_terminal_control(descriptor, request, argument)
}
