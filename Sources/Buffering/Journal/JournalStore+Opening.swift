internal import LinuxSystem
internal import Telemetry

// What is found at the start, and told.
extension JournalStore {
  static func nextEpoch(_ found: DurableRecord.Found) -> (EpochRecord, unreadable: Bool) {
    if case .payload(let payload) = found, let record = try? EpochRecord(payload) {
      return (record.beginningNext(), false)
    }
    let record = EpochRecord.fresh(store: .random(in: 1 ... .max)).beginningNext()
    return (record, found != .nothing)
  }

  static func recover(
    _ settings: JournalSettings, _ storage: any Storage, _ catalogue: SegmentCatalogue,
    after last: EpochRecord.Ended?
  ) throws(SystemError) -> [StreamName: RecoveredStream] {
    var recovered: [StreamName: RecoveredStream] = [:]
    for stream in StreamName.allCases {
      recovered[stream] = try RecoveredStream(
        stream: stream, storage: storage, directory: "\(settings.directory)/\(stream)",
        segmentBytes: settings.segmentBytes, catalogue: catalogue)
      if last?.last == nil { try recovered[stream]?.saveAgain(storage, of: settings) }
    }
    return recovered
  }

  static func catalogue(_ file: inout DurableRecord) -> SegmentCatalogue {
    guard case .payload(let payload) = file.load() else { return SegmentCatalogue() }
    return (try? SegmentCatalogue(payload)) ?? SegmentCatalogue()
  }

  /// Where the record of epochs is lost, the last ones that can be seen in the streams.
  static func newestEpochs(
    _ recovered: [StreamName: RecoveredStream]
  ) -> [EpochRecord.Ended] {
    let newest = recovered.values.compactMap { $0.index.segments.last?.runs.last?.epoch }
    return Set(newest).sorted { $0.epoch < $1.epoch }
      .map { EpochRecord.Ended(id: $0, last: nil) }
  }

  /// Appends what the epoch begins with, and takes over what `previous` holds in memory.
  func tellStart(
    _ settings: JournalSettings, _ recovered: [StreamName: RecoveredStream],
    _ previous: JournalStore?
  ) throws(AppendError) {
    let now = clock.now()
    var before: [Event] = []
    // Where nothing was kept yet, readings may be missing since the first start.
    let newest = recovered[.data]?.newestTime ?? recovered[.events]?.oldestTime
    let ended = record.untold.last { $0.id != previous?.content.current }
    let isUnclean = ended.map { $0.last == nil } ?? false
    if let previous {
      uncleanSince = previous.uncleanSince
      if isUnclean, previous.content.current.store != content.current.store, let newest {
        // A store that an earlier run left, and that this one could not open when it began.
        before.append(Self.uncleanStop(from: newest, to: previous.began.wall, at: now))
      }
    } else if isUnclean {
      uncleanSince = newest
    }
    let epochs = record.untold.map { ended in
      var last: [StreamName: UInt64] = [:]
      for stream in StreamName.allCases {
        let found = content.index(of: stream).withLock { $0.lastSeq(of: ended.id) }
        last[stream] = max(found, ended.last?[stream] ?? 0)
      }
      return EpochSummary(
        store: ended.id.store, epoch: ended.id.epoch, last: last, clean: ended.last != nil)
    }
    let found = recovered.values.flatMap { found in
      found.damage.map { Missing(found.index.stream, $0, .damaged) }
    }.filter { destinations.isEmpty || isNeeded($0.run, of: $0.stream) }
    let start = Event(
      time: now, severity: .info, source: "agent",
      detail: .start(StartDetail(agent: settings.agentVersion, previous: epochs)))
    // In one batch, so that nobody sees a start without what belongs to it.
    try append([start] + Self.putAside(recovered, at: now) + before)
    try tellPassedOver(at: now)
    // Only now: making room for it may evict, and the start comes first.
    if let previous { try adopt(previous) }
    let lost =
      found.flatMap(stillMissing) + missingBatches(recovered, besides: previous?.content.current)
      + (previous.map(lostBatches(of:)) ?? [])
    try appendInPieces(lost.map { Self.gap($0, at: now) })
    for missing in lost { settle(missing.run, of: missing.stream) }
    // Told durably: the next start need not say it again.
    record.untold = []
    record.told = (record.told + epochs.map(EpochRecord.Ended.init)).filter { ended in
      StreamName.allCases.contains { stream in
        content.index(of: stream).withLock {
          $0.lastSeq(of: ended.id) > 0 || $0.firstExpected(of: ended.id) != nil
        }
      }
    }.suffix(EpochRecord.mostTold)
    do throws(SystemError) {
      try recordFile.save(record.encoded())
    } catch {
      throw .storage(error)
    }
    // Not what nobody needs now: one who comes later may.
    explained = lost
  }

