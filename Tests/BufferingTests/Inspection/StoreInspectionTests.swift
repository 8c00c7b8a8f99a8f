import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

/// A look into stores that the real writer made in a real directory.
@Suite("A look into a store", .ownThread)
struct StoreInspectionTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.file("store") }

  init() throws { directory = try TemporaryDirectory() }

  private func settings(segments: Int = 8) -> JournalSettings {
    var settings = StoreUnderTest.settings(segments: segments)
    settings.directory = path
    return settings
  }

  /// A store of several epochs; the last one ended in order if `isSealed`.
  private func write(
    epochs: Int = 3, batches: Int = 60, segments: Int = 8, isSealed: Bool = true,
    using generator: inout SeededGenerator
  ) throws -> StoreUnderTest {
    let clock = ManualClock()
    var last: StoreUnderTest?
    for epoch in 1...epochs {
      let test = try StoreUnderTest(DiskStorage(), settings(segments: segments), clock: clock)
      try test.append(batches, using: &generator)
      try test.store.commit()
      if isSealed || epoch < epochs {
        try test.store.close(reason: "test")
        try test.store.seal()
      }
      last = test
    }
    return try #require(last)
  }

  private func findings(_ inspection: StoreInspection) -> [StoreFinding] {
    var findings: [StoreFinding] = []
    _ = inspection.verify { findings.append($0) }
    return findings
  }

  private func batches(_ stream: StreamName) throws -> [Batch] {
    var batches: [Batch] = []
    try StoreInspection(directory: path).forEachBatch(of: stream) {
      batches.append($0.batch)
      return true
    }
    return batches
  }

  /// Every file with what it holds.
  private func files() throws -> [String: [UInt8]] {
    let found = try ChildProcess.run("find", [path, "-type", "f"]).output
    let paths = found.split(separator: "\n").map(String.init)
    return Dictionary(uniqueKeysWithValues: paths.map { ($0, contents(of: $0)) })
  }

  private func damage(_ file: String, _ change: (inout [UInt8]) -> Void) throws {
    let file = path + "/" + file
    var bytes = contents(of: file)
    change(&bytes)
    let descriptor = open(file, O_WRONLY | O_TRUNC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
  }

  @Test("It sees what destinations see, finds nothing wrong, and changes nothing")
  func whole() throws {
    var generator = SeededGenerator(seed: 1)
    let test = try write(isSealed: false, using: &generator)
    let before = try files()
    let inspection = try StoreInspection(directory: path + "/")
    #expect(findings(inspection) == [])
    #expect(try batches(.data) == test.batches(.data))
    #expect(try batches(.events) == test.batches(.events))
    #expect(inspection.store == test.journal.store && inspection.epoch == 3)
    #expect(!inspection.hasEnded)
    let statistics = inspection.statistics(of: .data)
    #expect(statistics.batches == 180 && statistics.items == 180)
    #expect(statistics.epochs.map(\.epoch) == [1, 2, 3])
    #expect(statistics.epochs.allSatisfy { $0.seqs == 1...60 })
    #expect(statistics.usedBytes == test.journal.usedBytes(of: .data))
    #expect(statistics.formatVersions == [SegmentHeader.currentVersion])
    #expect(try files() == before)
  }

  @Test("Figures of a destination are those of its cursor")
  func cursor() throws {
    var generator = SeededGenerator(seed: 2)
    let test = try write(epochs: 1, isSealed: false, using: &generator)
    let batches = test.batches(.data)
    for batch in batches.prefix(20) {
      test.journal.acknowledge(batch.identity, by: StoreUnderTest.province)
    }
    try test.store.saveCursors()
    let statistics = try StoreInspection(directory: path).statistics(of: .data)
    #expect(statistics.unsent["province"]?.batches == 40)
    #expect(statistics.unsent["province"]?.oldest == batches[20].times?.lowerBound)
    // A sample a second.
    #expect((30...50).contains(try #require(statistics.recent.seconds)))
    #expect(try #require(statistics.recent.valuesPerSecond) > 2)
    #expect(statistics.oldest == batches[0].times?.lowerBound)
    #expect(statistics.newest == batches[59].newestTime)
  }

  @Test("What was read before the clock was set is shown as it is published since")
  func dated() throws {
    let disk = SimulatedDisk()
    let clock = ManualClock(Timestamp(monotonic: 5000, offset: 0, clock: .unsynced))
    let test = try StoreUnderTest(disk, clock: clock)
    var watch = ClockWatch(boot: StoreUnderTest.boot)
    var generator = SeededGenerator(seed: 7)
    try test.store.append([watch.observe(clock.now())].compactMap { $0 })
    try test.append(3, using: &generator)
    clock.advance(by: 10)
    clock.step(by: 1_795_219_200_000, to: .synced)
    try test.store.append([watch.observe(clock.now())].compactMap { $0 })
    try test.append(2, using: &generator)
    try test.store.commit()
    let inspection = try StoreInspection(directory: "store", storage: disk)
    var batches: [Batch] = []
    inspection.forEachBatch(of: .data) {
      batches.append($0.batch)
      return true
    }
    #expect(batches == test.batches(.data).map(test.journal.dated))
    #expect(batches.filter(\.isCorrected).count == 3)
    #expect(inspection.statistics(of: .data).oldest == batches[0].times?.lowerBound)
  }

  @Test("There is no store where there is none")
  func absent() throws {
    #expect(throws: InspectionError.noStore(directory: directory.path)) {
      try StoreInspection(directory: directory.path)
    }
    #expect(throws: InspectionError.self) { try StoreInspection(directory: path) }
  }

  @Test(
    "A batch that a flipped bit costs is named, with its place, and once explained as explained")
  func flipped() throws {
    var generator = SeededGenerator(seed: 3)
    _ = try write(epochs: 1, using: &generator)
    var places: [PlacedBatch] = []
    try StoreInspection(directory: path).forEachBatch(of: .data) {
      places.append($0)
      return true
    }
    let hit = places[30]
    try damage(hit.file) { $0[hit.offset + 20] ^= 4 }
    let found = findings(try StoreInspection(directory: path))
    let finding = try #require(found.first)
    #expect(finding.what == .damagedBytes)
    #expect(finding.file == hit.file && finding.offset == hit.offset)
    #expect(finding.length ?? 0 >= hit.bytes)
    #expect(finding.lost?.seqs.lowerBound == hit.batch.seq)
    // What builds on it is lost with it.
    #expect(found.dropFirst().allSatisfy { $0.what == .unreadableBatch })
    #expect(found.allSatisfy { !$0.isExplained && $0.lost != nil })

    // The agent comes upon it, and says so.
    let test = try StoreUnderTest(DiskStorage(), settings())
    _ = test.batches(.data)
    try test.store.explainHoles()
    #expect(
      findings(try StoreInspection(directory: path)).map(\.isExplained) == found.map { _ in true })
  }

  @Test("Records, definitions and files that can't be taken for segments are named")
  func others() throws {
    var generator = SeededGenerator(seed: 4)
    let test = try write(epochs: 2, batches: 400, segments: 40, using: &generator)
    let store = test.journal.store
    let digest = hexadecimal(UInt64(test.definitions), digits: 8)
    for copy in 0...1 {
      try damage("cursors/province.\(copy)") { $0[9] ^= 1 }
    }
    try damage("definitions/\(digest).json") { $0[0] ^= 1 }
    try damage("data/00000001.seg") { $0.removeLast(4096) }
    try TestSupport.write("nonsense", to: path + "/data/00000099.seg")
    let found = findings(try StoreInspection(directory: path))
    let words = Set(found.map { "\($0.file) \($0.what.rawValue)" })
    #expect(
      words == [
        "cursors/province damaged-record", "definitions/\(digest).json missing-definitions",
        "data/00000001.seg wrong-size", "data/00000001.seg missing-batches",
        "data/00000099.seg damaged-header",
      ])
    let lost = found.compactMap(\.lost)
    #expect(
      lost.first == BatchRun(store: store, epoch: 1, seqs: 1...(lost.first?.seqs.upperBound ?? 0)))
    for copy in 0...1 { try damage("epoch.\(copy)") { $0[9] ^= 1 } }
    let unnamed = try StoreInspection(directory: path)
    #expect(unnamed.store == nil)
    #expect(findings(unnamed).first?.file == "epoch")
  }

  @Test("A segment whose header is damaged is known by its frames, and what it costs")
  func header() throws {
    var generator = SeededGenerator(seed: 5)
    _ = try write(epochs: 1, batches: 1500, segments: 16, using: &generator)
    var seqs: [String: [UInt64]] = [:]
    try StoreInspection(directory: path).forEachBatch(of: .data) {
      seqs[$0.file, default: []].append($0.batch.seq)
      return true
    }
    #expect(seqs.count > 3)
    for file in seqs.keys.sorted() {
      try damage(file) { $0[16] ^= 1 }
      let found = findings(try StoreInspection(directory: path))
      #expect(found.map(\.what) == [.damagedHeader], "\(file): \(found)")
      let lost = found.first?.lost?.seqs
      #expect(lost.map(Array.init) == seqs[file], "\(file)")
      try damage(file) { $0[16] ^= 1 }
    }
  }

  @Test(
    "What it says is lost is just what can't be read any more",
    arguments: Seeds.given(orFirst: 15))
  func property(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    // The smaller caps evict, and the gaps are told; acknowledged ones are recycled silently.
    let segments = [3, 6, 40].randomElement(using: &generator) ?? 40
    let test = try write(
      epochs: .random(in: 1...3, using: &generator),
      batches: .random(in: 1...400, using: &generator), segments: segments, using: &generator)
    #expect(findings(try StoreInspection(directory: path)) == [])
    let identities = Set(
      try StreamName.allCases.flatMap { try batches($0) }.map(\.identity))
    withExtendedLifetime(test) {}

    // One of them: the events say where epochs of data ended.
    let stream = StreamName.allCases.randomElement(using: &generator) ?? .data
    let times = Int.random(in: 1...3, using: &generator)
    for _ in 0..<times {
      let names = try DiskStorage().list("\(path)/\(stream)").sorted()
      let name = try #require(names.randomElement(using: &generator))
      let isHeader = Int.random(in: 0..<8, using: &generator) == 0
      let range = isHeader ? 0..<48 : SegmentHeader.bytes..<32 * 1024
      let offset = Int.random(in: range, using: &generator)
      // A flipped byte, a lost sector, a garbled page.
      let length = [1, 1, 512, 4096].randomElement(using: &generator) ?? 1
      let fill = length == 512 ? 0 : UInt8.random(in: 1...255, using: &generator)
      let start = offset / length * length
      try damage("\(stream)/\(name)") { bytes in
        for place in start..<start + length {
          bytes[place] = length == 512 ? fill : bytes[place] ^ fill
        }
      }
    }
    let readable = Set(
      try StreamName.allCases.flatMap { try batches($0) }.map(\.identity))
    #expect(readable.isSubset(of: identities))
    let found = findings(try StoreInspection(directory: path))
    var named: Set<BatchIdentity> = []
    for finding in found {
      guard let lost = finding.lost, let stream = finding.stream else { continue }
      for seq in lost.seqs {
        let identity = BatchIdentity(
          store: lost.store, stream: stream, epoch: lost.epoch, seq: seq)
        #expect(named.insert(identity).inserted, "seed \(seed): \(identity) is named twice")
      }
    }
    let lost = identities.subtracting(readable)
    #expect(found.isEmpty == lost.isEmpty, "seed \(seed): \(lost) \(found)")
    #expect(named.isSubset(of: lost), "seed \(seed): \(named.subtracting(lost)) \(found)")
    // Where an epoch's last events are gone with the start event behind them, nothing tells of it;
    // nor of a segment's first batches that are gone with its header.
    let isHeaderHit = found.contains { $0.what == .damagedHeader }
    if stream == .data, !isHeaderHit || times == 1 {
      #expect(named == lost, "seed \(seed): \(lost.subtracting(named)) \(found)")
    }
    // And the agent reads what the look reads.
    let agent = try StoreUnderTest(DiskStorage(), settings(segments: segments))
    let read = Set(StreamName.allCases.flatMap { agent.batches($0) }.map(\.identity))
    #expect(readable.subtracting(read).isEmpty, "seed \(seed)")
  }

  @Test("Beside a writer that rolls, recycles and evicts it finds nothing wrong")
  func beside() throws {
    let clock = KernelClock()
    let writer = try JournalWriter(
      settings(segments: 4), storage: DiskStorage(), ring: SampleRing(), clock: clock,
      observer: StoreFaults())
    try writer.start()
    let isDone = Monitor(false)
    let appended = Monitor(0)
    let digest = settings().definitionsDigest
    try Thread.start(named: "field side") {
      var generator = SeededGenerator(seed: 6)
      while !isDone.withLock({ $0 }) {
        for _ in 0..<10 {
          let sample = RandomSamples.sample(at: clock.now(), using: &generator)
          writer.ring.accept(DefinedSample(sample, definitions: digest))
        }
        appended.update { $0 += 10 }
        // A sanitized writer has to keep up.
        usleep(2000)
      }
      appended.update { $0 = -1 }
    }
    var looks = 0
    var seen = 0
    let start = ContinuousClock.now
    while looks < 4 || .now < start + .seconds(3) {
      let inspection = try StoreInspection(directory: path)
      var found: [StoreFinding] = []
      seen += inspection.verify { found.append($0) }.batches
      #expect(found == [])
      looks += 1
    }
    isDone.update { $0 = true }
    try waitUntil("the field side is done") { appended.withLock { $0 } == -1 }
    #expect(writer.flush(within: 60, reason: "test") && writer.seal(within: 60))
    #expect(seen > 0)
    #expect(findings(try StoreInspection(directory: path)) == [])
  }

  @Test(
    "What a power cut cost is told as explained once the agent was up again",
    arguments: Seeds.given(orFirst: 20))
  func powerCut(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var disk = SimulatedDisk()
    for _ in 0..<4 {
      let test = try StoreUnderTest(disk)
      for _ in 0..<Int.random(in: 1...30, using: &generator) {
        try test.append(.random(in: 1...5, using: &generator), using: &generator)
        if Bool.random(using: &generator) { try test.store.commit() }
        if Bool.random(using: &generator) { try test.store.saveCursors() }
      }
      disk = disk.afterPowerCut(using: &generator)
    }
    let test = try StoreUnderTest(disk)
    _ = StreamName.allCases.map { test.batches($0) }
    try test.store.explainHoles()
    let inspection = try StoreInspection(directory: "store", storage: disk)
    let found = findings(inspection)
    #expect(found.allSatisfy { $0.lost == nil || $0.isExplained }, "seed \(seed): \(found)")
  }
}
