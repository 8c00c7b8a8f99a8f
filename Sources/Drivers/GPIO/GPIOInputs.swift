public import LinuxSystem
public import Telemetry

/// Watches all GPIO inputs, on a thread of its own. A chip or line that is missing, busy, refused
/// or goes away never ends it: its line is bad meanwhile, and tried again.
public final class GPIOInputs: Sendable {
  private let inbox: InputInbox

  /// Starts the thread. Fails only when the process may have no more threads or descriptors.
  /// - Parameters:
  ///   - lines: What to watch; may be none.
  ///   - totals: What counts are known to have been, by line.
  ///   - totalReason: How they ended, for the events that tell that they go on.
  ///   - doubt: Why those that are not among them may have been more than 0.
  public convenience init(
    _ lines: [LineDefinition], totals: [String: KnownTotal], totalReason: String?,
    doubt: String? = nil, sink: any LineSink, clock: any TimeSource, heartbeat: Heartbeat
  ) throws(SystemError) {
    try self.init(
      lines, totals: totals, totalReason: totalReason, doubt: doubt, sink: sink, clock: clock,
      heartbeat: heartbeat, queueSize: GPIOLine.queueSize)
  }

  /// With a kernel's queue of `queueSize` edges a line.
  init(
    _ lines: [LineDefinition], totals: [String: KnownTotal], totalReason: String?,
    doubt: String? = nil, sink: any LineSink, clock: any TimeSource, heartbeat: Heartbeat,
    queueSize: UInt32
  ) throws(SystemError) {
    let inbox = try InputInbox(lines, doubt: doubt)
    self.inbox = inbox
    try Thread.start(named: "gpio") {
      let set = InputSet(
        inbox.epoll, totals: totals, totalReason: totalReason, sink: sink, clock: clock,
        queueSize: queueSize)
      inbox.work(on: set, clock: clock, heartbeat: heartbeat)
    }
  }

  deinit { cancel() }

  /// Watches those lines from now on. Those whose definition is the same go on undisturbed; of a
  /// count whose definition changed, the total goes on. Safe to call at any time; never blocks.
  /// - Parameters:
  ///   - totals: What counts of lines that were not watched before are known to have been.
  ///   - doubt: Why those that are not among them may have been more than 0.
  public func use(
    _ lines: [LineDefinition], totals: [String: KnownTotal] = [:], doubt: String? = nil
  ) {
    inbox.use(lines, totals: totals, doubt: doubt)
  }

  /// Ends it: a last sample of each count, then all lines are given back. Never blocks.
  public func cancel() { inbox.cancel() }

  /// Blocks until the lines are given back, after `cancel`; whether they are.
  public func waitForEnd(atMost seconds: Double) -> Bool { inbox.waitForEnd(atMost: seconds) }

  /// What is known of each line, by name. Safe to ask at any time.
  public var statistics: [String: LineStatistics] { inbox.statistics }
}
