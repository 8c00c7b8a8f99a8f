import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("A headcount that many threads tell of", .ownThread)
struct HeadcountThreadTests {
  /// Asks back while it is told.
  private final class Asking: SampleSink {
    let ledger = AreaLedger()
    let headcount = Monitor<Headcount?>(nil)

    func accept(_ sample: Sample) {
      headcount.withLock { $0 }?.take(sample)
      _ = headcount.withLock { $0 }?.states
      // Others may overtake, were they let.
      sched_yield()
      ledger.accept(sample)
    }

    func accept(_ event: Event) { ledger.accept(event) }
  }

  @Test("Samples come in the order of the counts, none of which is lost, and a sink may ask back")
  func order() throws {
    let devices = ["a", "b", "c"]
    let gate = GateDefinition(name: "gate-1", sensors: .turnstile(enter: "in", leave: nil))
    let names = AreaPoint.names(gates: [gate], hasReported: true, hasQuota: false)
    let area = AreaDefinition(
      name: "heading", gates: [gate],
      reported: devices.map {
        PointReference(device: $0, point: "persons", everyMilliseconds: 1000)
      }, points: names.map { PointDescription(name: $0, type: "int64") })
    let (clock, sink) = (ManualClock(), Asking())
    let headcount = Headcount([area], restored: [:], sink: sink, clock: clock)
    sink.headcount.update { $0 = headcount }
    headcount.line("in", changedTo: nil, at: clock.now())
    headcount.accept(LineTransition(line: "in", isActive: false, time: clock.now()))
    let times: Int64 = 500
    let running = Monitor(devices.count + 1)
    func start(_ name: String, _ body: @escaping @Sendable (Int64) -> Void) throws {
      try Thread.start(named: name) {
        for number in 1...times { body(number) }
        running.update { $0 -= 1 }
      }
    }
    for device in devices {
      try start(device) { number in
        // So far apart that each change has its sample.
        clock.advance(by: 1000)
        let schema = DeviceSchema(name: device, points: ["persons"])
        headcount.take(
          Sample(
            device: schema, time: clock.now(),
            outcomes: [PointOutcome(point: 0, outcome: .good(.int(number)))]))
      }
    }
    try start("in") { _ in
      for isActive in [true, false] {
        headcount.accept(LineTransition(line: "in", isActive: isActive, time: clock.now()))
      }
    }
    try #require(running.wait(atMost: 60) { $0 == 0 ? true : nil } == true)
    clock.advance(by: 1000)
    _ = headcount.tick()
    for point in ["balance", "reported"] {
      let index = try #require(names.firstIndex(of: point))
      let numbers = sink.ledger.samples.compactMap { sample -> Double? in
        switch sample.outcomes[index].outcome {
        case .good(let value), .bad(_, raw: let value?): value.approximate
        case .bad: nil
        }
      }
      #expect(numbers == numbers.sorted())
      #expect(numbers.last == Double(point == "balance" ? times : times * Int64(devices.count)))
    }
  }
}
