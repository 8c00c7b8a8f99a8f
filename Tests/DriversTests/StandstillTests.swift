import Glibc
import LinuxSystem
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Standstill", .ownThread)
struct StandstillTests {
  /// A clock at which the process stands still, once, when it is asked for a time stamp.
  private final class StallingClock: TimeSource {
    private let kernel = KernelClock()
    let stallsNext = Atomic(false)

    func now() -> Timestamp {
      if stallsNext.exchange(false, ordering: .acquiringAndReleasing) {
        usleep(UInt32((ReadAnswer.standstill + .milliseconds(100)) / .microseconds(1)))
      }
      return kernel.now()
    }

    var monotonic: Int64 { kernel.monotonic }
  }

  @Test("An answer behind which the process stood still before it was dated gives no value")
  func betweenAnswerAndStamp() async throws {
    let clock = StallingClock()
    let server = try ScriptedServer.listening { request in
      // The next that asks for the time is who dates this answer.
      if request.number == 1 { clock.stallsNext.store(true, ordering: .releasing) }
      return [.send(request.registers(UInt16(request.number)))]
    }
    defer { server.stop() }
    let definition = ModbusBusDefinition(
      name: "station", endpoint: .tcp(host: "127.0.0.1", port: server.port),
      timeoutMilliseconds: 500, devices: [device("a", unit: 1, points: [point(0, every: 100)])])
    let sink = RecordingSink()
    let bus = try ModbusBus(definition: definition, sink: sink, clock: clock)
    async let _ = bus.run()
    try await waitUntil("three answers are read") { sink.goodValues(of: "a").count >= 3 }
    #expect(!sink.goodValues(of: "a").contains(.uint(1)))
    #expect(sink.reasons(of: "a").contains(.timeout))
  }
}
