internal import LinuxSystem
internal import Telemetry

/// An open store, as its writer sees it: what is appended, synced and recycled. One thread's.
final class JournalStore: EvictionDelegate {
  /// Runs of seqs that one eviction explains at once; beyond that (a segment that saw dozens of
  /// restarts) the rest follows in a batch of its own. What fits the reserve.
  private static let mostRunsAtOnce = 32

  let journal: Journal
  /// What this store holds, as destinations see it once the store is open.
  let content: JournalContent
  /// When the newest sample of a run that did not end in order was measured: what came after it may
  /// be missing. Unix milliseconds.
  var uncleanSince: Int64?
  /// When this process began its epoch in the store.
  let began: Timestamp

  /// As of now: a reload changes destinations and definitions.
  private(set) var settings: JournalSettings
  let boot: BootID
  let clock: any TimeSource
  let definitionFiles: DefinitionFiles
  /// Who has a cursor, and who had one.
  var register: DestinationRegister
  var destinations: [DestinationName] { register.active }
  /// The record of what `journal.clocks` holds.
  var clockFile: DurableRecord
  /// Whether `journal.clocks` has what the record does not.
  var areClocksUnsaved = false
  let events: StreamLog
  let data: StreamLog
  var recordFile: DurableRecord
  var record: EpochRecord
  /// Streams that began their last segment where something stood that somebody needed.
  private(set) var evicting: Set<StreamName> = []
  /// Holes that have their gap event; readers will come upon them too.
  var explained: [Missing] = []
  var cursors: CursorFiles
  /// Events that could not be appended yet.
  private var postponed = PostponedEvents()

