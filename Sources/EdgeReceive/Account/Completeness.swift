import Telemetry

/// A time whose values are accounted for although they were not delivered.
struct MissingStretch: Sendable, Hashable {
  /// Unix milliseconds, both ends included.
  var time: ClosedRange<Int64>
  /// The words of the gap or the `start` event.
  var explanation: String
}

/// Sets what is held against what gateways state.
struct Completeness {
  /// A gap by time and the neighbours of a hole speak of the same moments, but a neighbour's own
  /// sample is up to a reading cycle away; the usual cycle is 1 s.
  static let timeGapSlack: Int64 = 2000

  /// All streams in the order of gateway, store, epoch, stream.
  private(set) var streams: [AccountReport.Stream] = []
  private(set) var missingEpochs: [AccountReport.MissingEpochs] = []
  private(set) var clones: [AccountReport.Clone] = []
  private(set) var dating = AccountReport.Dating()
  /// Where values of `data` may be missing with a reason.
  private(set) var missingStretches: [MissingStretch] = []

  private let held: [StreamEpoch: HeldStream]
  private let statements: Statements
  private let timeGaps: [Statements.TimeGap]

  /// Works out everything at once.
  init(held: [StreamEpoch: HeldStream], statements: Statements) {
    var statements = statements
    for epoch in Set(held.keys.map(\.epoch)) { statements.expectStart(of: epoch) }
    self.held = held
    self.statements = statements
    timeGaps = statements.datedTimeGaps.filter { statements.concerns($0.detail, of: $0.gateway) }

    let stated = statements.complete()
    let names = Set(held.keys).union(stated.keys).sorted()
    for name in names { add(name, stated[name] ?? StreamStatements()) }
    findMissingEpochs(among: Set(names.map(\.epoch)).sorted())
    findClones()
    for stream in held.values { date(stream) }
    missingStretches += timeGaps.filter { $0.detail.stream == .data }.map {
      MissingStretch(time: $0.time, explanation: "\($0.detail.reason.rawValue)")
    }
  }

  private mutating func add(_ name: StreamEpoch, _ stated: StreamStatements) {
    let stream = held[name] ?? HeldStream()
    let holes = stated.holes(in: stream.seqs) { hole in timeGap(over: hole, in: name)?.detail.reason
    }
    streams.append(
      AccountReport.Stream(
        name: name, held: stream.seqs, statedNewest: stated.statedNewest,
        unsent: statements.unsent[name.epoch.gateway]?[name], holes: holes))
    guard name.stream == .data else { return }
    for hole in holes {
      guard let explanation = hole.explanation else { continue }
      let from = before(hole.seqs, in: name) ?? .min
      let to = after(hole.seqs, in: name) ?? .max
      // A clock that was stepped back can put the neighbours the wrong way round.
      let time = min(from, to)...max(from, to)
      missingStretches.append(MissingStretch(time: time, explanation: "\(explanation)"))
    }
  }

  // MARK: Times around holes

  /// The gap by time that spans the hole from neighbour to neighbour. Readings that were never
  /// made or that a ring lost had no seq, so gaps of those explain no hole.
  private func timeGap(
    over hole: ClosedRange<UInt64>, in name: StreamEpoch
  ) -> Statements.TimeGap? {
    let neverHadSeq: Set<GapReason> = [.notRead, .overrun, .uncleanStop]
    guard let stream = held[name], let previous = stream.seqs.last(before: hole.lowerBound),
      let next = stream.seqs.first(after: hole.upperBound),
      let from = stream.wallTime(of: previous, statements)?.upperBound,
      let to = stream.wallTime(of: next, statements)?.lowerBound
    else { return nil }
    return timeGaps.first { gap in
      gap.gateway == name.epoch.gateway && gap.store == name.epoch.store
        && gap.detail.stream == name.stream && !neverHadSeq.contains(gap.detail.reason)
        && gap.time.lowerBound - Self.timeGapSlack <= from
        && gap.time.upperBound + Self.timeGapSlack >= to
    }
  }

