import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("A full disk")
struct FullDiskTests {
  @Test("A device that a full disk kept out of a segment is named again where its batch is written")
  func dictionary() throws {
    let disk = SimulatedDisk()
    let settings = StoreUnderTest.settings(segmentBytes: 8192)
    let test = try StoreUnderTest(disk, settings)
    let small = DeviceSchema(name: "a", points: ["x"])
    let large = DeviceSchema(
      name: "slow-device", points: (0..<20).map { "a-point-with-a-long-name-\($0)" })
    // So that the large device's name no longer fits, and its values alone would.
    while test.journal.end(of: .data).offset < 8192 - 260 {
      try test.append(test.sample(of: small))
    }
    let sample = test.sample(7, of: large)
    disk.fail(.open, code: 28, lasting: true)
    for _ in 0..<2 { #expect(throws: AppendError.self) { try test.append(sample) } }
    disk.heal()
    try test.append(sample)

    #expect(test.seqs == Array(1...test.newestSeq))
    #expect(test.journal.takeHoles().isEmpty)
    let next = try StoreUnderTest(disk.afterKill(), settings)
    guard case .samples(let samples)? = next.batches(.data).last?.body else {
      Issue.record("the last batch can't be read")
      return
    }
    #expect(samples.first?.device.name == "slow-device")
    #expect(samples.first?.outcomes == sample.sample.outcomes)
  }

  @Test("A store with unchanged definitions opens on a disk that has no room for one more file")
  func opensWithoutRoom() throws {
    var generator = SeededGenerator(seed: 1)
    let disk = SimulatedDisk()
    let first = try StoreUnderTest(disk)
    try first.append(10, using: &generator)
    try first.store.commit()
    let full = disk.afterKill()
    full.fail(.rename, code: 28, lasting: true)
    let second = try StoreUnderTest(full)
    #expect(second.seqs == Array(1...10))
    try second.append(1, using: &generator)
    #expect(second.sampleCount == 11)
    #expect(second.journal.definitions()[second.definitions] == StoreUnderTest.definitions)
  }

  @Test("A disk that fills below the cap has its own segments used again, and the stop is clean")
  func recyclesBelowTheCap() throws {
    let disk = SimulatedDisk()
    let settings = StoreUnderTest.settings(segments: 8, segmentBytes: 8192)
    let test = try StoreUnderTest(disk, settings)
    var seq: UInt64 = 0
    func add() throws {
      try test.append(test.sample())
      seq += 1
      test.acknowledge(seq)
    }
    while test.segmentCount < 4 { try add() }
    disk.fail(.rename, code: 28, lasting: true)
    for _ in 0..<300 { try add() }
    #expect(test.newestSeq == seq)
    #expect(disk.dataSegments.count == 4)
    #expect(test.gaps.isEmpty)
    try test.end()
    let next = try StoreUnderTest(disk.afterKill(), settings)
    #expect(next.events("start").last?.contains(#""clean":true"#) == true)
  }
}
