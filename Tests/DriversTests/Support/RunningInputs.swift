import LinuxSystem
import Telemetry
import TestSupport

@testable import Drivers

/// Keeps what GPIO inputs hand over; holds their thread up while it is told to.
final class RecordingLineSink: LineSink {
  private struct Recorded {
    var samples: [Sample] = []
    var events: [Event] = []
    var transitions: [LineTransition] = []
    var faults: [(line: String, fault: BadReason?)] = []
    var isHeld = false
    var isWaiting = false
  }

  private let recorded = Monitor(Recorded())

  func accept(_ sample: Sample) {
    recorded.update {
      $0.samples.append(sample)
      $0.isWaiting = $0.isHeld
    }
    let _: Void? = recorded.wait(atMost: nil) { $0.isHeld ? nil : () }
  }

  func accept(_ event: Event) { recorded.withLock { $0.events.append(event) } }
  func accept(_ transition: LineTransition) {
    recorded.withLock { $0.transitions.append(transition) }
  }
  func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {
    recorded.withLock { $0.faults.append((name, fault)) }
  }

  /// Keeps the thread in its next sample, that of what `body` does or a period's, until `release`.
  func hold(_ body: () throws -> Void) throws {
    recorded.update {
      $0.isHeld = true
      $0.isWaiting = false
    }
    try body()
    try waitUntil("the thread is held") { recorded.withLock { $0.isWaiting } }
  }

  func release() { recorded.update { $0.isHeld = false } }

  var samples: [Sample] { recorded.withLock { $0.samples } }
  var events: [Event] { recorded.withLock { $0.events } }
  var transitions: [LineTransition] { recorded.withLock { $0.transitions } }

  /// What was told of a line's faults, oldest first.
  func faults(of line: String) -> [BadReason?] {
    recorded.withLock { $0.faults.filter { $0.line == line }.map(\.fault) }
  }

  /// What became of a point of a line, oldest first.
  func outcomes(of line: String, point: Int = 0) -> [Outcome] {
    samples.filter { $0.device.name == line }.flatMap(\.outcomes).filter { $0.point == point }
      .map(\.outcome)
  }

  /// The newest total of a count.
  func count(of line: String) -> UInt64? {
    switch outcomes(of: line, point: 1).last {
    case .good(.uint(let total)), .bad(_, .some(.uint(let total))): total
    default: nil
    }
  }

  /// Details of a line's events, oldest first.
  func details(of line: String) -> [LineDetail] {
    events.filter { $0.source == line }.compactMap {
      if case .line(let detail) = $0.detail { detail } else { nil }
    }
  }
}

/// GPIO inputs that run as long as the body does.
func withInputs(
  _ lines: [LineDefinition], totals: [String: KnownTotal] = [:], totalReason: String? = nil,
  queueSize: UInt32 = GPIOLine.queueSize,
  _ body: (GPIOInputs, RecordingLineSink) throws -> Void
) throws {
  let sink = RecordingLineSink()
  let inputs = try GPIOInputs(
    lines, totals: totals, totalReason: totalReason, sink: sink, clock: KernelClock(),
    heartbeat: Heartbeat(name: "gpio"), queueSize: queueSize)
  defer {
    sink.release()
    inputs.cancel()
    _ = inputs.waitForEnd(atMost: patienceSeconds)
  }
  try body(inputs, sink)
}

extension LineDefinition {
  /// A line of a chip by its label, with what its purpose has of points.
  static func line(
    _ name: String, _ chip: String, _ offset: UInt32, every: Int64 = 60_000,
    purpose: LinePurpose = .level, bias: LineBias = .asIs, debounce: Int64 = 0,
    isActiveLow: Bool = false
  ) -> LineDefinition {
    LineDefinition(
      name: name, address: .offset(chip: chip, offset: offset), isActiveLow: isActiveLow,
      bias: bias, debounceMilliseconds: debounce, everyMilliseconds: every, purpose: purpose,
      points: LinePoint.names(of: purpose).map { PointDescription(name: $0, type: "bool") })
  }
}
