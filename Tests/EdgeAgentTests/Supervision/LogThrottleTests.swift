import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Log limits")
struct LogThrottleTests {
  private static let hour: Int64 = 3_600_000

  /// What a log would hold, with summaries taken every ten seconds.
  private struct Writing {
    var throttle = LogThrottle()
    var now: Int64 = 0
    var lines: [(at: Int64, line: LogThrottle.Line)] = []

    mutating func say(_ text: String, _ priority: Log.Priority = .warning, of cause: LogCause) {
      let line = LogThrottle.Line(priority: priority, text: text)
      if throttle.admits(line, of: cause, at: now) { lines.append((now, line)) }
    }

    mutating func advance(to time: Int64) {
      while now < time {
        now = min(time, (now / 10_000 + 1) * 10_000)
        if now.isMultiple(of: 10_000) {
          lines += throttle.takeSummaries(at: now).map { (now, $0) }
        }
      }
    }

    var texts: [String] { lines.map(\.line.text) }
    /// As they stand in a file, journald's prefix and line ends included.
    var bytes: Int {
      lines.reduce(0) {
        $0 + LogLine.bytes($1.line.priority, $1.line.text, isJournald: true).count
      }
    }
    /// The most lines in any clock hour from `hour` on.
    func mostAnHour(from hour: Int64 = 0) -> Int {
      Dictionary(grouping: lines.map { $0.at / LogThrottleTests.hour }.filter { $0 >= hour }) { $0 }
        .values.map(\.count).max() ?? 0
    }
  }

  @Test("A bus that flaps every 2 s for 7 days writes its burst, then six lines an hour")
  func flapsForAWeek() {
    var writing = Writing()
    for second in stride(from: Int64(0), to: 7 * 86_400, by: 2) {
      writing.advance(to: second * 1000)
      let isOpen = (second / 2).isMultiple(of: 2)
      writing.say(
        isOpen ? "bus station: ok" : "bus station: refused", isOpen ? .notice : .warning,
        of: .part("bus station"))
    }
    print("7 days of flapping: \(writing.lines.count) lines, \(writing.bytes) bytes")
    #expect(writing.mostAnHour() <= 12)
    #expect(writing.mostAnHour(from: 1) <= 6)
    #expect(writing.lines.count <= 7 * 24 * 6 + 6)
    #expect(writing.bytes < 100_000)
    let summaries = writing.texts.dropFirst(6)
    #expect(summaries.allSatisfy { $0.hasSuffix("more like this in 10 min)") })
    #expect(summaries.dropFirst().first == "bus station: refused (… 299 more like this in 10 min)")
    #expect(writing.lines.dropFirst(6).allSatisfy { $0.line.priority == .warning })
  }

  @Test("All parts of a large gateway that flap together stay within the stated lines an hour")
  func allFlap() {
    var writing = Writing()
    let causes = (0..<500).map { LogCause.part("device sensor-\($0)") }
    for second in stride(from: Int64(0), to: 2 * 3600, by: 8) {
      writing.advance(to: second * 1000)
      for cause in causes { writing.say("\(cause.name): timeout", of: cause) }
    }
    writing.advance(to: 2 * Self.hour)
    print("2 h of 500 causes: \(writing.lines.count) lines, \(writing.bytes) bytes")
    #expect(writing.mostAnHour() <= LogThrottle.linesAnHour)
    #expect(writing.bytes < 2 * LogThrottle.linesAnHour * LogLine.repeatedBytes)
    // Nothing is lost without a word: those beyond share a line.
    #expect(writing.lines.count > 2 * 5 * LogThrottle.mostCauses)
  }

