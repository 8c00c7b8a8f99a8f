public import Telemetry

/// A line without a chip: what becomes of recorded edges can be seen and measured without a board.
public struct LineRehearsal: Sendable {
  private var input: LineInput
  private var clock = EventClock()

  /// A line that was opened and is not active.
  public init(_ definition: LineDefinition, at start: Timestamp) {
    input = LineInput(definition, total: 0, at: start)
    input.open(isActive: false, isDebouncedByKernel: false, at: start)
    _ = input.takeOutputs()
  }

  /// What is known of the line.
  public var statistics: LineStatistics { input.statistics }

  /// Takes an edge as the kernel stamped it, `kernelNow` being that clock at `now`.
  public mutating func take(
    isRising: Bool, nanoseconds: Int64, now: Timestamp, kernelNow: Int64
  ) {
    let time = clock.time(ofNanoseconds: nanoseconds, now: now, kernelNow: kernelNow)
    input.take(LineEdge(isRising: isRising, nanoseconds: nanoseconds), at: time)
  }

  /// Ends a wake-up, and hands over what the line has to say.
  public mutating func drained(at now: Timestamp, into sink: some SampleSink) {
    input.drained(isQueueFull: false, isActive: nil, at: now)
    handOver(to: sink)
  }

  /// Makes the sample that is due.
  public mutating func due(at now: Timestamp, into sink: some SampleSink) {
    input.due(isActive: nil, scheduled: now, at: now)
    handOver(to: sink)
  }

  private mutating func handOver(to sink: some SampleSink) {
    for output in input.takeOutputs() {
      switch output {
      case .sample(let sample): sink.accept(sample)
      case .event(let event): sink.accept(event)
      case .transition, .fault: break
      }
    }
  }
}
