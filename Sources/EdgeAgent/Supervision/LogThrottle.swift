/// What a log line is about. Lines of one cause are limited together.
struct LogCause: Hashable {
  /// Such as `bus line-1`.
  var name: String
  /// How many lines, or reports of several lines, a window takes before they are only counted.
  var burst: Int
  /// Somebody waits for it: the burst of all does not hold it back, nor does it take from that.
  var isAnswer = false

  /// A part that changes by itself: enough to see a fault, its end, and both twice more.
  static func part(_ name: String) -> LogCause { LogCause(name: name, burst: 6) }

  /// What an operator asked for deserves its answer each time; only a script that asks every few
  /// seconds is limited.
  static func request(_ name: String) -> LogCause {
    LogCause(name: name, burst: 60, isAnswer: true)
  }
}

/// Bounds what a fault that comes and goes writes to the log: the first lines of a cause are
/// written, further ones within the window counted, and one line at its end gives the newest text
/// and the count. As long as the cause goes on, that line is all there is of it; a window without
/// lines ends it. Pure; times are monotonic milliseconds.
///
/// So a part that flaps for a week writes its burst once and six lines an hour, and all causes
/// together at most `linesAnHour`, beside answers.
struct LogThrottle {
  /// Long enough that a fault of weeks fills no disk, short enough that the log is never older than
  /// a technician's walk to the board.
  static let windowMilliseconds: Int64 = 600_000
  /// The buses, devices and destinations of a large gateway; bounds memory. What comes beyond
  /// shares one cause.
  static let mostCauses = 256
  /// How many lines of all causes a window takes before all are only counted: when hundreds of
  /// devices go with their power, the first of them tell the story.
  static let burstOfAll = 300
  /// Six windows: each takes the burst of all, and a line for each cause and for those beyond.
  static let linesAnHour = 6 * (burstOfAll + mostCauses + 1)

  /// A line that may be written.
  struct Line: Hashable {
    var priority: Log.Priority
    var text: String
  }

  private struct Window {
    var start: Int64
    /// Lines that may still be written.
    var left: Int
    /// How many were not, and what of them is to be told.
    var suppressed = 0
    var newest = ""
    var worst = Log.Priority.notice

    mutating func suppress(_ line: Line) {
      worst = suppressed == 0 ? line.priority : min(worst, line.priority)
      suppressed += 1
      newest = line.text
    }
  }

  private static let otherCauses = "other causes"

  private var windows: [String: Window] = [:]
  private var all = Window(start: .min, left: 0)

  /// Whether a line of `cause` is to be written at `now`; if not, it is counted.
  /// - Parameter count: How many lines it stands for, if it is the last of a report.
  mutating func admits(_ line: Line, of cause: LogCause, count: Int = 1, at now: Int64) -> Bool {
    if now - Self.windowMilliseconds >= all.start {
      all = Window(start: now, left: Self.burstOfAll)
    }
    // There are only a few kinds of answers.
    let isKnown =
      cause.isAnswer || windows[cause.name] != nil || windows.count < Self.mostCauses
    let name = isKnown ? cause.name : Self.otherCauses
    var window = windows[name] ?? Window(start: now, left: cause.burst)
    // One that had nothing to tell at its end is over, though nobody asked for summaries since.
    if window.suppressed == 0, now - window.start >= Self.windowMilliseconds {
      window = Window(start: now, left: cause.burst)
    }
    defer { windows[name] = window }
    guard window.left > 0, all.left > 0 || cause.isAnswer else {
      window.suppress(line)
      return false
    }
    window.left -= 1
    if !cause.isAnswer { all.left -= count }
    return true
  }

  /// An operator changed what these causes are about: what they say next is written as from a new
  /// one. The burst of all still bounds them.
  mutating func renew(_ causes: [LogCause]) {
    for cause in causes { windows[cause.name]?.left = cause.burst }
  }

  /// The lines that tell what was suppressed in the windows that are over at `now`.
  mutating func takeSummaries(at now: Int64) -> [Line] {
    close(at: now) { now - $0.start >= Self.windowMilliseconds }
  }

  /// The same of all windows, for the agent's end.
  mutating func takeAllSummaries(at now: Int64) -> [Line] {
    close(at: now) { _ in true }
  }

  private mutating func close(at now: Int64, where isOver: (Window) -> Bool) -> [Line] {
    let over = windows.filter { isOver($0.value) }.sorted { $0.key < $1.key }
    return over.compactMap { cause, window in
      guard window.suppressed > 0 else {
        windows[cause] = nil
        return nil
      }
      windows[cause] = Window(start: now, left: 0)
      // The newest of them is the line itself.
      let more = window.suppressed - 1
      let minutes = max(1, (now - window.start + 30_000) / 60_000)
      let count = more > 0 ? " (… \(more) more like this in \(minutes) min)" : ""
      return Line(priority: window.worst, text: window.newest + count)
    }
  }
}
