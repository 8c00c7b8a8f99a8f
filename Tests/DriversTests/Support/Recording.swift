import LinuxSystem
import Telemetry
import Testing

/// Keeps what a bus hands over.
final class RecordingSink: SampleSink {
  private struct Recorded {
    var samples: [Sample] = []
    var events: [Event] = []
  }

  private let recorded = Monitor(Recorded())

  func accept(_ sample: Sample) { recorded.withLock { $0.samples.append(sample) } }
  func accept(_ event: Event) { recorded.withLock { $0.events.append(event) } }

  var samples: [Sample] { recorded.withLock { $0.samples } }
  var events: [Event] { recorded.withLock { $0.events } }

  /// Samples of one device, oldest first.
  func samples(of device: String) -> [Sample] { samples.filter { $0.device.name == device } }

  /// What became of a device's only or first point in each sample, oldest first.
  func outcomes(of device: String, point: Int = 0) -> [Outcome] {
    samples(of: device).flatMap(\.outcomes).filter { $0.point == point }.map(\.outcome)
  }

  /// State words of a source's events, oldest first.
  func states(of source: String) -> [String] {
    events.filter { $0.source == source }.compactMap { $0.stateDetail?.state }
  }
}

extension Event {
  /// The details of a bus's or device's event.
  var stateDetail: StateDetail? {
    switch detail {
    case .bus(let detail), .device(let detail): detail
    default: nil
    }
  }
}
