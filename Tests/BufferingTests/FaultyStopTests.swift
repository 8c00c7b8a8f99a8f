import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

@Suite("A stop while the store fails")
struct FaultyStopTests {
  let disk = SimulatedDisk()
  let clock = ManualClock()
  let faults = StoreFaults()

  func writer(_ settings: JournalSettings) throws -> JournalWriter {
    let writer = try JournalWriter(
      settings, storage: disk, ring: SampleRing(), clock: clock, observer: faults)
    try writer.start()
    return writer
  }

  func accept(_ numbers: Range<Int>, by writer: JournalWriter, _ settings: JournalSettings) {
    for number in numbers {
      clock.advance(by: 1000)
      let outcome = PointOutcome(point: 0, outcome: .good(.int(Int64(number))))
      let sample = Sample(
        device: RandomSamples.devices[0], time: clock.now(), outcomes: [outcome])
      writer.ring.accept(DefinedSample(sample, definitions: settings.definitionsDigest))
    }
  }

  func waitForFault() throws {
    try waitUntil("the fault is told") { faults.faults.withLock { $0.last ?? nil } != nil }
  }

  @Test("What was held and what still lay in the ring is written when the disk is back at the stop")
  func diskComesBack() throws {
    let settings = StoreUnderTest.settings()
    let writer = try writer(settings)
    disk.fail(.write, code: 5, lasting: true)
    accept(0..<5, by: writer, settings)
    try waitForFault()
    accept(5..<20, by: writer, settings)
    disk.heal()
    #expect(writer.flush(within: 20, reason: "SIGTERM"))
    #expect(writer.seal(within: 20))

    let next = try StoreUnderTest(disk.afterKill(), settings, clock: clock)
    #expect(next.sampleCount == 20)
    #expect(next.gaps.isEmpty)
    #expect(next.events("start").last?.contains(#""clean":true"#) == true)
  }

  @Test(
    "What a disk does not take to the end is named at the next start, and the stop not called clean"
  )
  func diskStaysFull() throws {
    let settings = StoreUnderTest.settings(segments: 50, segmentBytes: 8192)
    let writer = try writer(settings)
    disk.fail(.rename, code: 28, lasting: true)
    let first = clock.now().wall
    accept(0..<100, by: writer, settings)
    try waitForFault()
    accept(100..<400, by: writer, settings)
    let last = clock.now().wall
    #expect(writer.flush(within: 20, reason: "SIGTERM"))
    #expect(writer.seal(within: 20))

    let next = try StoreUnderTest(disk.afterKill(), settings, clock: clock)
    try next.append(next.sample())
    let gaps = next.gaps(.uncleanStop)
    #expect(gaps.count == 1)
    #expect(gaps.first?.times?.contains(first) == true)
    #expect(gaps.first?.times?.contains(last) == true)
    #expect(next.events("start").last?.contains(#""clean":false"#) == true)
  }
}
