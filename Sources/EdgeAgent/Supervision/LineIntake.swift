internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// Where the GPIO inputs hand over what they see: adds which definitions their points go by, and
/// tells the headcount. All of it under the lock, so that nothing comes behind `close`.
final class LineIntake: LineSink {
  private struct State {
    var definitions: UInt32
    var order = SampleOrdering()
    var isClosed = false
  }

  private let board: HealthBoard
  private let headcount: HeadcountPart
  private let state: Monitor<State>

  init(board: HealthBoard, headcount: HeadcountPart, definitions: UInt32) {
    self.board = board
    self.headcount = headcount
    state = Monitor(State(definitions: definitions))
  }

  /// From now on these are the lines, described by these definitions.
  func use(_ lines: [LineDefinition], definitions digest: UInt32) {
    state.withLock { state in
      state.definitions = digest
      state.order.keepOnly(Set(lines.map(\.name)))
    }
  }

  /// From now on others stand in for it, or nobody; what it tells yet is dropped.
  func close() { state.withLock { $0.isClosed = true } }

  func accept(_ sample: Sample) {
    state.withLock { state in
      guard !state.isClosed else { return }
      let sample = state.order.ordered(sample)
      board.accept(sample, of: .line, definitions: state.definitions)
      headcount.take(sample)
    }
  }

  func accept(_ event: Event) {
    state.withLock { state in
      guard !state.isClosed else { return }
      let detail: LineDetail? = if case .line(let detail) = event.detail { detail } else { nil }
      if let detail { note(detail, of: event.source) }
      board.accept(event)
      if detail?.state == .countSuspect {
        headcount.lineIsSuspect(event.source, at: event.time)
      }
    }
  }

  private func note(_ detail: LineDetail, of line: String) {
    switch detail.state {
    case .failed: board.input(.line, line, changedTo: detail.reason ?? detail.state.rawValue)
    case .recovered: board.input(.line, line, changedTo: nil)
    case .chattering, .calm, .countBegan, .countResumed, .countSuspect: break
    }
  }

  func accept(_ transition: LineTransition) {
    state.withLock { state in
      guard !state.isClosed else { return }
      headcount.accept(transition)
    }
  }

  func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    state.withLock { state in
      guard !state.isClosed else { return }
      // That it can't be read an event says, in more words.
      if fault == nil { board.input(.line, name, changedTo: nil) }
      headcount.line(name, changedTo: fault, at: time)
    }
  }
}
