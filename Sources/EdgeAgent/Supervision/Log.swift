internal import ConfigurationFile
internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Writes log lines to standard error, one line a fact; with journald's priority prefix when
/// journald reads it. What a running agent says again and again goes by its cause and is limited.
enum Log {
  /// Priorities of syslog(3).
  enum Priority: Int, Comparable {
    case error = 3
    case warning = 4
    case notice = 5

    /// The more severe is the lesser.
    static func < (left: Priority, right: Priority) -> Bool { left.rawValue < right.rawValue }
  }

  private static let isJournald = getenv("JOURNAL_STREAM") != nil
  private static let throttle = Monitor(LogThrottle())

  static func error(_ text: String) { write(.error, text) }
  static func notice(_ text: String) { write(.notice, text) }

  /// A line that may come again and again.
  static func write(_ priority: Priority, _ text: String, of cause: LogCause) {
    write(priority, [text], of: cause)
  }

  /// A report of several lines that may come again and again; written as a whole or counted.
  static func write(_ priority: Priority, _ lines: [String], of cause: LogCause) {
    guard let last = lines.last else { return }
    let line = LogThrottle.Line(priority: priority, text: LogLine.cut(last))
    let now = KernelClock().now().monotonic
    let isAdmitted = throttle.withLock {
      $0.admits(line, of: cause, count: lines.count, at: now)
    }
    guard isAdmitted else { return }
    for line in lines { write(priority, line) }
  }

  /// Tells what was held back in the windows that are over. To be called every few seconds.
  static func tellSuppressed() {
    let now = KernelClock().now().monotonic
    for line in throttle.withLock({ $0.takeSummaries(at: now) }) { write(line.priority, line.text) }
  }

  /// Tells all that was held back, before the agent ends.
  static func tellAllSuppressed() {
    let now = KernelClock().now().monotonic
    for line in throttle.withLock({ $0.takeAllSummaries(at: now) }) {
      write(line.priority, line.text)
    }
  }

  private static func write(_ priority: Priority, _ text: String) {
    let line = LogLine.bytes(priority, text, isJournald: isJournald)
    // Nobody is left to tell if even that fails.
    _ = Glibc.write(STDERR_FILENO, line, line.count)
  }
}

/// The form of a log line.
enum LogLine {
  /// What a pipe takes in one piece (PIPE_BUF), so that lines of several threads do not mix.
  static let maximumBytes = 4096
  /// What is kept of a line that may come again; the longest reasons of parts have some 200.
  static let repeatedBytes = 400

  /// A whole line. What devices, brokers and files sent can't begin a line of its own, hide text or
  /// move a terminal's cursor.
  static func bytes(_ priority: Log.Priority, _ text: String, isJournald: Bool) -> [UInt8] {
    let prefix = isJournald ? "<\(priority.rawValue)>" : ""
    return Array((cut(prefix + printable(text), to: maximumBytes - 1) + "\n").utf8)
  }

  /// `text`, or as much of it as fits with an ellipsis.
  static func cut(_ text: String, to limit: Int = repeatedBytes) -> String {
    guard text.utf8.count > limit else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      guard result.utf8.count + UTF8.width(scalar) + "…".utf8.count <= limit else { break }
      result.unicodeScalars.append(scalar)
    }
    return result + "…"
  }
}
