internal import Telemetry

/// What becomes of one line's edges and readings: samples, events and transitions. Pure: who owns
/// the line's descriptor tells it what happened, in the order of time, and takes the outputs.
struct LineInput: Sendable {
  let definition: LineDefinition
  private var outputs: [LineOutput] = []
  /// What is known; who requests the line adds `consumer` and `place`.
  var statistics = LineStatistics()

  /// - Parameters:
  ///   - total: of a count: what it was when it ended; `nil` if none is known.
  ///   - totalReason: how it ended, for the event that says so.
  init(
    _ definition: LineDefinition, total: UInt64? = nil, totalReason: String? = nil,
    at start: Timestamp
  ) {
    self.definition = definition
  }

  /// The line was requested, for both edges, and then read.
  mutating func open(isActive: Bool, isDebouncedByKernel: Bool, at time: Timestamp) {}

  /// The line can't be requested or read.
  mutating func fail(_ reason: BadReason, text: String, at time: Timestamp) {}

  /// An edge that was read, with its stamp as the agent's time.
  mutating func take(_ edge: LineEdge, at time: Timestamp) {}

  /// All edges of one wake-up were taken; `isActive` is the line as read behind them, if it was.
  mutating func drained(isQueueFull: Bool, isActive: Bool?, at now: Timestamp) {}

  /// A sample is due. Edges that are there already are to be taken before.
  mutating func due(isActive: Bool?, scheduled: Timestamp, at now: Timestamp) {}

  /// `wakeTime` has come. Edges that are there already are to be taken before.
  mutating func settle(isActive: Bool?, at now: Timestamp) {}

  /// The line is not watched any more: the last sample of a count.
  mutating func end(at now: Timestamp) {}

  /// When `settle` is to be called, in milliseconds of the monotonic clock; `nil`: not by itself.
  var wakeTime: Int64? { nil }

  /// What there is to hand over since the last time. Who takes those of several lines at once sorts
  /// the transitions by time before it hands them over.
  mutating func takeOutputs() -> [LineOutput] {
    defer { outputs.removeAll(keepingCapacity: true) }
    return outputs
  }
}