  /// Opens the store, begins an epoch, and appends its `start` event and what recovery found.
  /// What `previous` holds in memory is taken over, and the journal goes over to this store.
  /// `isInMemory` for one whose storage is no disk.
  init(
    _ settings: JournalSettings, storage: any Storage, clock: any TimeSource,
    isInMemory: Bool = false, continuing previous: JournalStore? = nil
  ) throws(JournalError) {
    self.settings = settings
    self.clock = clock
    began = clock.now()
    boot = settings.boot
    let recovered: [StreamName: RecoveredStream]
    let isNewStore: Bool
    let wasUnreadable: Bool
    do throws(SystemError) {
      for folder in ["", "/events", "/data", "/cursors", "/definitions"] {
        try storage.createDirectory(settings.directory + folder)
      }
      recordFile = DurableRecord(storage: storage, path: settings.directory + "/epoch")
      let foundRecord = recordFile.load()
      isNewStore = foundRecord == .nothing
      (record, wasUnreadable) = Self.nextEpoch(foundRecord)
      var catalogueFile = DurableRecord(
        storage: storage, path: settings.directory + "/segments")
      let catalogue = Self.catalogue(&catalogueFile)
      recovered = try Self.recover(
        settings, storage, catalogue, after: record.untold.last)
      if wasUnreadable { record.untold = Self.newestEpochs(recovered) }
      if let previous { record.close(previous.content.current, previous.last) }
      // Durable before the first batch: the same epoch must never name two runs.
      try recordFile.save(record.encoded())
      for (stream, found) in recovered {
        try found.putAside(storage, "\(settings.directory)/\(stream)")
      }
      let found = SegmentCatalogue(Array(recovered.values))
      // Without it the next start takes longer, no more.
      if found != catalogue, let payload = found.encoded() { try? catalogueFile.save(payload) }
      definitionFiles = DefinitionFiles(
        storage: storage, directory: settings.directory + "/definitions")
      try definitionFiles.keep(settings.definitions, as: settings.definitionsDigest)
    } catch {
      throw .storage(error)
    }

    cursors = CursorFiles(storage: storage, directory: settings.directory + "/cursors")
    clockFile = DurableRecord(storage: storage, path: settings.directory + "/clocks")
    let acknowledged: [DestinationName: [StreamName: AckSet]]
    (register, acknowledged) = DestinationRegister.load(
      settings, from: &cursors, at: clock.monotonic)
    let epoch = AckSet.EpochID(store: record.store, epoch: record.epoch)
    func log(_ stream: StreamName, _ bytes: Int, reserve: Int) -> StreamLog {
      var found = recovered[stream] ?? RecoveredStream(empty: stream)
      found.index.acknowledged = acknowledged.mapValues { $0[stream] ?? AckSet() }
      if let known = previous?.content.index(of: stream).withLock({ $0.acknowledged }) {
        found.index.take(known)
      }
      // The header of what is taken over of that epoch would seem to say that nothing else stands
      // between.
      if let last = found.index.segments.last?.header, let ended = previous?.content.current,
        AckSet.EpochID(store: last.store, epoch: last.epoch) == ended
      {
        found.continuableDevices = nil
      }
      let limits = StreamLog.Limits(
        segmentBytes: settings.segmentBytes, totalBytes: bytes, reserveBytes: reserve,
        keepFreeBytes: settings.keepFreeBytes)
      return StreamLog(
        found, epoch: epoch, storage: storage, directory: "\(settings.directory)/\(stream)",
        limits: limits)
    }
    events = log(.events, settings.eventsBytes, reserve: settings.reserveBytes)
    data = log(.data, settings.dataBytes, reserve: 0)
    content = JournalContent(
      current: epoch, edition: (previous?.content.edition ?? 0) + 1, events: events.shared,
      data: data.shared, definitionFiles: definitionFiles, isInMemory: false)
    journal =
      previous?.journal
      ?? Journal(
        content, boot: settings.boot, currentDefinitions: settings.definitionsDigest,
        isAfterOrderlyStop: record.untold.last.map { $0.last != nil } ?? false)
    events.delegate = self
    data.delegate = self
    openClocks(isNewStore: isNewStore, isContinuing: previous != nil)
    beginDestinations(isContinuing: previous != nil)
    if areClocksUnsaved { try? saveClocks() }
    do throws(AppendError) {
      if isInMemory { try leaveDisk() }
      try tellStart(settings, recovered, previous)
      // The cap may have become smaller. Events last: they tell of what goes of the data.
      try data.fitCap()
      try events.fitCap()
    } catch {
      guard case .storage(let system) = error else {
        throw .storage(SystemError(call: "append", subject: "\(error)", code: 0))
      }
      throw .storage(system)
    }
    if let previous {
      var older = previous.postponed
      postponed.putBack(older.takeAll(), from: 0)
      journal.replace(with: content)
    }
    for missing in explained { journal.noteExplained(missing.run, in: missing.stream) }
    if previous == nil { redateUncleanStop() }
  }

  /// The last seqs of its epoch.
  var last: EpochRecord.Last {
    EpochRecord.Last(events: events.nextSeq - 1, data: data.nextSeq - 1)
  }

  // MARK: Appending

