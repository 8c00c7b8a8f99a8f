internal import LinuxSystem
public import Telemetry

/// Why a store can't be inspected.
public enum InspectionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The directory holds no store.
  case noStore(directory: String)
  /// The directory can't be read.
  case unreadable(directory: String, reason: String)

  /// What is wrong, in one line.
  public var description: String {
    switch self {
    case .noStore(let directory): "\(directory): there is no store"
    case .unreadable(let directory, let reason): "\(directory): \(reason)"
    }
  }
}

/// Looks at a store without changing it: takes no lock and opens files for reading only, so it may
/// run beside the agent that writes it. What is being written meanwhile may be seen or not; it is
/// no finding. Memory is bounded by a segment, except for what a report itself holds.
public struct StoreInspection: Sendable {
  /// The store's id; `nil` if the record of epochs can't be read.
  public let store: UInt64?
  /// The newest epoch.
  public let epoch: UInt32?
  /// Whether the newest epoch was ended by an orderly stop.
  public let hasEnded: Bool
  /// Names of those that have a cursor, ascending.
  public let destinations: [String]

  let storage: any Storage
  let directory: String
  private let record: EpochRecord?
  private let isRecordDamaged: Bool
  private let areClocksDamaged: Bool
  private let clocks: ClockHistory
  /// `nil` for one that can't be read.
  private let cursors: [String: [StreamName: AckSet]?]

  /// Looks at the store in `directory`.
  public init(directory: String) throws(InspectionError) {
    try self.init(directory: directory, storage: ReadOnlyDisk())
  }

  init(directory: String, storage: any Storage) throws(InspectionError) {
    let trimmed = directory.count > 1 && directory.hasSuffix("/")
    let path = trimmed ? String(directory.dropLast()) : directory
    self.directory = path
    self.storage = storage
    let names: Set<String>
    do throws(SystemError) {
      names = Set(try storage.list(path))
    } catch {
      throw .unreadable(directory: directory, reason: error.reason)
    }
    // Read before the segments: what it says of their end was written after them.
    var file = DurableRecord(storage: storage, path: path + "/epoch")
    let found = file.load()
    var record: EpochRecord?
    if case .payload(let payload) = found { record = try? EpochRecord(payload) }
    isRecordDamaged = record == nil && found != .nothing
    var clockFile = DurableRecord(storage: storage, path: path + "/clocks")
    let foundClocks = clockFile.load()
    var clocks: ClockHistory?
    if case .payload(let payload) = foundClocks { clocks = try? ClockHistory(payload) }
    areClocksDamaged = clocks == nil && foundClocks != .nothing
    self.clocks = clocks ?? ClockHistory()
    // A simulated disk lists files only.
    let hasSegments = StreamName.allCases.contains { stream in
      let segments = (try? storage.list("\(path)/\(stream)")) ?? []
      return names.contains("\(stream)") || !segments.isEmpty
    }
    guard found != .nothing || hasSegments else { throw .noStore(directory: directory) }
    self.record = record
    store = record?.store
    epoch = record?.epoch
    hasEnded = record?.last != nil
    cursors = Self.cursors(storage, path + "/cursors")
    destinations = cursors.keys.sorted()
  }

