internal import Telemetry

extension Journal {
  /// How many of the newest segments are looked into: 16 MiB at the default size, which is a second
  /// of reading and hours of a busy gateway's data.
  private static let mostSegments = 16
  /// Looked into at first; then twice as many, until every point was found.
  private static let fewestSegments = 2

  /// The newest batch that holds each of the points, by device and point; points that the newest
  /// segments do not hold are missing. Reads the disk, so it is not for a thread that must not wait
  /// for it.
  public func newestBatches(
    of points: [String: Set<String>]
  ) -> [String: [String: BatchIdentity]] {
    var count = Self.fewestSegments
    while true {
      let found = newestBatches(inNewest: count)
      let isComplete = points.allSatisfy { device, names in
        names.isSubset(of: (found[device] ?? [:]).keys)
      }
      let held = index(of: .data).withLock { $0.segments.count }
      if isComplete || count >= min(held, Self.mostSegments) { return found }
      count = min(2 * count, Self.mostSegments)
    }
  }

  private func newestBatches(inNewest count: Int) -> [String: [String: BatchIdentity]] {
    let content = content
    let generation = content.index(of: .data).withLock {
      $0.segments.suffix(count).first?.generation
    }
    guard let generation else { return [:] }
    let reader = JournalReader(
      journal: self, content: content, stream: .data, destination: DestinationName(""),
      from: LogPosition(edition: content.edition, generation: generation, offset: 0),
      isDelivering: false)
    // Not what is appended meanwhile.
    let end = content.index(of: .data).withLock { $0.end(edition: content.edition) }
    var found: [String: [String: BatchIdentity]] = [:]
    while let (batch, _) = reader.next(before: end) {
      guard case .samples(let samples) = batch.body else { continue }
      for sample in samples {
        for outcome in sample.outcomes where sample.device.points.indices.contains(outcome.point) {
          found[sample.device.name, default: [:]][sample.device.points[outcome.point]] =
            batch.identity
        }
      }
    }
    return found
  }

  /// Whether a destination has acknowledged a batch.
  public func isAcknowledged(
    _ identity: BatchIdentity, by destination: DestinationName
  ) -> Bool {
    let epoch = AckSet.EpochID(store: identity.store, epoch: identity.epoch)
    return index(of: identity.stream).withLock {
      $0.acknowledged[destination]?.contains(epoch, identity.seq) ?? false
    }
  }
}
