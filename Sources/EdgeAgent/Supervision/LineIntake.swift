internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// Where the GPIO inputs hand over what they see: adds which definitions their points go by, holds
/// back what is no news, and tells the headcount.
final class LineIntake: LineSink {
  private struct State {
    var definitions: UInt32
    var lines: [LineDefinition]
    /// Of the lines that have points that are not reported at every reading.
    var filters: [String: ReportFilter] = [:]
    var isClosed = false
  }

  private let board: HealthBoard
  private let headcount: HeadcountPart
  private let state: Monitor<State>

  init(
    board: HealthBoard, headcount: HeadcountPart, lines: [LineDefinition], definitions: UInt32
  ) {
    self.board = board
    self.headcount = headcount
    state = Monitor(State(definitions: definitions, lines: lines, filters: Self.filters(lines)))
  }

  /// From now on these are the lines, described by these definitions.
  func use(_ lines: [LineDefinition], definitions digest: UInt32) {
    state.withLock { state in
      state.definitions = digest
      let changed = lines.filter { !state.lines.contains($0) }
      let kept = Set(lines.filter { state.lines.contains($0) }.map(\.name))
      state.filters = state.filters.filter { kept.contains($0.key) }
      state.filters.merge(Self.filters(changed)) { $1 }
      state.lines = lines
    }
  }

  /// From now on others stand in for it, or nobody; what it tells yet is dropped.
  func close() { state.withLock { $0.isClosed = true } }

  private static func filters(_ lines: [LineDefinition]) -> [String: ReportFilter] {
    Dictionary(
      lines.compactMap { line in ReportFilter(line).map { (line.name, $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  func accept(_ sample: Sample) {
    state.withLock { state in
      guard !state.isClosed else { return }
      let isFiltered = !state.filters.isEmpty && state.filters[sample.device.name] != nil
      // In place: a copy of the filter would have its reports copied too.
      let news = isFiltered ? state.filters[sample.device.name]?.news(in: sample) : sample
      board.accept(sample, of: .line, news: news, definitions: state.definitions)
    }
    headcount.take(sample)
  }

  func accept(_ event: Event) {
    let isOver = state.withLock { state in
      guard !state.isClosed else { return true }
      if case .line(let detail) = event.detail { note(detail, of: event.source) }
      board.accept(event)
      return false
    }
    if !isOver, case .line(let detail) = event.detail, detail.state == .countSuspect {
      headcount.lineIsSuspect(event.source, at: event.time)
    }
  }

  private func note(_ detail: LineDetail, of line: String) {
    switch detail.state {
    case .failed: board.input(.line, line, changedTo: detail.reason ?? detail.state.rawValue)
    case .recovered: board.input(.line, line, changedTo: nil)
    case .chattering, .calm, .countBegan, .countResumed, .countSuspect: break
    }
  }

  func accept(_ transition: LineTransition) { headcount.accept(transition) }

  func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    state.withLock { state in
      guard !state.isClosed else { return }
      // An event says it in more words.
      board.input(.line, name, changedTo: fault.map { "\($0)" }, isCertain: false)
    }
    headcount.line(name, changedTo: fault, at: time)
  }
}
