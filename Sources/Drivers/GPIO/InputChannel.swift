internal import Telemetry

/// One line as the thread of the GPIO inputs has it.
struct InputChannel {
  /// A line that is well is looked at that often, in milliseconds, though its `every` is longer:
  /// nothing tells a waiting thread that a chip went away.
  static let healthMilliseconds: Int64 = 5_000
  /// How long a line rests that could not be had, the first times and then always.
  private static let retryMilliseconds: [Int64] = [1_000, 2_000, 4_000, healthMilliseconds]

  /// How often a line that is only sampled is asked for its edges again, in milliseconds: what kept
  /// it from having them may have been of that moment.
  static let edgesMilliseconds: Int64 = 60_000
  /// How long a line has to be well before its rest begins small again, in milliseconds: one that
  /// comes and goes must not fill the stream of events.
  static let steadyMilliseconds: Int64 = 60_000

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
  /// When a line that is only sampled is asked for its edges again.
  private var edgesLook = Int64.max
  private var fault: LineFault?
  private var failures = 0
  /// Since when it is had.
  private var had: Int64?
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
  var nextTime: Int64 { min(due, look, edgesLook, input.wakeTime ?? .max) }

  /// When it is to be requested, anew where it is only sampled; `nil` for one that is well.
  var requestTime: Int64? {
    if open == nil { return look }
    return edgesLook == .max ? nil : edgesLook
  }

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
    had = had ?? now
    edgesLook = line.lack == nil ? .max : now + Self.edgesMilliseconds
    input.statistics.place = line.place.description
    input.statistics.consumer = nil
    looked(at: now)
  }

  /// The line was looked at and is well.
  mutating func looked(at now: Int64) {
    let isCovered = definition.everyMilliseconds <= Self.healthMilliseconds
    look = isCovered ? .max : Self.next(Self.healthMilliseconds, after: now)
  }

  /// Gives a line back that is to be had in another way.
  mutating func release() { open = nil }

  /// The line can't be had, or not any more. It is given back at once: a chip can't go as long as
  /// somebody has a line of it.
  mutating func fail(_ fault: LineFault, at now: Timestamp) {
    open = nil
    isTouched = true
    if let had, now.monotonic - had >= Self.steadyMilliseconds { failures = 0 }
    had = nil
    edgesLook = .max
    look = now.monotonic + Self.retryMilliseconds[min(failures, Self.retryMilliseconds.count - 1)]
    failures += 1
    guard fault != self.fault else { return }
    self.fault = fault
    input.fail(fault.reason, text: fault.text, at: now)
    input.statistics.consumer = fault.consumer
    input.statistics.place = fault.place
  }

  /// What is known of it, for others.
  var statistics: LineStatistics { input.statistics }

  private static func next(_ every: Int64, after now: Int64) -> Int64 { (now / every + 1) * every }
}
