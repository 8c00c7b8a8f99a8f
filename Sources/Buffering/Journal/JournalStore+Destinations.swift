internal import LinuxSystem
internal import Telemetry

/// Destinations that come and go. A new one's cursor is durable before anything is appended for it;
/// one that is gone goes on holding what it needs for a while, and an event tells when that ends.
extension JournalStore {
  /// How often the time of removed destinations is saved: what a kill takes off it at most.
  private static let removalSaveMilliseconds: Int64 = 600_000
  /// Events of one cause at once: of more epochs than this, the newest are told of.
  private static let mostEpochsTold = 64
  /// Runs of one epoch that are named one by one; more of them, and one gap spans them all: what
  /// of it is there is delivered all the same.
  private static let mostRunsTold = 8

  // MARK: New ones

  /// Gives the newcomers a cursor, when the store is opened. Where the run went on in memory
  /// before, they are new to the store only: what it lost is told for another reason.
  func beginDestinations(isContinuing: Bool) {
    for name in register.newcomers {
      begin(name, lackingAbsent: !isContinuing)
      register.unsaved.insert(name)
    }
    register.newcomers = []
    // What can't be saved now is saved with the others, and told when that fails.
    try? saveNewCursors()
    try? saveRemovals()
    listRemoved()
  }

  /// Stands the cursor of a new destination where its delivery begins.
  private func begin(_ name: DestinationName, lackingAbsent: Bool = true) {
    let beginning = register.beginnings[name] ?? .live
    for stream in StreamName.allCases {
      let shared = content.index(of: stream)
      shared.withLock { $0.acknowledged[name] = AckSet() }
      let boundary: LogBoundary
      switch beginning {
      case .everything: boundary = .start
      case .live: boundary = .end
      case .age(let milliseconds):
        boundary = firstBatch(of: stream, for: name, notOlderThan: milliseconds)
      }
      var passedOver = shared.withLock { $0.all(before: boundary) }
      // What others had and no file holds can't be given to a newcomer either.
      let lasts = record.lasts(of: stream)
      let absent = lackingAbsent ? shared.withLock { $0.absent(lasts: lasts) } : []
      for run in absent { passedOver.insert(run.epoch, run.seqs) }
      let begun = passedOver
      shared.withLock { $0.acknowledged[name] = begun }
      if !begun.epochs.isEmpty { register.untold.insert(name) }
    }
  }

  /// Tells what new destinations do not get: of many epochs, in more batches than one.
  func tellPassedOver(at now: Timestamp) throws(AppendError) {
    try appendInPieces(passedOver(at: now))
    // Only now: a cursor that is saved in between still says that they are to be told.
    register.untold = []
  }

  private func passedOver(at now: Timestamp) -> [Event] {
    register.untold.sorted { $0.description < $1.description }.flatMap { name in
      StreamName.allCases.flatMap { stream in
        let epochs = content.index(of: stream).withLock { $0.acknowledged[name]?.epochs ?? [:] }
        let runs = epochs.flatMap { epoch, ranges -> [Segment.Run] in
          guard ranges.count > Self.mostRunsTold, let first = ranges.first, let last = ranges.last
          else { return ranges.map { Segment.Run(epoch: epoch, seqs: $0) } }
          return [Segment.Run(epoch: epoch, seqs: first.lowerBound...last.upperBound)]
        }
        return Self.newest(runs).map {
          Self.gap(
            stream, $0, reason: .beforeDestination, destinations: [name.description], at: now)
        }
      }
    }
  }

  private static func newest(_ runs: [Segment.Run]) -> [Segment.Run] {
    runs.sorted { ($0.epoch.store, $0.epoch.epoch) < ($1.epoch.store, $1.epoch.epoch) }
      .suffix(mostEpochsTold)
  }

