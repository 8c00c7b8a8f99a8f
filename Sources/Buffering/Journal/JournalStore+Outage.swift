internal import LinuxSystem
internal import Telemetry

// A store whose disk can't be written goes on in memory; what it holds there is taken over by the
// store that is opened on the disk later.
extension JournalStore {
  /// From now on everything is kept in memory, and so is what was not synced yet. What the disk
  /// held stays readable as far as its files can be read.
  func leaveDisk() throws(AppendError) {
    guard content.isDurable else { return }
    content.leaveDisk()
    // First what tells of evictions.
    try events.leaveDisk(memoryLimits(of: .events))
    try data.leaveDisk(memoryLimits(of: .data))
  }

  /// Whether somebody deleted the files that are written to.
  var isRemoved: Bool { content.isDurable && (events.isRemoved || data.isRemoved) }

  private func memoryLimits(of stream: StreamName) -> StreamLog.Limits {
    StreamLog.Limits(
      segmentBytes: settings.segmentBytes,
      totalBytes: JournalSettings.share(of: settings.memoryBytes, for: stream),
      reserveBytes: stream == .events ? settings.reserveBytes : 0)
  }

  /// Takes over the segments that `previous` holds in memory and somebody still needs.
  func adopt(_ previous: JournalStore) throws(AppendError) {
    for (stream, log) in [(StreamName.events, events), (.data, data)] {
      let old = previous.content.index(of: stream)
      let segments = old.withLock { index in
        index.segments.filter { $0.isInMemory && !index.needers(of: $0).isEmpty }
      }
      for segment in segments {
        // An attempt before this one may have got so far.
        let isHeld = log.shared.withLock { index in segment.runs.allSatisfy(index.holds) }
        if isHeld { continue }
        let bytes: [UInt8]
        do throws(SystemError) {
          bytes = try old.open(segment).read(segment.end, at: 0)
          try keepDefinitions(segment.header.definitions, from: previous)
        } catch {
          throw .storage(error)
        }
        try log.adopt(segment, bytes)
      }
    }
  }

  /// Durable before a segment whose batches refer to them.
  private func keepDefinitions(
    _ digest: UInt32, from previous: JournalStore
  ) throws(SystemError) {
    guard digest != 0, digest != settings.definitionsDigest else { return }
    // It keeps only what it is asked for.
    let all = previous.content.definitionFiles.payloads(of: journal.digestsInUse())
    guard let payload = all[digest] else { return }
    try definitionFiles.keep(payload, as: digest)
  }

  /// What `previous` held that somebody still needs and that is not here: its files are gone, or
  /// can't be read.
  func lostBatches(of previous: JournalStore) -> [Missing] {
    var lost: [Missing] = []
    for stream in StreamName.allCases {
      var held = AckSet()
      let runs = content.index(of: stream).withLock { $0.segments.flatMap(\.runs) }
      for run in runs { held.insert(run.epoch, run.seqs) }
      let destinations = self.destinations
      let needed = previous.content.index(of: stream).withLock { index in
        index.segments.flatMap { index.missing(in: $0, by: destinations) }
      }
      for run in needed {
        for seqs in held.missing(run.epoch, in: run.seqs) {
          lost.append(Missing(stream, Segment.Run(epoch: run.epoch, seqs: seqs), .storeFailed))
        }
      }
    }
    return lost
  }
}
