import Telemetry

@testable import Buffering

/// What destinations were shown, what the store promised and what it said of what is missing: the
/// account that every fault test closes. It knows a store by what comes out of it only.
struct Ledger {
  /// A stream of one epoch: where seqs are counted.
  struct Key: Hashable {
    var store: UInt64
    var stream: StreamName
    var epoch: UInt32
  }

  /// What a `start` event says of an epoch before.
  struct End {
    var last: UInt64
    var isClean: Bool
  }

  /// A gap that names more batches than any test writes is wrong.
  private static let longestGap: UInt64 = 100_000

  /// Every batch that was ever read, as it was read the first time.
  private(set) var published: [BatchIdentity: Batch] = [:]
  /// Those that a commit has promised for ever.
  private(set) var committed: Set<BatchIdentity> = []
  /// Those for which nothing is promised, because a call failed before their commit.
  private var uncertain: Set<BatchIdentity> = []
  private var acknowledged: [DestinationName: Set<BatchIdentity>] = [:]
  /// By whom what was acknowledged since the last start.
  private var acknowledgedNow: [DestinationName: Set<BatchIdentity>] = [:]
  /// What a destination need not get, because it was added later.
  private var exempt: [DestinationName: Set<BatchIdentity>] = [:]
  /// Why a batch is missing, by what gap events say.
  private var told: [Key: [UInt64: Set<String>]] = [:]
  /// What no gap event says to be lost, but not to be for a destination that is new, by its name.
  private var passedOver: [String: Set<BatchIdentity>] = [:]
  private var ends: [Key: End] = [:]
  /// Wall times in which readings may be missing, by what gap events say.
  private var lossTimes: [ClosedRange<Int64>] = []
  private var damagedTimes: [(stream: StreamName, times: ClosedRange<Int64>)] = []
  /// What was handed to the store, by number.
  private var samples: [UInt64: Sample] = [:]
  private var owners: [UInt64: BatchIdentity] = [:]
  /// What is wrong.
  private(set) var problems: [String] = []

  // MARK: What happens

  mutating func hand(_ number: UInt64, _ sample: Sample) { samples[number] = sample }

  /// A batch that somebody reads.
  mutating func note(_ batch: Batch) {
    var batch = batch
    // A batch that could be read from memory first may be durable later.
    batch.isDurable = true
    if let before = published[batch.identity] {
      if before != batch { problems.append("two contents: \(batch.identity)") }
      return
    }
    published[batch.identity] = batch
    switch batch.body {
    case .samples(let samples): for sample in samples { note(sample, in: batch) }
    case .events(let events): for event in events { note(event) }
    }
  }

  /// The call that makes these durable has returned.
  mutating func commit(_ stream: StreamName) {
    for identity in published.keys where identity.stream == stream {
      if !uncertain.contains(identity) { committed.insert(identity) }
    }
  }

  /// A call failed: what was not committed never will be.
  mutating func fail() { uncertain.formUnion(published.keys.filter { !committed.contains($0) }) }

  /// Files were damaged: what is missing has to be explained, but anything may be.
  mutating func damage() {
    fail()
    uncertain.formUnion(committed)
    committed = []
  }

  mutating func acknowledge(_ identity: BatchIdentity, by destination: DestinationName) {
    acknowledged[destination, default: []].insert(identity)
    acknowledgedNow[destination, default: []].insert(identity)
  }

  /// The process has ended, in order or not; what it acknowledged in an orderly run.
  mutating func end() -> [DestinationName: Set<BatchIdentity>] {
    fail()
    defer { acknowledgedNow = [:] }
    return acknowledgedNow
  }

  mutating func add(_ destination: DestinationName) {
    exempt[destination, default: []].formUnion(published.keys)
  }

  private mutating func note(_ sample: StoredSample, in batch: Batch) {
    guard case .good(.uint(let number))? = sample.outcomes.first?.outcome,
      let original = samples[number]
    else {
      problems.append("a sample that nobody took in \(batch.identity)")
      return
    }
    if sample.device != original.device || sample.outcomes != original.outcomes
      || sample.monotonic != original.time.monotonic
    {
      problems.append("sample \(number) was changed in \(batch.identity)")
    }
    if let owner = owners[number], owner != batch.identity {
      problems.append("sample \(number) stands in \(owner) and in \(batch.identity)")
    }
    owners[number] = batch.identity
  }

  // MARK: What the store says

  private mutating func note(_ event: StoredEvent) {
    let json = Array("{".utf8) + event.details + Array("}".utf8)
    do {
      let fields = try JSONFields(JSONParser.parse(json))
      switch event.type {
      case "start": try note(start: fields)
      case "gap": try note(gap: fields)
      default: break
      }
    } catch {
      problems.append("\(event.type) \(String(decoding: json, as: UTF8.self)): \(error)")
    }
  }