  @Test("Nothing said is lost: what is not written is counted", arguments: 0..<40 as Range<UInt64>)
  func countsEverything(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var writing = Writing()
    let causes = (0..<Int.random(in: 1...400, using: &generator)).map {
      LogCause(name: "c\($0)", burst: .random(in: 1...8, using: &generator))
    }
    var said = 0
    for _ in 0..<4000 {
      writing.advance(to: writing.now + .random(in: 0...20_000, using: &generator))
      guard let cause = causes.randomElement(using: &generator) else { continue }
      writing.say("x", of: cause)
      said += 1
    }
    let rest = writing.throttle.takeAllSummaries(at: writing.now)
    let told = (writing.texts + rest.map(\.text)).reduce(0) { sum, text in
      let more = text.firstMatch(of: /\(… ([0-9]+) more/).flatMap { Int($0.1) } ?? 0
      return sum + 1 + more
    }
    #expect(told == said)
    #expect(writing.throttle.takeAllSummaries(at: writing.now).isEmpty)
  }

  @Test("The summary comes though nothing else is said, and its text is the newest")
  func summaryComesByItself() {
    var writing = Writing()
    for index in 1...9 { writing.say("bus a: \(index)", of: .part("bus a")) }
    writing.say("bus a: ok", .notice, of: .part("bus a"))
    writing.say("bus b: ok", .notice, of: .part("bus b"))
    #expect(writing.lines.count == 7, "another cause has a burst of its own")
    writing.advance(to: LogThrottle.windowMilliseconds - 1)
    #expect(writing.lines.count == 7)
    writing.advance(to: LogThrottle.windowMilliseconds)
    #expect(writing.texts.last == "bus a: ok (… 3 more like this in 10 min)")
    #expect(writing.lines.last?.line.priority == .warning, "the gravest of those held back")
  }

  @Test("A cause that was quiet for a window is written at once again")
  func forgetsAfterAQuietWindow() {
    var writing = Writing()
    for index in 1...8 { writing.say("bus a: \(index)", of: .part("bus a")) }
    writing.advance(to: 2 * LogThrottle.windowMilliseconds)
    #expect(writing.texts.last == "bus a: 8 (… 1 more like this in 10 min)")
    writing.say("bus a: back", of: .part("bus a"))
    #expect(writing.texts.last == "bus a: back")
  }

  @Test("What a reload begins anew is written at once, though reloads before took the burst")
  func renews() {
    var writing = Writing()
    for index in 1...8 { writing.say("bus a: \(index)", of: .part("bus a")) }
    writing.throttle.renew([.part("bus a"), .part("bus b")])
    writing.say("bus a: open COM1: No such file or directory", of: .part("bus a"))
    #expect(writing.texts.last == "bus a: open COM1: No such file or directory")
    // What was held back before is told still.
    #expect(
      writing.throttle.takeAllSummaries(at: 90_000).map(\.text)
        == ["bus a: 8 (… 1 more like this in 2 min)"])
  }

  @Test("An answer is written though the parts have used up what all may write")
  func answers() {
    var writing = Writing()
    for index in 0...LogThrottle.burstOfAll {
      writing.say("device \(index): timeout", of: .part("device \(index)"))
    }
    writing.say("device x: timeout", of: .part("device x"))
    #expect(writing.texts.last?.hasPrefix("device x") == false)
    writing.say("reloaded agent.yaml", of: .request("reload"))
    #expect(writing.texts.last == "reloaded agent.yaml")
  }

  @Test("A single line that was held back is told as it is")
  func tellsASingleLine() {
    var writing = Writing()
    for index in 1...7 { writing.say("bus a: \(index)", of: .part("bus a")) }
    #expect(writing.throttle.takeAllSummaries(at: 90_000).map(\.text) == ["bus a: 7"])
  }

  @Test(
    "What others send can't forge a line, hide text or move the cursor",
    arguments: [
      ("refused\n<0>disk full", "refused\\u{a}<0>disk full"),
      ("a\r\nb", "a\\u{d}\\u{a}b"), ("\u{1B}[2Kgone", "\\u{1b}[2Kgone"),
      ("a\u{2028}b\u{85}c", "a\\u{2028}b\\u{85}c"), ("\u{202E}abc", "\\u{202e}abc"),
      ("nul\0", "nul\\u{0}"), ("总回风 °C", "总回风 °C"),
    ])
  func escapes(text: String, expected: String) {
    let line = LogLine.bytes(.warning, text, isJournald: true)
    #expect(String(decoding: line, as: UTF8.self) == "<4>\(expected)\n")
  }

  @Test("A line is no longer than what a pipe takes in one piece", arguments: ["x", "风", "\n"])
  func cutsLongLines(character: String) {
    let line = LogLine.bytes(
      .error, String(repeating: character, count: 9000), isJournald: true)
    #expect(line.count <= LogLine.maximumBytes)
    #expect(line.count > LogLine.maximumBytes - 8)
    #expect(String(decoding: line, as: UTF8.self).hasSuffix("…\n"))
    #expect(LogLine.cut(String(repeating: character, count: 9000)).utf8.count <= 400)
    #expect(!String(decoding: line, as: UTF8.self).contains("\u{FFFD}"))
  }
}
