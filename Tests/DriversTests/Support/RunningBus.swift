import LinuxSystem
import Telemetry

@testable import Drivers

/// A bus that runs as long as the body does.
func withBus(
  _ definition: ModbusBusDefinition,
  _ body: (ModbusBus, RecordingSink) async throws -> Void
) async throws {
  let sink = RecordingSink()
  let bus = try ModbusBus(definition: definition, sink: sink, clock: KernelClock())
  // A child task, which is cancelled and awaited at the end, on the test's own thread: the pool may
  // be busy for a minute with other tests when they are sanitized.
  async let _ = bus.run()
  try await body(bus, sink)
}

extension RecordingSink {
  func goodValues(of device: String, point: Int = 0) -> [Value] {
    outcomes(of: device, point: point).compactMap {
      if case .good(let value) = $0 { value } else { nil }
    }
  }

  func reasons(of device: String, point: Int = 0) -> [BadReason] {
    outcomes(of: device, point: point).compactMap {
      if case .bad(let reason, _) = $0 { reason } else { nil }
    }
  }
}