  private static func cursors(
    _ storage: any Storage, _ directory: String
  ) -> [String: [StreamName: AckSet]?] {
    var cursors: [String: [StreamName: AckSet]?] = [:]
    for name in (try? storage.list(directory)) ?? [] {
      guard name.hasSuffix(".0") || name.hasSuffix(".1") else { continue }
      let destination = String(name.dropLast(2))
      guard cursors[destination] == nil else { continue }
      var record = DurableRecord(storage: storage, path: directory + "/" + destination)
      guard case .payload(let payload) = record.load() else {
        cursors.updateValue(nil, forKey: destination)
        continue
      }
      let sets = try? payload.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes)
        var sets: [StreamName: AckSet] = [:]
        for stream in StreamName.allCases { sets[stream] = try AckSet(&reader) }
        return sets
      }
      cursors.updateValue(sets, forKey: destination)
    }
    return cursors
  }

  private func inspection(of stream: StreamName, _ told: ToldByEvents?) -> StreamInspection {
    let ended = record.flatMap { record in
      record.last == nil ? nil : AckSet.EpochID(store: record.store, epoch: record.epoch)
    }
    return StreamInspection(
      stream, storage: storage, directory: directory, store: store, ends: told?.ends ?? EpochEnds(),
      ended: ended, acknowledged: cursors.values.map { $0?[stream] ?? AckSet() })
  }

  /// What the events say of what should be in the store, and of what is not.
  private struct ToldByEvents {
    var gaps = KnownGaps()
    var ends = EpochEnds()
  }

  /// Reads all events: later ones explain what is missing before them.
  private func told() -> ToldByEvents {
    var told = ToldByEvents()
    if let record, let last = record.last {
      let epoch = AckSet.EpochID(store: record.store, epoch: record.epoch)
      for stream in StreamName.allCases { told.ends.note(epoch, stream, last: last[stream]) }
    }
    forEachBatch(of: .events) { placed in
      told.gaps.note(placed.batch)
      told.ends.note(placed.batch)
      return true
    }
    told.gaps.finish()
    return told
  }

  // MARK: What there is

  /// As it is published: with the times that are known by now.
  private func dated(_ placed: PlacedBatch) -> PlacedBatch {
    guard let running = clocks.boots.last?.boot else { return placed }
    var dated = placed
    dated.batch = clocks.dated(placed.batch, current: running)
    return dated
  }

  /// Hands over a stream's batches in the order of appending, with the times that they are
  /// published with; `visit` returns whether to go on. Returns how many places were passed over
  /// because they can't be read.
  @discardableResult
  public func forEachBatch(
    of stream: StreamName, _ visit: (PlacedBatch) -> Bool
  ) -> Int {
    var findings = 0
    var inspection = inspection(of: stream, nil)
    inspection.run(onBatch: { visit(dated($0)) }) { _ in findings += 1 }
    return findings
  }

  /// Looks for damage: in what is no segment, then stream by stream from the oldest on.
  public func verify(
    _ streams: [StreamName] = StreamName.allCases, onFinding: (StoreFinding) -> Void
  ) -> StoreVerification {
    var total = StoreVerification()
    func tell(_ finding: StoreFinding) {
      total.note(finding)
      onFinding(finding)
    }
    recordFindings().forEach(tell)
    let told = told()
    for stream in streams {
      var inspection = inspection(of: stream, told)
      inspection.run { placed in
        total.note(placed)
        return true
      } onFinding: {
        tell(told.gaps.explaining($0))
      }
      guard stream == .data else { continue }
      definitionFindings(inspection.listing).forEach(tell)
    }
    return total
  }

  /// A stream's figures and what destinations have not acknowledged of it.
  public func statistics(of stream: StreamName) -> StreamStatistics {
    var inspection = inspection(of: stream, told())
    let sets = cursors.mapValues { $0?[stream] ?? AckSet() }
    var statistics = StreamStatistics(stream, destinations: sets)
    inspection.run { placed in
      statistics.note(dated(placed))
      return true
    } onFinding: {
      statistics.note($0)
    }
    statistics.finish(inspection.listing, usedBytes: inspection.usedBytes)
    return statistics
  }

  // MARK: What is no segment

  private func recordFindings() -> [StoreFinding] {
    var findings: [StoreFinding] = []
    let problem = "neither copy is whole"
    if isRecordDamaged {
      findings.append(StoreFinding(file: "epoch", what: .damagedRecord, problem: problem))
    }
    if areClocksDamaged {
      findings.append(StoreFinding(file: "clocks", what: .damagedRecord, problem: problem))
    }
    for destination in destinations where cursors[destination] == .some(nil) {
      findings.append(
        StoreFinding(file: "cursors/\(destination)", what: .damagedRecord, problem: problem))
    }
    return findings
  }

  private func definitionFindings(_ listing: SegmentListing) -> [StoreFinding] {
    let digests = Set(listing.segments.filter { $0.obstacle == nil }.map(\.header.definitions))
    let files = DefinitionFiles(storage: storage, directory: directory + "/definitions")
    return digests.sorted().compactMap { digest in
      guard files.payloads(of: [digest])[digest] == nil else { return nil }
      return StoreFinding(
        file: "definitions/\(hexadecimal(UInt64(digest), digits: 8)).json",
        what: .missingDefinitions, problem: "absent, or not what its name says")
    }
  }
}

/// What a verification found in all.
public struct StoreVerification: Sendable, Hashable {
  /// Batches that can be read.
  public private(set) var batches = 0
  /// Their values: outcomes of points, good and bad; events are not counted.
  public private(set) var values = 0
  /// How many findings there are.
  public private(set) var findings = 0
  /// Batches that are known to be lost.
  public private(set) var lost: UInt64 = 0
  /// How many of those a gap event of the store explains.
  public private(set) var explained: UInt64 = 0

  mutating func note(_ placed: PlacedBatch) {
    batches += 1
    values += placed.batch.valueCount
  }

  mutating func note(_ finding: StoreFinding) {
    findings += 1
    let count = UInt64(finding.lost?.seqs.count ?? 0)
    lost += count
    if finding.isExplained { explained += count }
  }
}

extension Batch {
  /// How many values and reasons it carries; none for events.
  public var valueCount: Int {
    guard case .samples(let samples) = body else { return 0 }
    return samples.reduce(0) { $0 + $1.outcomes.count }
  }

  /// Wall times of its oldest and newest item in Unix milliseconds; `nil` for an empty one.
  public var times: ClosedRange<Int64>? {
    let monotonic =
      switch body {
      case .samples(let samples): samples.map(\.monotonic)
      case .events(let events): events.map(\.monotonic)
      }
    guard let first = monotonic.min(), let last = monotonic.max() else { return nil }
    return first + offset...last + offset
  }
}
