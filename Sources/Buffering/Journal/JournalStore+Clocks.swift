internal import LinuxSystem
internal import Telemetry

/// What is known of the boots' clocks, kept beside the streams: events are read by destinations
/// only, and an earlier boot's may be gone before its samples are.
extension JournalStore {
  /// What a stop can have cost is what waited for its sync: the gap claims no more than this beyond
  /// the last reading where the clock does not tell.
  private static let longestClaimMilliseconds: Int64 = 60_000

  /// Reads the record, once, when the store is opened.
  func openClocks(isNewStore: Bool, isContinuing: Bool) {
    let found = clockFile.load()
    if case .payload(let payload) = found, let history = try? ClockHistory(payload) {
      let boot = boot
      journal.clocks.update { known in
        var history = history
        if isContinuing { history.takeOver(boot, from: known) }
        known = history
      }
    }
    guard found == .nothing else { return }
    // Destinations that an older agent never saved a cursor for are not new: nothing may be passed
    // over for them.
    if !isNewStore {
      for name in register.newcomers { register.beginnings[name] = .everything }
    }
    areClocksUnsaved = true
  }

  /// Takes over what `clock` events say; returns whether there was one.
  func noteClocks(_ events: [Event]) -> Bool {
    var isNews = false
    for event in events {
      guard case .clock(let detail) = event.detail else { continue }
      isNews = true
      journal.clocks.update {
        $0.note(detail, at: event.time.monotonic, in: content.current)
      }
    }
    return isNews
  }

  /// Makes the record durable, without what no batch needs any more.
  func saveClocks() throws(AppendError) {
    guard content.isDurable else { return }
    areClocksUnsaved = true
    // First those of whom it says that they are not new: see `openClocks`.
    try saveNewCursors()
    var held: Set<AckSet.EpochID> = [content.current]
    for stream in StreamName.allCases {
      let epochs = content.index(of: stream).withLock { $0.segments.flatMap(\.runs).map(\.epoch) }
      held.formUnion(epochs)
    }
    var history = journal.clocks.withLock { $0 }
    history.prune(held: held)
    let pruned = history
    journal.clocks.update { $0 = pruned }
    do throws(SystemError) {
      try clockFile.save(history.encoded())
    } catch {
      throw .storage(error)
    }
    areClocksUnsaved = false
  }

  /// What this boot read last before the stop, by the clock as it is set now.
  func redateUncleanStop() {
    let history = journal.clocks.withLock { $0 }
    guard let since = uncleanSince, let known = history.boots.last(where: { $0.boot == boot })
    else { return }
    let now = clock.now()
    let monotonic = since - known.lastOffset
    // Else it was another boot that read it.
    guard monotonic >= 0, monotonic <= now.monotonic else { return }
    uncleanSince = monotonic + now.offset
  }

  /// When readings were made again after a stop that was not in order. A clock that was not set
  /// after the power came back may show a time long before: then at least as much has passed as the
  /// board runs, as far as that may be a matter of the stop.
  func end(ofStopSince from: Int64, by time: Timestamp) -> Int64 {
    guard time.wall < from else { return time.wall }
    return from + min(time.monotonic, Self.longestClaimMilliseconds)
  }
}

extension Journal {
  /// A batch with the times that are known by now.
  public func dated(_ batch: Batch) -> Batch {
    guard batch.clock == .unsynced else { return batch }
    return clocks.withLock { $0.dated(batch, current: boot) }
  }

  /// The newest step of the wall clock that was noticed since the start: when, by the boot's
  /// monotonic clock, and by how many milliseconds; `nil` if there was none.
  public var lastClockStep: (monotonic: Int64, milliseconds: Int64)? {
    clocks.withLock { $0.lastStep.map { ($0.monotonic, $0.milliseconds) } }
  }
}