  private mutating func note(start: JSONFields) throws {
    for fields in try start.objects("previous") {
      let last = try fields.fields("last")
      for stream in StreamName.allCases {
        let key = Key(
          store: try fields.hexadecimal("store", digits: 16), stream: stream,
          epoch: try fields.integer("epoch"))
        ends[key] = End(
          last: try last.integer("\(stream)"), isClean: try fields.bool("clean"))
      }
    }
  }

  private mutating func note(gap: JSONFields) throws {
    let reason = try gap.string("reason")
    let stream: StreamName = try gap.string("stream") == "data" ? .data : .events
    guard let from: UInt64 = try gap.optionalInteger("from-seq") else {
      let times: ClosedRange<Int64> = try gap.integer("from")...gap.integer("to")
      if reason == "damaged" {
        damagedTimes.append((stream, times))
      } else {
        lossTimes.append(times)
      }
      return
    }
    let to: UInt64 = try gap.integer("to-seq")
    let key = Key(
      store: try gap.hexadecimal("store", digits: 16),
      stream: stream,
      epoch: try gap.integer("epoch"))
    guard from <= to, to - from < Self.longestGap else {
      problems.append("a gap from \(from) to \(to) in \(key)")
      return
    }
    if reason == "before-destination" {
      for case .string(let name) in try gap.array("destinations") {
        passedOver[name, default: []].formUnion((from...to).map(key.identity))
      }
      return
    }
    for seq in from...to { told[key, default: [:]][seq, default: []].insert(reason) }
  }

  // MARK: The account

  /// Closes the account of a destination that can read `readable` now. What was committed may be
  /// missing for a reason among `allowed` only.
  mutating func close(
    _ destination: DestinationName, readable: Set<BatchIdentity>, running: Key.Running,
    allowing allowed: Set<String>
  ) {
    if let wrong = committed.first(where: {
      !(told[$0.key]?[$0.seq] ?? []).isSubset(of: allowed)
    }) {
      problems.append("\(wrong) is told to be lost, and was not")
    }
    var highest: [Key: UInt64] = ends.mapValues(\.last)
    for identity in published.keys {
      highest[identity.key] = max(highest[identity.key] ?? 0, identity.seq)
    }
    for (key, last) in highest where last > 0 {
      var missing: [UInt64] = []
      for seq in 1...last {
        let identity = key.identity(seq)
        if readable.contains(identity) || acknowledged[destination]?.contains(identity) == true
          || exempt[destination]?.contains(identity) == true
          || passedOver[destination.description]?.contains(identity) == true
        {
          continue
        }
        if !isExplained(identity, running, allowed) { missing.append(seq) }
      }
      guard let first = missing.first, let last = missing.last else { continue }
      let promised = missing.filter { committed.contains(key.identity($0)) }
      let end = ends[key].map { "told \($0.last)\($0.isClean ? " clean" : "")" } ?? "not told"
      problems.append(
        "\(destination) misses \(missing.count) of \(key.stream) epoch \(key.epoch), \(first) to "
          + "\(last), \(promised.count) committed; \(end)"
          + (key.store == running.store && key.epoch == running.epoch ? ", running" : ""))
    }
  }

  private func isExplained(
    _ identity: BatchIdentity, _ running: Key.Running, _ allowed: Set<String>
  ) -> Bool {
    let key = identity.key
    let reasons = told[key]?[identity.seq] ?? []
    if committed.contains(identity) { return !reasons.isDisjoint(with: allowed) }
    if !reasons.isEmpty { return true }
    if let time = published[identity]?.newestTime,
      damagedTimes.contains(where: { $0.stream == key.stream && $0.times.contains(time) })
    {
      return true
    }
    if key.epoch == running.epoch, key.store == running.store { return false }
    guard let end = ends[key], !end.isClean, identity.seq > end.last else { return false }
    guard key.stream == .data, let time = published[identity]?.newestTime else { return true }
    return lossTimes.contains { $0.contains(time) }
  }

  mutating func note(problem: String) { problems.append(problem) }
}

extension Ledger.Key {
  /// The epoch that runs.
  struct Running {
    var store: UInt64
    var epoch: UInt32
  }

  func identity(_ seq: UInt64) -> BatchIdentity {
    BatchIdentity(store: store, stream: stream, epoch: epoch, seq: seq)
  }
}

extension BatchIdentity {
  fileprivate var key: Ledger.Key { Ledger.Key(store: store, stream: stream, epoch: epoch) }
}
