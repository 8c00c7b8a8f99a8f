import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("The newest samples of devices")
struct NewestSamplesTests {
  private static let gate = DeviceSchema(name: "gate-in", points: ["value", "count"])
  private static let names: Set<String> = ["return-air", "face-101", "gate-in"]

  private func count(_ total: UInt64, at time: Timestamp) -> Sample {
    Sample(
      device: Self.gate, time: time,
      outcomes: [
        PointOutcome(point: 0, outcome: .bad(.lineMissing)),
        PointOutcome(point: 1, outcome: .bad(.lineMissing, raw: .uint(total))),
      ])
  }

  private func append(_ sample: Sample, to test: StoreUnderTest) throws {
    var appended = 0
    try test.store.append(
      [DefinedSample(sample, definitions: test.definitions)], appended: &appended)
  }

  /// The last sample of each device that a reader finds.
  private func last(in test: StoreUnderTest) -> [String: StoredSample] {
    var last: [String: StoredSample] = [:]
    for batch in test.batches(.data) {
      guard case .samples(let samples) = batch.body else { continue }
      for sample in samples { last[sample.device.name] = sample }
    }
    return last
  }

  @Test("Each device's newest sample is found with its times, in whichever segment it stands")
  func acrossSegments() throws {
    var generator = SeededGenerator(seed: 61)
    let test = try StoreUnderTest(SimulatedDisk(), StoreUnderTest.settings(segments: 100))
    try test.append(20, using: &generator)
    let old = count(4711, at: test.clock.now())
    try append(count(4710, at: test.clock.now()), to: test)
    try append(old, to: test)
    try test.append(900, using: &generator)
    try #require(test.journal.index(of: .data).withLock { $0.segments.count } > 3)

    let found = test.journal.newestSamples(of: Self.names.union(["nobody"]))
    #expect(Set(found.samples.keys) == Self.names)
    #expect(found.samples["gate-in"] == old)
    #expect(found.damaged.isEmpty)
    let last = last(in: test)
    for name in ["return-air", "face-101"] {
      #expect(found.samples[name]?.outcomes == last[name]?.outcomes)
      #expect(found.samples[name]?.time.monotonic == last[name]?.monotonic)
      #expect(found.samples[name]?.time.offset == test.clock.now().offset)
    }
    // The segment with the count is older than those that are looked into.
    let newest = test.journal.newestSamples(of: ["gate-in"], inNewest: 2)
    #expect(newest == NewestSamples())
    #expect(test.journal.newestSamples(of: []) == NewestSamples())
  }

  @Test(
    "After a power cut the newest sample is the last that can be read, never one before the commit",
    arguments: Seeds.given(orFirst: 40))
  func powerCuts(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var disk = SimulatedDisk()
    var total: UInt64 = 0
    for _ in 0..<4 {
      let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 200))
      let start = test.journal.newestSamples(of: ["gate-in"]).samples["gate-in"]
      #expect(start.map { Self.total(of: $0) } ?? 0 >= total, "seed \(seed)")
      total = start.map { Self.total(of: $0) } ?? 0
      var next = total
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        for _ in 0..<Int.random(in: 1...80, using: &generator) {
          test.clock.advance(by: 1000)
          next += 1
          try append(count(next, at: test.clock.now()), to: test)
          if Bool.random(using: &generator) { try test.append(1, using: &generator) }
        }
        if Bool.random(using: &generator) {
          try test.store.commit()
          total = next
        }
      }
      #expect(
        test.journal.newestSamples(of: ["gate-in"]).samples["gate-in"].map(Self.total) == next)
      disk = disk.afterPowerCut(using: &generator)
    }
    let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 200))
    let found = test.journal.newestSamples(of: Self.names)
    let last = last(in: test)
    #expect(found.samples.mapValues(\.outcomes) == last.mapValues(\.outcomes), "seed \(seed)")
    #expect(found.damaged.isEmpty, "seed \(seed)")
  }

  private static func total(of sample: Sample) -> UInt64 {
    if case .bad(_, .uint(let total)?) = sample.outcomes[1].outcome { total } else { 0 }
  }

  @Test("Damaged frames are passed over; what stands before them counts")
  func damage() throws {
    var generator = SeededGenerator(seed: 62)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    for total in 1...150 { try append(count(UInt64(total), at: first.clock.now()), to: first) }
    try first.append(40, using: &generator)
    let end = Int(first.journal.end(of: .data).offset)
    let next = disk.afterKill()
    next.damage("store/data/00000001.seg") { bytes in
      for place in end / 2..<end { bytes[place] = 0xA5 }
    }
    let second = try StoreUnderTest(next)
    let found = second.journal.newestSamples(of: Self.names)
    let last = last(in: second)
    #expect(found.samples.mapValues(\.outcomes) == last.mapValues(\.outcomes))
    let total = try #require(found.samples["gate-in"].map(Self.total))
    #expect(total > 1 && total <= 150)
  }

  /// A store of many segments with a count in an old one, damaged by `change`.
  private func damaged(
    segment place: (Int) -> Int, _ change: (inout [UInt8]) -> Void
  ) throws -> NewestSamples {
    var generator = SeededGenerator(seed: 63)
    let disk = SimulatedDisk()
    let settings = StoreUnderTest.settings(segments: 100)
    let first = try StoreUnderTest(disk, settings)
    try first.append(450, using: &generator)
    try append(count(7, at: first.clock.now()), to: first)
    try first.append(900, using: &generator)
    try first.store.commit()
    let names = first.journal.index(of: .data).withLock { $0.segments.map(\.name) }
    try #require(names.count > 3)
    let next = disk.afterKill()
    next.damage("store/data/\(names[place(names.count)])", change)
    return try StoreUnderTest(next, settings).journal.newestSamples(
      of: Self.names.union(["nobody"]))
  }

  @Test("A damaged frame is said of the devices that may have had a newer sample there")
  func damagedFrame() throws {
    let hole: (inout [UInt8]) -> Void = { bytes in
      for place in 5000..<5100 { bytes[place] ^= 0xA5 }
    }
    // Behind the count and before the newest samples of the others.
    let late = try damaged(segment: { $0 - 2 }, hole)
    #expect(Set(late.samples.keys) == Self.names)
    #expect(late.damaged == ["gate-in", "nobody"])
    // Before the count: of what was never seen it is not known.
    let early = try damaged(segment: { _ in 0 }, hole)
    #expect(early.damaged == ["nobody"])
  }

  @Test("A segment whose end, or all of it, is gone is said likewise")
  func damagedSegment() throws {
    for from in [SegmentHeader.bytes, 6000] {
      let found = try damaged(segment: { $0 - 2 }) { bytes in
        for place in from..<bytes.count { bytes[place] = 0 }
      }
      #expect(found.samples["gate-in"].map(Self.total) == 7)
      #expect(found.damaged == ["gate-in", "nobody"], "from \(from)")
    }
  }
}
