import LinuxSystem
import TestSupport
import Testing

@testable import Buffering

@Suite("The order of cursors and recycling")
struct CursorOrderTests {
  @Test("A segment is used again only when the cursor that gives it up is on the disk")
  func recycling() throws {
    let disk = SimulatedDisk()
    let settings = StoreUnderTest.settings(segments: 3, segmentBytes: 8192)
    let test = try StoreUnderTest(disk, settings)
    // What the disk would give after a power cut, each time a segment that was full is begun anew.
    let images = Monitor<[(used: Int, image: DiskImage)]>([])
    try test.fill(segments: 3)
    let newest = Monitor(0)
    disk.observe { change in
      guard change.call == .write, change.offset == 0, change.path.contains("/data/"),
        !change.path.hasSuffix(".new") || newest.withLock({ $0 }) > 0
      else { return }
      let used = newest.withLock { $0 }
      let image = disk.image()
      images.update { $0.append((used, image)) }
    }
    // All but the newest batch is acknowledged, and no cursor is saved in between.
    for seq in 1...test.newestSeq { test.acknowledge(seq) }
    newest.update { $0 = Int(test.newestSeq) }
    for _ in 0..<100 {
      for _ in 0..<100 { try test.append(test.sample()) }
      if images.withLock({ $0.count }) >= 3 { break }
    }
    disk.observe(nil)
    let begun = images.withLock { $0 }
    #expect(!begun.isEmpty)
    for (used, image) in begun {
      var generator = SeededGenerator(seed: 1)
      let after = image.afterPowerCut(.nothing, using: &generator)
      var files = CursorFiles(storage: after, directory: "store/cursors")
      guard case .cursor(let cursor) = files.load(StoreUnderTest.province) else {
        Issue.record("no cursor")
        continue
      }
      let epoch = AckSet.EpochID(store: test.journal.store, epoch: test.journal.epoch)
      let set = cursor.sets[.data] ?? AckSet()
      #expect(set.covers(epoch, 1...UInt64(used)))
    }
  }
}
