internal import LinuxSystem
internal import Telemetry

/// An open store, as its writer sees it: what is appended, synced and recycled. One thread's.
final class JournalStore: EvictionDelegate {
  /// Runs of seqs that one eviction explains at once; beyond that (a segment that saw dozens of
  /// restarts) the rest follows in a batch of its own. What fits the reserve.
  private static let mostRunsAtOnce = 32

  let journal: Journal
  /// When the newest sample of a run that did not end in order was measured: what came after it may
  /// be missing. Unix milliseconds.
  private(set) var uncleanSince: Int64?

  private let boot: BootID
  private let clock: any TimeSource
  private let definitionFiles: DefinitionFiles
  private var destinations: [DestinationName]
  private let events: StreamLog
  private let data: StreamLog
  private var recordFile: DurableRecord
  private var record: EpochRecord
  private var cursors: CursorFiles
  /// Events that could not be appended yet.
  private var postponed = PostponedEvents()

  /// Opens the store, begins an epoch, and appends its `start` event and what recovery found.
  init(
    _ settings: JournalSettings, storage: any Storage, clock: any TimeSource
  ) throws(JournalError) {
    self.clock = clock
    boot = settings.boot
    destinations = settings.destinations
    let recovered: [StreamName: RecoveredStream]
    let wasUnreadable: Bool
    do throws(SystemError) {
      for folder in ["", "/events", "/data", "/cursors", "/definitions"] {
        try storage.createDirectory(settings.directory + folder)
      }
      recordFile = DurableRecord(storage: storage, path: settings.directory + "/epoch")
      (record, wasUnreadable) = Self.nextEpoch(recordFile.load())
      recovered = try Self.recover(settings, storage, after: record.untold.last)
      if wasUnreadable { record.untold = Self.newestEpochs(recovered) }
      // Durable before the first batch: the same epoch must never name two runs.
      try recordFile.save(record.encoded())
      definitionFiles = DefinitionFiles(
        storage: storage, directory: settings.directory + "/definitions")
      try definitionFiles.keep(settings.definitions, as: settings.definitionsDigest)
    } catch {
      throw .storage(error)
    }

    cursors = CursorFiles(storage: storage, directory: settings.directory + "/cursors")
    let acknowledged = cursors.add(settings.destinations)
    let epoch = AckSet.EpochID(store: record.store, epoch: record.epoch)
    func log(_ stream: StreamName, _ bytes: Int, reserve: Int) -> StreamLog {
      var found = recovered[stream] ?? RecoveredStream(empty: stream)
      for destination in settings.destinations {
        found.index.acknowledged[destination] = acknowledged[destination]?[stream] ?? AckSet()
      }
      let limits = StreamLog.Limits(
        segmentBytes: settings.segmentBytes, totalBytes: bytes, reserveBytes: reserve)
      return StreamLog(
        found, epoch: epoch, storage: storage, directory: "\(settings.directory)/\(stream)",
        limits: limits)
    }
    let reserve = min(JournalSettings.reserveBytes, settings.segmentBytes / 8)
    events = log(.events, settings.eventsBytes, reserve: reserve)
    data = log(.data, settings.dataBytes, reserve: 0)
    journal = Journal(
      current: epoch, isDurable: storage.isDurable, events: events.shared, data: data.shared,
      definitionFiles: definitionFiles, currentDefinitions: settings.definitionsDigest)
    events.delegate = self
    data.delegate = self
    try tellStart(settings, recovered)
  }

  // MARK: Opening

  private static func nextEpoch(_ found: DurableRecord.Found) -> (EpochRecord, unreadable: Bool) {
    if case .payload(let payload) = found, let record = try? EpochRecord(payload) {
      return (record.beginningNext(), false)
    }
    let record = EpochRecord.fresh(store: .random(in: 1 ... .max)).beginningNext()
    return (record, found != .nothing)
  }

  private static func recover(
    _ settings: JournalSettings, _ storage: any Storage, after last: EpochRecord.Ended?
  ) throws(SystemError) -> [StreamName: RecoveredStream] {
    var recovered: [StreamName: RecoveredStream] = [:]
    for stream in StreamName.allCases {
      recovered[stream] = try RecoveredStream(
        stream: stream, storage: storage, directory: "\(settings.directory)/\(stream)",
        segmentBytes: settings.segmentBytes)
      if last?.last == nil { try recovered[stream]?.saveAgain(storage, of: settings) }
    }
    return recovered
  }

  /// Where the record of epochs is lost, the last ones that can be seen in the streams.
  private static func newestEpochs(
    _ recovered: [StreamName: RecoveredStream]
  ) -> [EpochRecord.Ended] {
    let newest = recovered.values.compactMap { $0.index.segments.last?.runs.last?.epoch }
    return Set(newest).sorted { $0.epoch < $1.epoch }
      .map { EpochRecord.Ended(id: $0, last: nil) }
  }