  /// Wall time of the newest sample before the seqs, also of an earlier epoch.
  private func before(_ seqs: ClosedRange<UInt64>, in name: StreamEpoch) -> Int64? {
    if let stream = held[name], let seq = stream.seqs.last(before: seqs.lowerBound) {
      return stream.wallTime(of: seq, statements)?.upperBound
    }
    let earlier = held.keys.filter { $0.isSibling(of: name) && $0.epoch.epoch < name.epoch.epoch }
    guard let stream = earlier.max().flatMap({ held[$0] }), let last = stream.seqs.last else {
      return nil
    }
    return stream.wallTime(of: last, statements)?.upperBound
  }

  /// Wall time of the oldest sample after the seqs, also of a later epoch.
  private func after(_ seqs: ClosedRange<UInt64>, in name: StreamEpoch) -> Int64? {
    if let stream = held[name], let seq = stream.seqs.first(after: seqs.upperBound) {
      return stream.wallTime(of: seq, statements)?.lowerBound
    }
    let later = held.keys.filter { $0.isSibling(of: name) && $0.epoch.epoch > name.epoch.epoch }
    guard let stream = later.min().flatMap({ held[$0] }),
      let first = stream.seqs.ranges.first?.lowerBound
    else { return nil }
    return stream.wallTime(of: first, statements)?.lowerBound
  }

  // MARK: Epochs, clones, dates

  private mutating func findMissingEpochs(among known: [EpochName]) {
    for (previous, next) in zip(known, known.dropFirst()) {
      guard previous.gateway == next.gateway, previous.store == next.store,
        next.epoch - previous.epoch > 1
      else { continue }
      missingEpochs.append(
        AccountReport.MissingEpochs(
          gateway: next.gateway, store: next.store,
          epochs: (previous.epoch + 1)...(next.epoch - 1)))
    }
  }

  private mutating func findClones() {
    var boots: [EpochName: Set<BootID>] = [:]
    for (name, stream) in held { boots[name.epoch, default: []].formUnion(stream.boots) }
    for (epoch, boots) in boots where boots.count > 1 {
      let sorted = boots.sorted { $0.rawValue < $1.rawValue }
      clones.append(AccountReport.Clone(epoch: epoch, boots: sorted))
    }
    clones.sort { $0.epoch < $1.epoch }
  }

  private mutating func date(_ stream: HeldStream) {
    for (boot, batch) in stream.all {
      switch batch.clock {
      case .synced: dating.synced += batch.samples
      case .corrected: dating.corrected += batch.samples
      case .unsynced where batch.redatedOffset(boot, statements) != nil:
        dating.redated += batch.samples
      case .unsynced: dating.undated += batch.samples
      }
    }
  }
}

extension StreamEpoch {
  /// Whether both are the same stream of the same store, in any epoch.
  fileprivate func isSibling(of other: StreamEpoch) -> Bool {
    stream == other.stream && epoch.gateway == other.epoch.gateway
      && epoch.store == other.epoch.store
  }
}

extension HeldStream {
  /// Wall time of the batches with this seq, oldest to newest sample, Unix ms.
  fileprivate func wallTime(of seq: UInt64, _ statements: Statements) -> ClosedRange<Int64>? {
    let spans = batches(seq).compactMap { boot, batch in
      batch.span.map { span in
        let offset = batch.redatedOffset(boot, statements) ?? batch.offset
        return (span.lowerBound + offset)...(span.upperBound + offset)
      }
    }
    guard let first = spans.first else { return nil }
    return spans.dropFirst().reduce(first) {
      min($0.lowerBound, $1.lowerBound)...max($0.upperBound, $1.upperBound)
    }
  }
}

extension HeldStream.Batch {
  /// The offset that the boot learnt after an unsynchronised batch, `nil` for any other.
  fileprivate func redatedOffset(_ boot: BootID, _ statements: Statements) -> Int64? {
    guard clock == .unsynced, let span, let known = statements.synchronisations[boot],
      span.upperBound < known.monotonic
    else { return nil }
    return known.offset
  }
}