  /// Looks for the place from the newest segment backwards. What has no certain date counts as
  /// young: repeats, never loss.
  private func firstBatch(
    of stream: StreamName, for name: DestinationName, notOlderThan milliseconds: Int64
  ) -> LogBoundary {
    let now = clock.now()
    func isOld(_ batch: Batch) -> Bool {
      guard let age = age(of: batch, at: now) else { return false }
      return age > milliseconds
    }
    let segments = content.index(of: stream).withLock { $0.segments }
    for segment in segments.reversed() {
      let start = LogPosition(
        edition: content.edition, generation: segment.generation, offset: 0)
      let reader = JournalReader(
        journal: journal, content: content, stream: stream, destination: name, from: start)
      let end = LogPosition(
        edition: content.edition, generation: segment.generation + 1, offset: 0)
      guard let first = reader.next(before: end)?.batch, isOld(first) else { continue }
      while let batch = reader.next(before: end)?.batch {
        if !isOld(batch) { return .batch(batch.identity, generation: segment.generation) }
      }
      return .segment(after: segment.generation)
    }
    return .start
  }

  /// How old a batch is in milliseconds, by the clock that never steps within this boot; `nil`
  /// where its date or today's is not certain.
  private func age(of batch: Batch, at now: Timestamp) -> Int64? {
    if batch.boot == boot { return now.monotonic - (batch.newestTime - batch.offset) }
    let dated = journal.dated(batch)
    guard dated.clock == .synced || dated.isCorrected, now.clock == .synced else { return nil }
    return now.wall - dated.newestTime
  }

  // MARK: Reloading

  /// Gives new destinations a cursor: where they begin, or the one they had if their time is not
  /// over. Those that are gone go on holding what they need.
  func changeDestinations(to change: JournalChange) throws(AppendError) {
    try saveCursors()
    let now = clock.now()
    let leaving = register.active.filter { !change.destinations.contains($0) }
    let coming = change.destinations.filter { !register.active.contains($0) }
    register.beginnings = change.beginnings
    let unknown = coming.filter { register.removed[$0] == nil }
    do throws(AppendError) {
      for name in unknown { try giveCursor(to: name) }
    } catch {
      // None of them is delivered to, so none may hold anything back.
      for name in unknown {
        hold([:], for: name)
        register.untold.remove(name)
      }
      throw error
    }
    for name in coming {
      register.removed[name] = nil
      register.expiring.remove(name)
    }
    for name in leaving {
      register.removed[name] = Cursor.Removal(
        elapsed: 0, countedAt: now.monotonic, boot: boot)
    }
    register.active = change.destinations
    listRemoved()
    try saveAllCursors()
    try tellPassedOver(at: now)
  }

  /// The cursor that a destination has from before, or a new one, durably.
  private func giveCursor(to name: DestinationName) throws(AppendError) {
    switch cursors.load(name) {
    case .nothing:
      begin(name)
      try saveCursor(of: name)
    case .unreadable: hold(Cursor().acknowledged, for: name)
    case .cursor(let cursor):
      hold(cursor.acknowledged, for: name)
      if cursor.standing == .untold { register.untold.insert(name) }
    }
  }

  /// With a set of each stream a destination holds what that lacks; with none it holds nothing.
  private func hold(_ sets: [StreamName: AckSet], for name: DestinationName) {
    for stream in StreamName.allCases {
      let set = sets[stream]
      content.index(of: stream).withLock { $0.acknowledged[name] = set }
    }
  }

  // MARK: Removed ones

  /// Ends those whose time is over: tells what they did not get, durably, and lets go of it.
  func tendRemovedDestinations() throws(AppendError) {
    guard content.isDurable, !register.removed.isEmpty else { return }
    let now = clock.now()
    for name in register.expired(at: now.monotonic, of: boot) {
      let isNew = register.expiring.insert(name).inserted
      try append(isNew ? expiry(of: name, at: now) : [])
      hold([:], for: name)
      register.removed[name] = nil
      register.expiring.remove(name)
      do throws(SystemError) {
        try cursors.remove(name)
      } catch {
        throw .storage(error)
      }
    }
    listRemoved()
    guard now.monotonic - register.removalsSavedAt >= Self.removalSaveMilliseconds else {
      return
    }
    try saveRemovals()
  }

