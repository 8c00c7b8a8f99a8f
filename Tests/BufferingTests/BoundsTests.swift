import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("What a store may take")
struct BoundsTests {
  static let segmentBytes = 8192

  func settings(data: Int, keepFree: Int = 0) -> JournalSettings {
    var settings = StoreUnderTest.settings(segments: data, segmentBytes: Self.segmentBytes)
    settings.eventsBytes = 8 * Self.segmentBytes
    settings.keepFreeBytes = keepFree
    return settings
  }

  @Test("A smaller cap takes the oldest that was not delivered, and says exactly what")
  func smallerCap() throws {
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk, settings(data: 12))
    try first.fill(segments: 12)
    let written = first.newestSeq
    try first.end()
    let second = try StoreUnderTest(disk.afterKill(), settings(data: 5), clock: first.clock)
    #expect(second.segmentCount == 5)
    let kept = second.seqs
    let oldest = try #require(kept.first)
    #expect(oldest > 1)
    #expect(kept == Array(oldest...written))
    #expect(second.gaps(.evicted).map(\.seqs) == [1...max(1, oldest - 1)])
  }

  @Test("A smaller cap takes what was delivered first, and loses nothing that still fits")
  func smallerCapSpares() throws {
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk, settings(data: 12))
    try first.fill(segments: 12)
    let written = first.newestSeq
    // All but the first and the last few.
    for seq in 10...written - 20 { first.acknowledge(seq) }
    try first.end()
    let next = disk.afterKill()
    let second = try StoreUnderTest(next, settings(data: 5), clock: first.clock)
    #expect(next.dataSegments.count == 5)
    #expect(second.gaps.isEmpty)
    #expect(second.seqs == Array(1...9) + Array(written - 19...written))
  }

  @Test("A larger cap just grows")
  func largerCap() throws {
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk, settings(data: 4))
    try first.fill(segments: 4)
    try first.end()
    let next = disk.afterKill()
    let second = try StoreUnderTest(next, settings(data: 8), clock: first.clock)
    try second.fill(segments: 8)
    #expect(second.gaps.isEmpty)
    #expect(next.dataSegments.count == 8)
  }

  @Test("Below the floor of free space no file is made, and the store lives on its own ones")
  func floor() throws {
    let disk = SimulatedDisk()
    let floor = 6 * Self.segmentBytes
    let test = try StoreUnderTest(disk, settings(data: 100, keepFree: floor))
    disk.limit(to: floor + 20 * Self.segmentBytes)
    while test.store.evicting.isEmpty, test.newestSeq < 40_000 { try test.append(test.sample()) }
    // Two files of each stream there have to be, whatever is left.
    #expect(disk.freeBytes("store") >= floor - 2 * Self.segmentBytes)
    #expect(disk.freeBytes("store") < floor + 3 * Self.segmentBytes)
    #expect(test.store.evicting == [.data])
    let oldest = try #require(test.seqs.first)
    #expect(test.explained(by: .evicted) == Array(1..<oldest))
  }

  @Test("That it gives up what was not delivered is told when it begins, and when it ends")
  func tellsEviction() throws {
    let test = try StoreUnderTest(SimulatedDisk(), settings(data: 3))
    try test.fill(segments: 3)
    #expect(test.store.evictionFault == nil)
    while test.gaps(.evicted).isEmpty { try test.append(test.sample()) }
    #expect(test.store.evictionFault?.contains("data") == true)
    for seq in test.seqs { test.acknowledge(seq) }
    let last = test.newestSeq
    while test.store.evictionFault != nil, test.newestSeq < last + 4000 {
      try test.append(test.sample())
    }
    #expect(test.store.evictionFault == nil)
  }

  @Test("A store that a newer agent wrote is not touched; this agent has its own beside it")
  func newerStore() throws {
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk, settings(data: 4))
    try first.fill(segments: 2)
    try first.end()
    let next = disk.afterKill()
    // As a later format would have it: another version, a checksum that is right.
    for path in next.dataSegments {
      next.damage(path) { bytes in
        bytes[8] = 99
        let checksum = CRC32C.checksum(Array(bytes[..<44]))
        for byte in 0..<4 { bytes[44 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte)) }
      }
    }
    func contents() throws -> [String: [UInt8]] {
      var contents: [String: [UInt8]] = [:]
      for path in next.paths where !path.contains("/version-") {
        let file = try next.open(path, creating: false)
        contents[path] = try file.read(file.size(), at: 0)
      }
      return contents
    }
    let before = try contents()
    let access = StoreAccess(storage: next, directory: "store", isLocking: false)
    let store = try access.open(settings(data: 4), clock: first.clock)
    #expect(access.notice?.contains("store has format version 99") == true)
    #expect(store.content.current.store != first.journal.store)
    #expect(try contents() == before)
    #expect(next.paths.contains { $0.hasPrefix("store/version-") })

    // Nothing of a damaged header looks like a version.
    next.damage(next.dataSegments[0]) { $0[20] ^= 1 }
    next.damage(next.dataSegments[1]) { $0[20] ^= 1 }
    #expect(try NewerStore.version(of: "store", on: next) == nil)
  }
}