  private func tellStart(
    _ settings: JournalSettings, _ recovered: [StreamName: RecoveredStream]
  ) throws(JournalError) {
    let now = clock.now()
    if let last = record.untold.last, last.last == nil {
      // Where nothing was kept yet, readings may be missing since the first start.
      uncleanSince = recovered[.data]?.newestTime ?? recovered[.events]?.oldestTime
    }
    let previous = record.untold.map { ended in
      var last: [StreamName: UInt64] = [:]
      for stream in StreamName.allCases {
        let found = journal.index(of: stream).withLock { $0.lastSeq(of: ended.id) }
        last[stream] = max(found, ended.last?[stream] ?? 0)
      }
      return EpochSummary(
        store: ended.id.store, epoch: ended.id.epoch, last: last, clean: ended.last != nil)
    }
    let lost = missingBatches(recovered)
    let start = Event(
      time: now, severity: .info, source: "agent",
      detail: .start(StartDetail(agent: settings.agentVersion, previous: previous)))
    do throws(AppendError) {
      let gaps = lost.map { Self.damage($0.stream, $0.run, at: now) }
      try append([start] + Self.findings(recovered, at: now) + gaps)
    } catch {
      guard case .storage(let system) = error else {
        throw .storage(SystemError(call: "append", subject: "\(error)", code: 0))
      }
      throw .storage(system)
    }
    for run in recovered.values.flatMap(\.damage) { journal.noteExplained(run) }
    for (stream, run) in lost { settle(run, of: stream) }
    // Told durably: the next start need not say it again.
    record.untold = []
    do throws(SystemError) {
      try recordFile.save(record.encoded())
    } catch {
      throw .storage(error)
    }
  }

  /// Batches that must have been kept and that no file holds: the last ones of an epoch that ended
  /// in order, and, where a file had to be put aside, what stood before everything else.
  private func missingBatches(
    _ recovered: [StreamName: RecoveredStream]
  ) -> [(stream: StreamName, run: Segment.Run)] {
    var missing: [(StreamName, Segment.Run)] = []
    for stream in StreamName.allCases {
      let index = journal.index(of: stream)
      for ended in record.untold {
        let (found, isKnown) = index.withLock {
          ($0.lastSeq(of: ended.id), $0.isTailKnown(of: ended.id))
        }
        guard isKnown, let last = ended.last?[stream], last > found else { continue }
        missing.append((stream, Segment.Run(epoch: ended.id, seqs: found + 1...last)))
      }
      guard recovered[stream]?.putAside.isEmpty == false else { continue }
      missing += (recovered[stream]?.lost ?? []).flatMap(\.runs).map { (stream, $0) }
      let firsts = index.withLock { $0.firstSeqs }
      for (epoch, first) in firsts where first > 1 {
        missing.append((stream, Segment.Run(epoch: epoch, seqs: 1...first - 1)))
      }
    }
    let destinations = destinations
    missing = Segment.Run.united(missing)
    // What every destination has had is missed by nobody.
    return missing.filter { stream, run in
      journal.index(of: stream).withLock { index in
        destinations.contains {
          index.acknowledged[$0]?.covers(run.epoch, run.seqs) != true
        }
      }
    }
  }

  /// What recovery found to be broken.
  private static func findings(
    _ recovered: [StreamName: RecoveredStream], at now: Timestamp
  ) -> [Event] {
    var findings: [Event] = []
    for stream in StreamName.allCases {
      guard let found = recovered[stream] else { continue }
      findings += found.damage.map { damage(stream, $0, at: now) }
      if found.lost.contains(where: \.isUnknown) {
        let ever = GapDetail(stream: stream, span: .time(from: 0, to: now.wall), reason: .damaged)
        findings.append(
          Event(time: now, severity: .warning, source: "\(stream)", detail: .gap(ever)))
      }
      findings += found.putAside.map { name, problem in
        Event(
          time: now, severity: .warning, source: "\(stream)",
          detail: .store(StateDetail(state: "put-aside", reason: "\(name): \(problem)")))
      }
    }
    return findings
  }

  private static func damage(_ stream: StreamName, _ run: Segment.Run, at now: Timestamp) -> Event {
    gap(stream, run, reason: .damaged, destinations: [], at: now)
  }