  /// Events of one batch where there may be any number: no segment can hold all that damage in many
  /// places, or many epochs before many new destinations, give rise to.
  private static let mostToldAtOnce = 8

  /// Appends events in batches of their own, each durable before the next.
  func appendInPieces(_ all: [Event]) throws(AppendError) {
    var rest = all[...]
    while !rest.isEmpty {
      try append(Array(rest.prefix(Self.mostToldAtOnce)))
      rest = rest.dropFirst(Self.mostToldAtOnce)
    }
  }

  /// Batches that must have been kept and that no file holds: the last ones of an epoch that ended
  /// in order, and, where a file had to be put aside, what stood before everything else.
  func missingBatches(
    _ recovered: [StreamName: RecoveredStream], besides previousEpoch: AckSet.EpochID?
  ) -> [Missing] {
    var missing: [Missing] = []
    for stream in StreamName.allCases {
      let index = content.index(of: stream)
      for ended in record.untold where ended.id != previousEpoch {
        let (found, isKnown) = index.withLock {
          ($0.lastSeq(of: ended.id), $0.isTailKnown(of: ended.id))
        }
        guard isKnown, let last = ended.last?[stream], last > found else { continue }
        let run = Segment.Run(epoch: ended.id, seqs: found + 1...last)
        missing.append(Missing(stream, run, .damaged))
      }
      for ended in record.told {
        let (found, isKnown) = index.withLock {
          ($0.lastSeq(of: ended.id), $0.isTailKnown(of: ended.id))
        }
        // An epoch that no segment is of was evicted, or everybody has it.
        let before = index.withLock { $0.firstExpected(of: ended.id) }
        guard isKnown, let first = found > 0 ? found + 1 : before, let last = ended.last?[stream],
          last >= first
        else { continue }
        missing.append(
          Missing(stream, Segment.Run(epoch: ended.id, seqs: first...last), .damaged))
      }
      guard recovered[stream]?.putAside.isEmpty == false else { continue }
      missing += (recovered[stream]?.lost ?? []).flatMap(\.runs).map {
        Missing(stream, $0, .damaged)
      }
      let firsts = index.withLock { $0.firstSeqs }
      for (epoch, first) in firsts where first > 1 {
        missing.append(Missing(stream, Segment.Run(epoch: epoch, seqs: 1...first - 1), .damaged))
      }
    }
    // What every destination has had is missed by nobody.
    return Missing.united(missing, .damaged).filter { isNeeded($0.run, of: $0.stream) }
  }

  /// Files that recovery could not read.
  static func putAside(
    _ recovered: [StreamName: RecoveredStream], at now: Timestamp
  ) -> [Event] {
    StreamName.allCases.flatMap { stream -> [Event] in
      guard let found = recovered[stream] else { return [] }
      let ever = GapDetail(stream: stream, span: .time(from: 0, to: now.wall), reason: .damaged)
      let isUnknown = found.lost.contains(where: \.isUnknown)
      let gap = Event(
        time: now, severity: .warning, source: "\(stream)", detail: .gap(ever))
      return (isUnknown ? [gap] : [])
        + found.putAside.map { name, problem in
          Event(
            time: now, severity: .warning, source: "\(stream)",
            detail: .store(StateDetail(state: "put-aside", reason: "\(name): \(problem)")))
        }
    }
  }
}
