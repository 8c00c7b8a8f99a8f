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

  private struct Output {
    var mayWait = true
    /// Lines that nobody took.
    var untaken = 0
  }

  /// Whether standard error is the stream that JOURNAL_STREAM names: the variable alone is handed
  /// down to programs whose standard error goes elsewhere.
  private static let isJournald: Bool = {
    var status = stat()
    guard let stream = getenv("JOURNAL_STREAM"), fstat(STDERR_FILENO, &status) == 0 else {
      return false
    }
    return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
  }()
  private static let throttle = Monitor(LogThrottle())
  private static let output = Monitor(Output())

  static func error(_ text: String) { write(.error, text) }
  static func notice(_ text: String) { write(.notice, text) }

  /// From now on lines that standard error has no room for are only counted: whoever reads it, and
  /// hangs, must not hold up what the agent is for, nor its end.
  static func neverWait() { output.withLock { $0.mayWait = false } }

  /// A line that may come again and again.
  static func write(_ priority: Priority, _ text: String, of cause: LogCause) {
    write(priority, [text], of: cause)
  }

  /// A report of several lines that may come again and again; written as a whole or counted.
  static func write(_ priority: Priority, _ lines: [String], of cause: LogCause) {
    guard let last = lines.last else { return }
    let line = LogThrottle.Line(priority: priority, text: LogLine.cut(last))
    let now = KernelClock().monotonic
    let isAdmitted = throttle.withLock {
      $0.admits(line, of: cause, count: lines.count, at: now)
    }
    guard isAdmitted else { return }
    for line in lines { write(priority, line) }
  }

  /// Limits these anew: whoever reloads a file again and again waits for what its parts say.
  static func renew(_ causes: [LogCause]) { throttle.withLock { $0.renew(causes) } }

  /// Tells what was held back in the windows that are over. To be called every few seconds.
  static func tellSuppressed() {
    let now = KernelClock().monotonic
    for line in throttle.withLock({ $0.takeSummaries(at: now) }) { write(line.priority, line.text) }
  }

  /// Tells all that was held back, before the agent ends.
  static func tellAllSuppressed() {
    let now = KernelClock().monotonic
    for line in throttle.withLock({ $0.takeAllSummaries(at: now) }) {
      write(line.priority, line.text)
    }
  }

  private static func write(_ priority: Priority, _ text: String) {
    output.withLock { output in
      if output.untaken > 0, hasRoom(output) {
        put(.warning, "\(output.untaken) lines of the log were not taken in time and are lost")
        output.untaken = 0
      }
      guard hasRoom(output) else {
        output.untaken += 1
        return
      }
      put(priority, text)
    }
  }

  private static func hasRoom(_ output: Output) -> Bool {
    // A pipe that is ready has room for a line, as long as one thread at a time asks and writes;
    // one that is broken is ready, too.
    var entry = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    return output.mayWait || poll(&entry, 1, 0) != 0
  }

  private static func put(_ priority: Priority, _ text: String) {
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