  /// Appends events and makes them durable. What could not be appended is kept for the next call,
  /// so an event is handed over once.
  func append(_ more: [Event]) throws(AppendError) {
    postponed.add(more)
    let isClockNews = noteClocks(more)
    let taken = postponed.takeAll()
    let all = taken.all(at: clock.now())
    // Something may wait to be written again.
    guard !all.isEmpty else { return try events.sync() }
    // Appending can postpone more, where beginning a segment evicts one.
    var appended = 0
    do throws(AppendError) {
      for piece in BatchSplitter.pieces(of: all, boot: boot) {
        try events.append(all[piece.range], context: piece.context)
        appended = piece.range.upperBound
      }
      try events.sync()
      if isClockNews { try saveClocks() }
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

  /// Makes the data durable.
  func commit() throws(AppendError) { try data.sync() }

  /// After a fault: writes again what a given-up segment held, if the disk takes it.
  func mend() throws(AppendError) {
    try events.sync()
    try data.sync()
  }

  /// Whether data waits for a `commit`.
  var hasUncommitted: Bool { data.hasUnsynced }

  private func explainUncleanStop(until time: Timestamp) throws(AppendError) {
    guard let from = uncleanSince else { return }
    try append([
      Self.uncleanStop(
        from: from, to: end(ofStopSince: from, by: time), at: time)
    ])
    uncleanSince = nil
  }

  /// Explains holes that readers came upon.
  func explainHoles() throws(AppendError) {
    let holes = journal.takeHoles()
    guard !holes.isEmpty else { return }
    let now = clock.now()
    try append(holes.map { Self.gap(Missing($0.stream, $0.run, .damaged), at: now) })
    for hole in holes { settle(hole.run, of: hole.stream) }
  }

  // MARK: Reloading

  /// Keeps new point definitions durably, and gives new destinations a cursor: the one they had, or
  /// one that stands before everything. Destinations that are gone hold nothing back any more;
  /// their cursors stay on disk.
  func apply(_ change: JournalChange) throws(AppendError) {
    do throws(SystemError) {
      try definitionFiles.keep(change.definitions, as: change.definitionsDigest)
    } catch {
      // In memory they are kept in any case.
      if content.isDurable { throw .storage(error) }
    }
    journal.use(definitions: change.definitionsDigest)
    try changeDestinations(to: change)
    settings.destinations = change.destinations
    settings.beginnings = change.beginnings
    settings.definitions = change.definitions
  }

  // MARK: Cursors and the end

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
    try saveAllCursors()
    try saveClocks()
    record.last = last
    do throws(SystemError) {
      try definitionFiles.keepOnly(journal.digestsInUse())
      try recordFile.save(record.encoded())
    } catch {
      throw .storage(error)
    }
  }

  // MARK: EvictionDelegate

  /// What is told of a store that is full of what was not delivered; `nil` while it is not.
  var evictionFault: String? {
    guard content.isDurable, !evicting.isEmpty else { return nil }
    let names = evicting.map(\.description).sorted().joined(separator: " and ")
    return "full: the oldest \(names) that were not delivered are given up"
  }

  func segmentBegins(in stream: StreamName, evicting isEvicting: Bool) {
    if isEvicting { evicting.insert(stream) } else { evicting.remove(stream) }
  }

  func explainEviction(of segments: [Segment]) throws(AppendError) {
    guard let stream = segments.first?.header.stream else { return }
    let now = clock.now()
    var found: [(missing: Missing, needers: [DestinationName])] = []
    for segment in segments {
      let (needers, runs) = content.index(of: stream).withLock { index in
        let needers = index.needers(of: segment)
        return (needers, index.missing(in: segment, by: needers))
      }
      for run in runs {
        if segment.isInMemory { settle(run, of: stream) }
        // What follows on each other is one gap.
        if let last = found.last, last.needers == needers, last.missing.run.epoch == run.epoch,
          last.missing.run.seqs.upperBound + 1 == run.seqs.lowerBound
        {
          let seqs = last.missing.run.seqs.lowerBound...run.seqs.upperBound
          found[found.count - 1].missing.run.seqs = seqs
        } else {
          let reason = segment.isInMemory ? GapReason.storeFailed : .evicted
          found.append((Missing(stream, run, reason), needers))
        }
      }
    }
    let gaps = found.map { missing, needers in
      let isForAll = Set(needers).isSuperset(of: destinations)
      return Self.gap(
        stream, missing.run, reason: missing.reason,
        destinations: isForAll ? [] : needers.map(\.description), at: now)
    }
    postponed.add(Array(gaps.dropFirst(Self.mostRunsAtOnce)))
    let first = Array(gaps.prefix(Self.mostRunsAtOnce))
    let context = BatchContext(boot: boot, offset: now.offset, clock: now.clock)
    do throws(AppendError) {
      let isOwnRoom = stream == .events
      try events.append(first[...], context: context, isReserved: isOwnRoom)
      try events.sync()
    } catch .noRoom {
      // The events stream itself has just lost its segment to a fault.
      postponed.add(first)
    }
  }
}
