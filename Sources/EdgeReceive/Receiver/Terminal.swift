import Glibc

/// Standard output, written at once: what waits for a line must not wait for a full buffer.
enum Terminal {
  /// Rows and columns where standard output is a terminal, else `nil`.
  static var size: (rows: Int, columns: Int)? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else {
      return (24, 80)  // The size that terminals without one have had since the VT100.
    }
    return (Int(size.ws_row), Int(size.ws_col))
  }

  /// Writes text; a reader that is gone is no reason to stop receiving.
  static func write(_ text: some Sequence<UInt8>, to descriptor: Int32 = STDOUT_FILENO) {
    let bytes = Array(text)
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress.map { $0 + start }, bytes.count - start)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      start += count
    }
  }

  /// Writes a line to standard error.
  static func log(_ line: String) {
    write("edge-receive: \(line)\n".utf8, to: STDERR_FILENO)
  }
}
