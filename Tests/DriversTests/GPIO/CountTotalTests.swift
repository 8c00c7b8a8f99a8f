import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Totals of counts that come by a reload", .ownThread)
struct CountTotalTests {
  private let sink = RecordingLineSink()

  private func line(_ name: String) -> LineDefinition {
    let purpose = LinePurpose.count(.rising, meter: nil)
    return LineDefinition(
      name: name, address: .offset(chip: "no-such-chip", offset: 4), purpose: purpose,
      points: LinePoint.names(of: purpose).map { PointDescription(name: $0, type: "uint64") })
  }

  @Test("What is known of a count that was not watched is taken; what was counted here wins")
  func totals() throws {
    let inputs = try GPIOInputs(
      [line("in")], totals: ["in": 5], totalReason: "stop", sink: sink, clock: KernelClock(),
      heartbeat: Heartbeat(name: "gpio"))
    defer {
      inputs.cancel()
      #expect(inputs.waitForEnd(atMost: patienceSeconds))
    }
    func reach(_ totals: [String: UInt64?]) throws {
      try waitUntil("\(totals); there are \(inputs.statistics)") {
        inputs.statistics.mapValues(\.total) == totals
      }
    }
    try reach(["in": 5])
    inputs.use([line("in"), line("out")], totals: ["in": 3, "out": 7])
    try reach(["in": 5, "out": 7])
    inputs.use([line("out")])
    try reach(["out": 7])
    // The journal's newest sample may be older than what was counted before the line went.
    inputs.use([line("out"), line("in"), line("new")], totals: ["in": 4])
    try reach(["in": 5, "out": 7, "new": 0])
    let states = sink.events.compactMap { event -> String? in
      guard case .line(let detail) = event.detail, detail.state != .failed else { return nil }
      return "\(event.source) \(detail.state) \(detail.reason ?? "-") \(detail.count ?? 0)"
    }
    #expect(
      states == [
        "in countResumed stop 5", "out countResumed reload 7", "in countResumed reload 5",
        "new countBegan - 0",
      ])
  }

  @Test("Where nothing is known of a count because the store can't be read, its event says why")
  func doubt() throws {
    let inputs = try GPIOInputs(
      [line("in"), line("out")], totals: ["in": 5], totalReason: "unclean-stop",
      doubt: "store-failed", sink: sink, clock: KernelClock(), heartbeat: Heartbeat(name: "gpio"))
    defer {
      inputs.cancel()
      #expect(inputs.waitForEnd(atMost: patienceSeconds))
    }
    inputs.use([line("in"), line("out"), line("new")], totals: [:], doubt: "damaged")
    try waitUntil("all are there") { inputs.statistics["new"]?.total == 0 }
    let told = sink.events.compactMap { event -> String? in
      guard case .line(let detail) = event.detail, detail.state != .failed else { return nil }
      return "\(event.severity) \(event.source) \(detail.state) \(detail.reason ?? "-")"
    }
    // The first two may begin after the reload was asked for.
    #expect(told.first == "warning in countResumed unclean-stop")
    #expect(told.dropFirst().allSatisfy { $0.hasPrefix("warning ") && $0.contains("countBegan") })
    #expect(told.last == "warning new countBegan damaged")
  }

  @Test("A count whose end can't be read any more says so in a warning, old or new")
  func damaged() throws {
    let inputs = try GPIOInputs(
      [line("in"), line("gone"), line("well")],
      totals: [
        "in": KnownTotal(5, isDamaged: true), "gone": KnownTotal(nil, isDamaged: true), "well": 6,
      ], totalReason: "stop", sink: sink, clock: KernelClock(), heartbeat: Heartbeat(name: "gpio"))
    defer {
      inputs.cancel()
      #expect(inputs.waitForEnd(atMost: patienceSeconds))
    }
    func begun() -> [String] {
      sink.events.compactMap { event in
        guard case .line(let detail) = event.detail, detail.state != .failed else { return nil }
        return "\(event.severity) \(event.source) \(detail.state) \(detail.reason ?? "-")"
      }
    }
    try waitUntil("all have begun") { begun().count == 3 }
    #expect(
      begun() == [
        "warning in countResumed damaged", "warning gone countBegan damaged",
        "info well countResumed stop",
      ])
    #expect(inputs.statistics.mapValues(\.total) == ["in": 5, "gone": 0, "well": 6])
  }
}
