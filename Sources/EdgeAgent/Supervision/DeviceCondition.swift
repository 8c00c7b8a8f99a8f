internal import Telemetry

/// How a device does: what the driver says of it as a whole, and which of its points fail although
/// it answers. A wrong register for methane must not hide behind a contact that reads well. Pure.
struct DeviceCondition {
  /// Until the first value.
  static let starting = "starting"
  /// As patient with a point as the driver is with a device.
  static let toleratedFailures = 3

  /// Why the driver calls the device lost.
  var lost: String?
  private var hasAnswered = false
  /// By index: how often in a row a point failed, and how last.
  private var failing: [Int: (count: Int, reason: BadReason)] = [:]
  private var schema: DeviceSchema?

  /// `nil` while every point gives values.
  var fault: String? {
    if let lost { return lost }
    guard hasAnswered, let schema else { return Self.starting }
    // Where all fail the driver will call the device lost.
    guard failing.count < schema.points.count else { return nil }
    let worst = failing.filter { $0.value.count >= Self.toleratedFailures }.min { $0.key < $1.key }
    return worst.map { "\(schema.points[$0.key]): \($0.value.reason)" }
  }

  mutating func take(_ sample: Sample) {
    if schema != sample.device {
      schema = sample.device
      failing = [:]
    }
    for outcome in sample.outcomes {
      switch outcome.outcome {
      case .good:
        hasAnswered = true
        failing[outcome.point] = nil
      case .bad(.outOfRange, _):
        // The device answers, and what it says is the mine's matter.
        hasAnswered = true
        failing[outcome.point] = nil
      case .bad(.notRead, _):
        // The bus's matter.
        break
      case .bad(let reason, _):
        failing[outcome.point] = ((failing[outcome.point]?.count ?? 0) + 1, reason)
      }
    }
  }
}