  private static func gap(
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

  // MARK: Appending

  /// Appends events and makes them durable. What could not be appended is kept for the next call,
  /// so an event is handed over once.
  func append(_ more: [Event]) throws(AppendError) {
    postponeGivenUp()
    postponed.add(more)
    let taken = postponed.takeAll()
    let all = taken.all(at: clock.now())
    guard !all.isEmpty else { return }
    // Appending can postpone more, where beginning a segment evicts one.
    var appended = 0
    do throws(AppendError) {
      for piece in BatchSplitter.pieces(of: all, boot: boot) {
        try events.append(all[piece.range], context: piece.context)
        appended = piece.range.upperBound
      }
      try events.sync()
    } catch {
      postponed.putBack(taken, from: appended)
      throw error
    }
  }

  /// Appends samples; durable after the next `commit`. Returns how many of them were appended
  /// before something failed with an error.
  func append(_ samples: [DefinedSample], appended: inout Int) throws(AppendError) {
    if let first = samples.first?.sample { try explainUncleanStop(until: first.time) }
    for piece in BatchSplitter.pieces(of: samples, boot: boot) {
      try data.append(samples[piece.range], context: piece.context, definitions: piece.definitions)
      appended = piece.range.upperBound
    }
  }

  /// Makes the data durable. Where that fails, what was not synced can still be read until a power
  /// cut; a gap event, appended with the next events, says that it may be missing after one.
  func commit() throws(AppendError) { try data.sync() }

  /// Whichever call it was that failed: what was appended before and not synced has to be
  /// explained.
  private func postponeGivenUp() {
    let now = clock.now()
    for log in [events, data] {
      postponed.add(
        log.takeGivenUp().map {
          Self.gap(log.stream, $0, reason: .storeFailed, destinations: [], at: now)
        })
    }
  }

  /// Whether data waits for a `commit`.
  var hasUncommitted: Bool { data.hasUnsynced }

  private func explainUncleanStop(until time: Timestamp) throws(AppendError) {
    guard let from = uncleanSince else { return }
    let detail = GapDetail(
      stream: .data, span: .time(from: from, to: max(from, time.wall)), reason: .uncleanStop)
    try append([Event(time: time, severity: .warning, source: "data", detail: .gap(detail))])
    uncleanSince = nil
  }

  /// Explains holes that readers came upon.
  func explainHoles() throws(AppendError) {
    let holes = journal.takeHoles()
    guard !holes.isEmpty else { return }
    let now = clock.now()
    try append(holes.map { Self.damage($0.stream, $0.run, at: now) })
    for hole in holes { settle(hole.run, of: hole.stream) }
  }

  /// What is explained is nobody's backlog any more, and is not explained again at the next start.
  private func settle(_ run: Segment.Run, of stream: StreamName) {
    journal.index(of: stream).withLock { index in
      for destination in index.acknowledged.keys {
        index.acknowledged[destination]?.insert(run.epoch, run.seqs)
      }
    }
  }

  // MARK: Reloading

  /// Keeps new point definitions durably, and gives new destinations a cursor: the one they had, or
  /// one that stands before everything. Destinations that are gone hold nothing back any more;
  /// their cursors stay on disk.
  func apply(_ change: JournalChange) throws(AppendError) {
    do throws(SystemError) {
      try definitionFiles.keep(change.definitions, as: change.definitionsDigest)
    } catch {
      throw .storage(error)
    }
    journal.use(definitions: change.definitionsDigest)
    try saveCursors()
    let added = change.destinations.filter { !destinations.contains($0) }
    let acknowledged = cursors.add(added)
    for (stream, log) in [(StreamName.events, events), (.data, data)] {
      log.shared.withLock { index in
        index.acknowledged = index.acknowledged.filter { change.destinations.contains($0.key) }
        for destination in added {
          index.acknowledged[destination] = acknowledged[destination]?[stream] ?? AckSet()
        }
      }
    }
    destinations = change.destinations
  }

  // MARK: Cursors and the end

  func saveCursors() throws(AppendError) {
    for destination in destinations {
      let sets: [StreamName: AckSet] = [
        .events: events.shared.withLock { $0.acknowledged[destination] } ?? AckSet(),
        .data: data.shared.withLock { $0.acknowledged[destination] } ?? AckSet(),
      ]
      do throws(SystemError) {
        try cursors.save(destination, sets)
      } catch {
        throw .storage(error)
      }
    }
  }

  /// Ends the epoch in order.
  func close(reason: String) throws(AppendError) {
    try commit()
    // No sample came that could end the gap of the run before.
    try explainUncleanStop(until: clock.now())
    try append([
      Event(
        time: clock.now(), severity: .info, source: "agent",
        detail: .stop(StopDetail(reason: reason)))
    ])
    journal.wakeReaders()
  }

  /// The last that is written: nothing may be appended after it.
  func seal() throws(AppendError) {
    try saveCursors()
    record.last = EpochRecord.Last(events: events.nextSeq - 1, data: data.nextSeq - 1)
    do throws(SystemError) {
      try definitionFiles.keepOnly(journal.digestsInUse())
      try recordFile.save(record.encoded())
    } catch {
      throw .storage(error)
    }
  }

  // MARK: EvictionDelegate

  func explainEviction(
    of segment: Segment, needers: [DestinationName]
  ) throws(AppendError) {
    let now = clock.now()
    let stream = segment.header.stream
    let isForAll = needers.count == destinations.count
    let runs = journal.index(of: stream).withLock { $0.missing(in: segment, by: needers) }
    let gaps = runs.map { run in
      Self.gap(
        stream, run, reason: .evicted, destinations: isForAll ? [] : needers.map(\.description),
        at: now)
    }
    postponed.add(Array(gaps.dropFirst(Self.mostRunsAtOnce)))
    let first = Array(gaps.prefix(Self.mostRunsAtOnce))
    let context = BatchContext(boot: boot, offset: now.offset, clock: now.clock)
    do throws(AppendError) {
      let isOwnRoom = segment.header.stream == .events
      try events.append(first[...], context: context, isReserved: isOwnRoom)
      try events.sync()
    } catch .noRoom {
      // The events stream itself has just lost its segment to a fault.
      postponed.add(first)
    }
  }
}
