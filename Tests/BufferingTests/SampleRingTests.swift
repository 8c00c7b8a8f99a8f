import LinuxSystem
import Telemetry
import Testing

@testable import Buffering

@Suite("Samples on their way to the journal", .ownThread)
struct SampleRingTests {
  private let ring = SampleRing()
  private let schema = DeviceSchema(name: "d", points: ["p"])
  private let now = Timestamp(monotonic: 1000, offset: 0, clock: .synced)

  private func sample() -> DefinedSample {
    let outcome = PointOutcome(point: 0, outcome: .good(.bool(true)))
    return DefinedSample(Sample(device: schema, time: now, outcomes: [outcome]), definitions: 1)
  }

  private func event() -> Event {
    Event(
      time: now, severity: .info, source: "d",
      detail: .device(StateDetail(state: "recovered", reason: nil)))
  }

  @Test("Samples wait a moment for others, and are all taken then")
  func gathers() {
    for _ in 0..<3 { ring.accept(sample()) }
    let start = ContinuousClock.now
    let content = ring.take(atMost: 60)
    #expect(ContinuousClock.now - start >= .microseconds(900))
    #expect(content.samples.count == 3)
    #expect(ring.take(atMost: 0).samples.isEmpty)
  }

  @Test("The first sample wakes a taker that sleeps, and so does the first after it")
  func wakes() throws {
    let taken = Monitor(0)
    let ring = ring
    try Thread.start(named: "taker") {
      while true {
        let content = ring.take(atMost: 60)
        taken.update { $0 += content.samples.count }
        if content.stopReason != nil { return }
      }
    }
    defer { ring.stop(reason: "test") }
    for count in 1...20 {
      ring.accept(sample())
      #expect(taken.wait(atMost: 30) { $0 == count ? true : nil } == true)
    }
  }

  @Test("Events, a stop and a nudge take the samples before them along at once")
  func isUrgent() {
    for urge in [{ ring.accept(event()) }, { ring.stop(reason: "r") }, { ring.nudge() }] {
      ring.accept(sample())
      urge()
      let content = ring.take(atMost: 60)
      #expect(content.isUrgent)
      #expect(content.samples.count == 1)
    }
  }

  @Test("A taker without time gets at once what is there")
  func hasNoTime() {
    ring.accept(sample())
    #expect(ring.take(atMost: 0).samples.count == 1)
  }
}
