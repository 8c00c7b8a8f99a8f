internal import Telemetry

/// How a line or an area does: what is said of it as a whole, and whether the point that it is
/// there for, its first one, has values. Pure.
struct InputCondition {
  /// As patient as with a device's points.
  static let toleratedFailures = DeviceCondition.toleratedFailures
  /// What a line says once it is certain: it has no bus that may lose an answer.
  private static let certain: Set<BadReason> = [.signalLost, .outOfBand, .chattering]

  /// Why it is lost, in words; `nil` while nobody says so.
  var lost: String?
  private var hasValue = false
  private var failures = 0
  /// Why its first point failed so often in a row.
  private var pointFault: String?

  /// `nil` while it gives values.
  var fault: String? { lost ?? pointFault ?? (hasValue ? nil : DeviceCondition.starting) }

  /// Whether a sample has a good value of its first point.
  static func isGood(_ sample: Sample) -> Bool {
    if case .good? = first(of: sample) { true } else { false }
  }

  /// Takes a sample of it.
  /// - Parameter isJudged: Whether bad samples say that something is wrong: an area tells by itself
  ///   what its count lacks.
  mutating func take(_ sample: Sample, isJudged: Bool) {
    switch Self.first(of: sample) {
    case .good, .bad(.outOfRange, _):
      // What an input says that answers out of range is the mine's matter.
      hasValue = true
      failures = 0
      pointFault = nil
    case .bad(let reason, _):
      guard isJudged else { return }
      failures += 1
      if failures >= Self.toleratedFailures || Self.certain.contains(reason) {
        pointFault = "\(sample.device.points.first ?? ""): \(reason)"
      }
    case nil: break
    }
  }

  private static func first(of sample: Sample) -> Outcome? {
    sample.outcomes.first { $0.point == 0 }?.outcome
  }
}
