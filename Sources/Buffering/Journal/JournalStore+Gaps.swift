internal import LinuxSystem
internal import Telemetry

// What says that something is missing.
extension JournalStore {
  /// Batches that are gone.
  struct Missing {
    var stream: StreamName
    var run: Segment.Run
    var reason: GapReason

    init(_ stream: StreamName, _ run: Segment.Run, _ reason: GapReason) {
      self.stream = stream
      self.run = run
      self.reason = reason
    }
  }

  static func gap(_ missing: Missing, at now: Timestamp) -> Event {
    gap(missing.stream, missing.run, reason: missing.reason, destinations: [], at: now)
  }

  static func uncleanStop(from: Int64, to: Int64, at now: Timestamp) -> Event {
    let detail = GapDetail(
      stream: .data, span: .time(from: from, to: max(from, to)), reason: .uncleanStop)
    return Event(time: now, severity: .warning, source: "data", detail: .gap(detail))
  }

  static func gap(
    _ stream: StreamName, _ run: Segment.Run, reason: GapReason, destinations: [String],
    at now: Timestamp
  ) -> Event {
    let span = GapSpan.batches(
      store: run.epoch.store, epoch: run.epoch.epoch, from: run.seqs.lowerBound,
      to: run.seqs.upperBound)
    return Event(
      time: now, severity: .warning, source: "\(stream)",
      detail: .gap(
        GapDetail(
          stream: stream, span: span, count: run.seqs.count, reason: reason,
          destinations: destinations)))
  }

  /// What of it does not stand in another segment: where a sync failed, the batches were written
  /// again, and their old place need not be readable.
  func stillMissing(_ missing: Missing) -> [Missing] {
    content.index(of: missing.stream).withLock { $0.lost(missing.run) }
      .map { Missing(missing.stream, $0, missing.reason) }
  }

  /// Whether a destination has not had all of `run`.
  func isNeeded(_ run: Segment.Run, of stream: StreamName) -> Bool {
    let destinations = self.destinations
    return content.index(of: stream).withLock { index in
      destinations.contains { index.acknowledged[$0]?.covers(run.epoch, run.seqs) != true }
    }
  }

  /// What is explained is nobody's backlog any more, and is not explained again at the next start.
  func settle(_ run: Segment.Run, of stream: StreamName) {
    content.index(of: stream).withLock { index in
      for destination in index.acknowledged.keys {
        index.acknowledged[destination]?.insert(run.epoch, run.seqs)
      }
    }
  }
}
