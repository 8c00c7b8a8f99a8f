import LinuxSystem
import Telemetry

@testable import Drivers

/// Keeps what areas say.
final class AreaLedger: SampleSink {
  let outputs = Monitor<[Area.Output]>([])

  func accept(_ sample: Sample) { outputs.withLock { $0.append(.sample(sample)) } }
  func accept(_ event: Event) { outputs.withLock { $0.append(.event(event)) } }

  var samples: [Sample] {
    outputs.withLock { $0 }.compactMap { if case .sample(let one) = $0 { one } else { nil } }
  }

  var events: [HeadcountDetail] {
    outputs.withLock { $0 }.compactMap { output in
      guard case .event(let event) = output, case .headcount(let detail) = event.detail else {
        return nil
      }
      return detail
    }
  }
}
