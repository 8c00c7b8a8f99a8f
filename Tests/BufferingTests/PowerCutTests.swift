import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("Power cuts and kills")
struct PowerCutTests {
  @Test(
    "What was synced before a power cut is read back; no identity has two contents",
    arguments: Seeds.given(orFirst: 60))
  func powerCuts(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var disk = SimulatedDisk()
    var committed: [BatchIdentity: Batch] = [:]
    var everSeen: [BatchIdentity: Batch] = [:]
    var clock = ManualClock()
    for _ in 0..<4 {
      let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 200), clock: clock)
      for batch in test.batches(.data) {
        #expect(everSeen[batch.identity].map { $0 == batch } ?? true, "\(batch.identity)")
      }
      #expect(Set(committed.keys).isSubset(of: Set(test.batches(.data).map(\.identity))))
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        try test.append(Int.random(in: 1...60, using: &generator), using: &generator)
        if Bool.random(using: &generator) {
          try test.store.commit()
          for batch in test.batches(.data) { committed[batch.identity] = batch }
        }
      }
      for batch in test.batches(.data) { everSeen[batch.identity] = batch }
      disk = disk.afterPowerCut(using: &generator)
      let now = test.clock.now()
      clock = ManualClock(Timestamp(monotonic: 1000, offset: now.wall, clock: .synced))
    }
    let last = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 200), clock: clock)
    let read = Dictionary(uniqueKeysWithValues: last.batches(.data).map { ($0.identity, $0) })
    for (identity, batch) in committed { #expect(read[identity] == batch) }
  }

  @Test("A kill loses nothing that was appended", arguments: 0..<20)
  func kills(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var disk = SimulatedDisk()
    var appended = 0
    for epoch in 1...5 {
      let test = try StoreUnderTest(disk, StoreUnderTest.settings(segments: 200))
      #expect(test.batches(.data).count == appended)
      #expect(test.journal.epoch == UInt32(epoch))
      let count = Int.random(in: 0...100, using: &generator)
      try test.append(count, using: &generator)
      appended += count
      disk = disk.afterKill()
    }
  }

  @Test(
    "Every batch that a power cut took is explained by the start event or a gap event",
    arguments: Seeds.given(orFirst: 40))
  func explained(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(30, using: &generator)
    try first.store.commit()
    try first.append(30, using: &generator)
    let second = try StoreUnderTest(disk.afterPowerCut(using: &generator))
    let found = second.batches(.data).map(\.seq)
    let last = found.last ?? 0
    #expect(last >= 30)
    #expect(second.events("start").last?.contains(#""data":\#(last)"#) == true)
    let missing = Set(1...last).subtracting(found)
    try second.store.explainHoles()
    var explained: Set<UInt64> = []
    for gap in second.events("gap") where gap.contains(#""reason":"damaged""#) {
      func number(after key: String) -> UInt64 {
        let rest = gap.split(separator: "\"\(key)\":", omittingEmptySubsequences: false).last ?? ""
        return UInt64(rest.prefix { $0.isNumber }) ?? 0
      }
      explained.formUnion(number(after: "from-seq")...number(after: "to-seq"))
    }
    #expect(missing.isSubset(of: explained), "seed \(seed)")
  }

  @Test("A record survives a power cut at any moment of its replacement", arguments: 0..<40)
  func records(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var disk = SimulatedDisk()
    var newest: UInt8 = 0
    for round in UInt8(1)...20 {
      var record = DurableRecord(storage: disk, path: "store/record")
      if case .payload(let payload) = record.load() { #expect(payload[0] >= newest) }
      let payload = [UInt8](repeating: round, count: Int.random(in: 1...9000, using: &generator))
      if Bool.random(using: &generator) {
        try record.save(payload)
        newest = round
      } else {
        disk.fail(.sync, code: 5)
        #expect(throws: SystemError.self) { try record.save(payload) }
      }
      if Bool.random(using: &generator) { disk = disk.afterPowerCut(using: &generator) }
      var again = DurableRecord(storage: disk, path: "store/record")
      guard newest > 0 else { continue }
      guard case .payload(let found) = again.load() else {
        Issue.record("round \(round): nothing readable")
        return
      }
      #expect(found[0] >= newest && Set(found).count == 1)
      newest = found[0]
    }
  }

  @Test("A copy that ends with its checksum, as earlier versions wrote it, is read")
  func unpadded() throws {
    let disk = SimulatedDisk()
    var record = DurableRecord(storage: disk, path: "store/record")
    try record.save([1, 2, 3])
    let padded = try disk.open("store/record.1", creating: false).read(4096, at: 0)
    try #require(padded.count == 4096)
    let earlier = SimulatedDisk()
    // Mark, number, length, payload, checksum.
    let copy = Array(padded[..<(8 + 8 + 4 + 3 + 4)])
    try earlier.open("store/record.1", creating: true).write(copy, at: 0)
    var again = DurableRecord(storage: earlier, path: "store/record")
    #expect(again.load() == .payload([1, 2, 3]))
  }
}
