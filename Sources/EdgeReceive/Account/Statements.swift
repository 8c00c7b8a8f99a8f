import Telemetry

/// Everything that gateways state about what there is and what is missing.
struct Statements: Sendable {
  /// A hole in time.
  struct TimeGap: Sendable, Hashable {
    var gateway: String
    var store: UInt64
    var detail: GapDetail
    /// Unix milliseconds, both ends included.
    var time: ClosedRange<Int64>
    /// Where the event was made, if its boot's clock was not synchronised then.
    var undated: Undated?
  }

  /// A moment of a boot that did not know the time yet.
  struct Undated: Sendable, Hashable {
    var boot: BootID
    /// Milliseconds of the boot's monotonic clock.
    var monotonic: Int64
    /// Wall minus monotonic time as believed, ms.
    var offset: Int64
  }

  /// A boot's first synchronisation of its clock.
  struct Synchronisation: Sendable, Hashable {
    /// Monotonic time of the event, ms: what was read before may be re-dated.
    var monotonic: Int64
    /// Wall minus monotonic time from then on, ms.
    var offset: Int64
  }

  /// By stream and epoch.
  private(set) var streams: [StreamEpoch: StreamStatements] = [:]
  /// Gaps by time, each once, in order of arrival.
  private(set) var timeGaps: [TimeGap] = []
  /// First synchronisations by boot.
  private(set) var synchronisations: [BootID: Synchronisation] = [:]
  /// What the newest `health` of each gateway says is unsent, by the newest epoch of each stream.
  private(set) var unsent: [String: [StreamEpoch: UInt64]] = [:]
  /// The destinations whose topics this receiver sees, by gateway; gaps of others explain nothing.
  private var destinations: [String: Set<String>] = [:]
  private var seqGaps: [(gateway: String, detail: GapDetail)] = []

  /// Notes the destination that a `state` names.
  mutating func add(_ state: GatewayState) {
    guard let destination = state.destination else { return }
    destinations[state.gateway, default: []].insert(destination)
  }

  /// Notes the newest batches that `health` names.
  mutating func add(_ health: GatewayHealth, of gateway: String) {
    unsent[gateway] = [:]
    for (stream, stated) in health.streams {
      guard let newest = stated.newest else { continue }
      let epoch = EpochName(gateway: gateway, store: stated.store, epoch: newest.epoch)
      let name = StreamEpoch(epoch: epoch, stream: stream)
      unsent[gateway, default: [:]][name] = stated.unsent
      state(newest: newest.seq, of: name)
    }
  }

  /// Notes what the events of a batch, which is no repeat, say.
  mutating func add(_ events: [ReceivedEvent], of batch: ReceivedBatch) {
    let gateway = batch.stream.epoch.gateway
    let store = batch.stream.epoch.store
    for event in events {
      switch event.statement {
      case .start(let previous): for summary in previous { add(summary, of: gateway) }
      case .gap(let detail):
        switch detail.span {
        case .batches: seqGaps.append((gateway, detail))
        case .time(let from, let to):
          let undated =
            batch.clock == .unsynced
            ? Undated(boot: batch.boot, monotonic: event.monotonic, offset: batch.offset) : nil
          timeGaps.append(
            TimeGap(
              gateway: gateway, store: store, detail: detail, time: from...to, undated: undated))
        }
      case .clock(let detail): add(detail, at: event.monotonic)
      case .other: break
      }
    }
  }

  private mutating func add(_ summary: EpochSummary, of gateway: String) {
    let epoch = EpochName(gateway: gateway, store: summary.store, epoch: summary.epoch)
    for (stream, last) in summary.last {
      let stream = StreamEpoch(epoch: epoch, stream: stream)
      state(newest: last, of: stream)
      if !summary.clean { streams[stream, default: .init()].lastBeforeUncleanEnd = last }
    }
  }

  private mutating func add(_ clock: ClockDetail, at monotonic: Int64) {
    guard clock.to == .synced else { return }
    if let known = synchronisations[clock.boot], known.monotonic <= monotonic { return }
    synchronisations[clock.boot] = Synchronisation(monotonic: monotonic, offset: clock.offset)
  }

  private mutating func state(newest seq: UInt64, of stream: StreamEpoch) {
    let stated = streams[stream, default: .init()].statedNewest
    // The subscript makes an entry also for a stream stated empty: its epoch is known then.
    streams[stream, default: .init()].statedNewest = max(stated, seq)
  }

  /// Notes that an epoch's first event, its `start`, has to exist.
  mutating func expectStart(of epoch: EpochName) {
    state(newest: 1, of: StreamEpoch(epoch: epoch, stream: .events))
  }

  /// Whether a gap concerns this receiver.
  func concerns(_ gap: GapDetail, of gateway: String) -> Bool {
    guard let seen = destinations[gateway], !gap.destinations.isEmpty else { return true }
    return !seen.isDisjoint(with: gap.destinations)
  }

  /// The gaps by time with the times that their boots learnt later.
  var datedTimeGaps: [TimeGap] {
    timeGaps.map { gap in
      guard let undated = gap.undated, let known = synchronisations[undated.boot],
        undated.monotonic < known.monotonic
      else { return gap }
      // Only what this boot's clock showed: a gap may begin at what an earlier one did.
      let shown = undated.offset...undated.offset + max(0, undated.monotonic)
      let ends = [gap.time.lowerBound, gap.time.upperBound].map {
        shown.contains($0) ? $0 - undated.offset + known.offset : $0
      }
      var dated = gap
      dated.time = min(ends[0], ends[1])...max(ends[0], ends[1])
      return dated
    }
  }

  /// What is known of each stream, with the gaps by seq that concern this receiver.
  func complete() -> [StreamEpoch: StreamStatements] {
    var complete = streams
    for (gateway, detail) in seqGaps where concerns(detail, of: gateway) {
      guard case .batches(let store, let epoch, let from, let to) = detail.span else { continue }
      let name = EpochName(gateway: gateway, store: store, epoch: epoch)
      complete[StreamEpoch(epoch: name, stream: detail.stream), default: .init()].gaps
        .append(StreamStatements.Gap(seqs: from...to, reason: detail.reason))
    }
    return complete
  }
}