  private func expiry(of name: DestinationName, at now: Timestamp) -> [Event] {
    StreamName.allCases.flatMap { stream -> [Event] in
      let missing = content.index(of: stream).withLock { index in
        index.segments.flatMap { index.missing(in: $0, by: [name]) }
      }
      return Self.newest(Self.joined(missing)).map {
        Self.gap(
          stream, $0, reason: .destinationExpired, destinations: [name.description], at: now)
      }
    }
  }

  /// One run of each epoch, from its first to its last seq.
  private static func joined(_ runs: [Segment.Run]) -> [Segment.Run] {
    var joined: [AckSet.EpochID: ClosedRange<UInt64>] = [:]
    for run in runs {
      let known = joined[run.epoch] ?? run.seqs
      joined[run.epoch] =
        min(known.lowerBound, run.seqs.lowerBound)...max(known.upperBound, run.seqs.upperBound)
    }
    return joined.map { Segment.Run(epoch: $0.key, seqs: $0.value) }
  }

  private func listRemoved() {
    let listed = register.listed(at: clock.monotonic, of: boot)
    journal.removals.update { $0 = listed }
  }

  // MARK: Saving

  /// Makes the cursors of those durable that are delivered to.
  func saveCursors() throws(AppendError) {
    for name in register.active { try saveCursor(of: name) }
  }

  /// Makes all cursors durable.
  func saveAllCursors() throws(AppendError) {
    try saveCursors()
    try saveRemovals()
  }

  /// Whether a record has to be saved that does not change with what is acknowledged.
  var hasUnsavedRecords: Bool {
    content.isDurable && (!register.unsaved.isEmpty || areClocksUnsaved)
  }

  /// Makes the cursors of new destinations durable.
  func saveNewCursors() throws(AppendError) {
    for name in register.unsaved { try saveCursor(of: name) }
  }

  private func saveRemovals() throws(AppendError) {
    let monotonic = clock.monotonic
    for (name, removal) in register.removed {
      register.removed[name] = removal.counted(at: monotonic, of: boot)
      try saveCursor(of: name)
    }
    register.removalsSavedAt = monotonic
  }

  private func saveCursor(of name: DestinationName) throws(AppendError) {
    // They go with what is in memory to the store that is opened later.
    guard content.isDurable else { return }
    var cursor = Cursor()
    for stream in StreamName.allCases {
      cursor.sets[stream] = content.index(of: stream).withLock { $0.acknowledged[name] }
    }
    if let removal = register.removed[name] {
      cursor.standing = .removed(removal)
    } else if register.untold.contains(name) {
      cursor.standing = .untold
    }
    do throws(SystemError) {
      try cursors.save(name, cursor)
    } catch {
      throw .storage(error)
    }
    register.unsaved.remove(name)
  }
}

/// A place in a stream, by what it holds.
enum LogBoundary {
  /// Before everything.
  case start
  /// Before a batch, which stands in the segment of that generation.
  case batch(BatchIdentity, generation: UInt64)
  /// Behind a segment.
  case segment(after: UInt64)
  /// Behind everything.
  case end
}

extension StreamIndex {
  /// All that stands before a place, from the first seq of each epoch on: also what is not kept any
  /// more.
  fileprivate func all(before boundary: LogBoundary) -> AckSet {
    var all = AckSet()
    for segment in segments {
      switch boundary {
      case .start: return all
      case .batch(_, let generation) where segment.generation > generation: return all
      case .segment(let generation) where segment.generation > generation: return all
      case .batch, .segment, .end: break
      }
      for run in segment.runs {
        var last = run.seqs.upperBound
        if case .batch(let identity, let generation) = boundary,
          segment.generation == generation, run.epoch.store == identity.store,
          run.epoch.epoch == identity.epoch
        {
          last = min(last, identity.seq - 1)
          if last > 0 { all.insert(run.epoch, 1...last) }
          return all
        }
        if last > 0 { all.insert(run.epoch, 1...last) }
      }
    }
    return all
  }
}

extension Journal {
  /// Destinations that are not configured any more and still hold something back, by name.
  public var removedDestinations: [RemovedDestination] { removals.withLock { $0 } }
}
