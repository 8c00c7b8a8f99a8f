internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// The GPIO inputs at work. They are made again, ever more slowly, as long as they can't be made:
/// a process that may have no more threads now may have some when others have ended.
final class LinesPart: Sendable {
  private static let retries: [Duration] = [.seconds(1), .seconds(5), .seconds(15), .seconds(60)]

  private struct State {
    var lines: [LineDefinition]
    var totals: [String: KnownTotal]
    var totalReason: String?
    var doubt: String?
    var inputs: GPIOInputs?
    var isCancelled = false
  }

  let intake: LineIntake
  /// Whether the loop turns.
  let heartbeat = Heartbeat(name: "gpio")
  private let board: HealthBoard
  private let clock: any TimeSource
  private let state: Monitor<State>
  private let retry: Monitor<Task<Void, Never>?>

  /// Begins at once if that can be done.
  /// - Parameters:
  ///   - totals: What counts are known to have been, by line.
  ///   - totalReason: How they ended.
  ///   - doubt: Why those that are not among them may have been more than 0.
  init(
    _ lines: [LineDefinition], totals: [String: KnownTotal], totalReason: String?, doubt: String?,
    intake: LineIntake, board: HealthBoard, clock: any TimeSource
  ) {
    self.intake = intake
    self.board = board
    self.clock = clock
    state = Monitor(
      State(lines: lines, totals: totals, totalReason: totalReason, doubt: doubt))
    retry = Monitor(nil)
    guard !make() else { return }
    let task = Task.detached { [self] in
      var attempt = 0
      repeat {
        try? await Task.sleep(for: Self.retries[min(attempt, Self.retries.count - 1)])
        attempt += 1
      } while !Task.isCancelled && !make()
    }
    retry.withLock { $0 = task }
  }

  /// Whether nothing is left to do.
  private func make() -> Bool {
    let (lines, fault): ([LineDefinition], String?) = state.withLock { state in
      guard state.inputs == nil, !state.isCancelled else { return ([], nil) }
      do throws(SystemError) {
        state.inputs = try GPIOInputs(
          state.lines, totals: state.totals, totalReason: state.totalReason,
          doubt: state.doubt, sink: intake, clock: clock, heartbeat: heartbeat)
        return ([], nil)
      } catch {
        return (state.lines, "\(BadReason.notRead): \(error)")
      }
    }
    for line in lines { board.input(.line, line.name, changedTo: fault) }
    return fault == nil
  }

  /// Goes over to other lines: those that are the same go on.
  /// - Parameters:
  ///   - totals: What counts of lines that begin are known to have been.
  ///   - doubt: Why those that are not among them may have been more than 0.
  func use(
    _ lines: [LineDefinition], totals: [String: KnownTotal], doubt: String?, definitions: UInt32
  ) {
    intake.use(lines, definitions: definitions)
    let inputs: GPIOInputs? = state.withLock { state in
      guard state.lines != lines else { return nil }
      state.lines = lines
      state.totals.merge(totals) { $1 }
      return state.inputs
    }
    inputs?.use(lines, totals: totals, doubt: doubt)
  }

  /// Ends: a last sample of each count. Returns at once.
  func cancel() {
    retry.withLock { $0?.cancel() }
    let inputs: GPIOInputs? = state.withLock { state in
      state.isCancelled = true
      return state.inputs
    }
    inputs?.cancel()
  }

  /// Blocks until they have ended, at most `seconds`. Of counts and lines of gates that have not it
  /// tells that their last edges may be missing: the next start goes on from the sample before.
  func waitForEnd(atMost seconds: Double) {
    let (inputs, lines) = state.withLock { ($0.inputs, $0.lines) }
    guard let inputs, !inputs.waitForEnd(atMost: seconds) else { return }
    let statistics = inputs.statistics
    for line in lines where line.isCount || line.needsEdges {
      let detail = LineDetail(
        state: .countSuspect, reason: StuckFault.lines, count: statistics[line.name]?.total)
      board.accept(
        Event(
          time: clock.now(), severity: .warning, source: line.name, detail: .line(detail)))
    }
  }

  /// What is known of each line, by name.
  var statistics: [String: LineStatistics] {
    let inputs = state.withLock { $0.inputs }
    return inputs?.statistics ?? [:]
  }
}

/// What the journal knows of a count.
enum CountTotal {
  /// The total that a sample of a line carries, good or not: while the line is lost the total
  /// stands beside the reason.
  static func total(in sample: Sample) -> UInt64? {
    // Of a line that counts, and of no other device that had its name.
    guard sample.device.points.starts(with: [LinePoint.value, LinePoint.count]),
      let outcome = sample.outcomes.first(where: { $0.point == 1 })?.outcome
    else { return nil }
    switch outcome {
    case .good(.uint(let total)), .bad(_, .uint(let total)?): return total
    case .good, .bad: return nil
    }
  }
}
