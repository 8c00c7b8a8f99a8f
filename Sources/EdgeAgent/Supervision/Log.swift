internal import Glibc

/// Writes log lines to standard error, one line a fact; with journald's priority prefix when
/// journald reads it.
enum Log {
  /// Priorities of syslog(3).
  enum Priority: Int {
    case error = 3
    case warning = 4
    case notice = 5
  }

  private static let isJournald = getenv("JOURNAL_STREAM") != nil

  static func error(_ text: String) { write(.error, text) }
  static func warning(_ text: String) { write(.warning, text) }
  static func notice(_ text: String) { write(.notice, text) }

  /// In one write, so that lines of several threads do not mix.
  private static func write(_ priority: Priority, _ text: String) {
    let oneLine = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    let line = Array(((isJournald ? "<\(priority.rawValue)>" : "") + oneLine + "\n").utf8)
    // Nobody is left to tell if even that fails.
    _ = Glibc.write(STDERR_FILENO, line, line.count)
  }
}
