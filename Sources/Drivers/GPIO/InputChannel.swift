internal import Telemetry

/// One line as the thread of the GPIO inputs has it.
struct InputChannel {
  /// A line that is well is looked at that often, in milliseconds, though its `every` is longer:
  /// nothing tells a waiting thread that a chip went away.
  static let healthMilliseconds: Int64 = 5_000
  /// How long a line rests that could not be had, the first times and then always.
  private static let retryMilliseconds: [Int64] = [1_000, 2_000, 4_000, healthMilliseconds]

  /// How often missed cycles are told at most, in milliseconds: a short period that the board can't
  /// keep must not fill the stream of events.
  private static let missedMilliseconds: Int64 = 1_000

  /// What it was configured as.
  let definition: LineDefinition
  /// What its descriptor is waited on as.
  let key: UInt64
  /// What becomes of its edges.
  var input: LineInput
  /// The line while it can be had.
  private(set) var open: OpenLine?
  /// Whether its statistics may have changed since they were published.
  var isTouched = true
  /// When the next sample is due.
  private(set) var due: Int64
  /// When the line is looked at beside its samples, or tried again.
  private(set) var look: Int64
  private var fault: LineFault?
  private var failures = 0
  private var missed: MissedCycles?
  private var missedTold = Int64.min / 2

  /// A line that is to be tried at once. Samples are due at whole periods of the clock, so that the
  /// thread wakes once for all lines of the same period.
  init(_ definition: LineDefinition, key: UInt64, input: LineInput, at now: Int64) {
    self.definition = definition
    self.key = key
    self.input = input
    due = Self.next(definition.everyMilliseconds, after: now)
    look = now
  }

  /// The next time that anything is to be done without an edge.
  var nextTime: Int64 { min(due, look, input.wakeTime ?? .max) }

  /// Takes the next sample's time, if it has come. Cycles before it that passed are kept.
  mutating func takeDue(at now: Int64) -> Int64? {
    guard due <= now else { return nil }
    let every = definition.everyMilliseconds
    let count = Int((now - due) / every)
    let scheduled = due + Int64(count) * every
    if count > 0 {
      missed = MissedCycles(
        first: missed?.first ?? due, every: every, count: (missed?.count ?? 0) + count)
    }
    due = scheduled + every
    return scheduled
  }

  /// The cycles that passed, if it is time to tell them.
  /// - Parameter isEnd: Whether there is no later time.
  mutating func takeMissed(at now: Int64, isEnd: Bool = false) -> MissedCycles? {
    guard isEnd || now - missedTold >= Self.missedMilliseconds, let cycles = missed else {
      return nil
    }
    missed = nil
    missedTold = now
    return cycles
  }

  /// The line was had, at `now`.
  mutating func succeed(_ line: OpenLine, at now: Int64) {
    open = line
    fault = nil
    failures = 0
    input.statistics.place = line.place.description
    input.statistics.consumer = nil
    looked(at: now)
  }

  /// The line was looked at and is well.
  mutating func looked(at now: Int64) {
    let isCovered = definition.everyMilliseconds <= Self.healthMilliseconds
    look = isCovered ? .max : Self.next(Self.healthMilliseconds, after: now)
  }

  /// The line can't be had, or not any more. It is given back at once: a chip can't go as long as
  /// somebody has a line of it.
  mutating func fail(_ fault: LineFault, at now: Timestamp) {
    open = nil
    isTouched = true
    look = now.monotonic + Self.retryMilliseconds[min(failures, Self.retryMilliseconds.count - 1)]
    failures += 1
    guard fault != self.fault else { return }
    self.fault = fault
    input.fail(fault.reason, text: fault.text, at: now)
    input.statistics.consumer = fault.consumer
  }

  /// What is known of it, for others.
  var statistics: LineStatistics {
    var statistics = input.statistics
    if let open, open.line.descriptor == nil, statistics.fault == nil {
      statistics.fault = OpenLine.noInterruptWords
    }
    return statistics
  }

  private static func next(_ every: Int64, after now: Int64) -> Int64 { (now / every + 1) * every }
}
