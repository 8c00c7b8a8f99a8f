internal import Telemetry

/// How a device does: what the driver says of it as a whole, and which of its points fail although
/// it answers. A wrong register for methane must not hide behind a contact that reads well. Pure.
struct DeviceCondition {
  /// Until the first value.
  static let starting = "starting"
  /// As patient with a point as the driver is with a device.
  static let toleratedFailures = 3

  /// Why the device is lost, as far as is known by now; `nil` while the driver doesn't call it so.
  private(set) var lost: String?
  private var hasAnswered = false
  /// By index: how often in a row a point failed, and how last.
  private var failing: [Int: (count: Int, reason: BadReason)] = [:]
  /// The point that is named.
  private var pointFault: String?
  /// Why it was last asked in vain, since it last answered.
  private var newestReason: BadReason?
  private var schema: DeviceSchema?

  /// `nil` while every point gives values.
  var fault: String? { lost ?? pointFault ?? (hasAnswered ? nil : Self.starting) }

  /// The driver calls the device lost. Where it was not even asked, what came before says why.
  mutating func lose(_ reason: String) {
    let isKnown = !BadReason.unasked.contains { "\($0)" == reason }
    lost = isKnown ? reason : newestReason.map { "\($0)" } ?? reason
  }

  /// The driver calls the device present again.
  mutating func recover() { lost = nil }

  /// Takes what the device's points gave.
  /// - Parameter isBusOpen: Then a connection that is said to be closed is one of before: the
  ///   driver replaces a silent one, and accounts for the cycles between with that reason.
  mutating func take(_ sample: Sample, isBusOpen: Bool) {
    if schema != sample.device {
      schema = sample.device
      failing = [:]
      pointFault = nil
      hasAnswered = false
    }
    for outcome in sample.outcomes { take(outcome, isBusOpen: isBusOpen) }
    if lost != nil, let newestReason { lost = "\(newestReason)" }
    judgePoints(of: sample.device)
  }

  private mutating func take(_ outcome: PointOutcome, isBusOpen: Bool) {
    switch outcome.outcome {
    case .good, .bad(.outOfRange, _):
      // What a device says that answers out of range is the mine's matter.
      hasAnswered = true
      newestReason = nil
      // Nearly always there is nothing to forget, and each look costs a hash.
      if !failing.isEmpty { failing[outcome.point] = nil }
    case .bad(.notRead, _):
      // The bus's matter.
      break
    case .bad(let reason, _):
      let isOfBefore = isBusOpen && BadReason.disconnected.contains(reason)
      let saysWhy = !BadReason.unasked.contains(reason) && !isOfBefore
      let old = failing[outcome.point]
      failing[outcome.point] = ((old?.count ?? 0) + 1, saysWhy ? reason : old?.reason ?? reason)
      if BadReason.answered.contains(reason) {
        newestReason = nil
      } else if saysWhy {
        newestReason = reason
      }
    }
  }

  private mutating func judgePoints(of schema: DeviceSchema) {
    let worst = failing.filter { $0.value.count >= Self.toleratedFailures }.min { $0.key < $1.key }
    guard let worst else {
      pointFault = nil
      return
    }
    // Where nothing answers the driver will call the device lost. Until then what was said holds:
    // one more failure makes nothing better.
    let isSilent = !failing.values.contains { BadReason.answered.contains($0.reason) }
    if isSilent, !hasAnswered || failing.count == schema.points.count { return }
    pointFault = "\(schema.points[worst.key]): \(worst.value.reason)"
  }
}

extension BadReason {
  /// The point was not asked: nothing new is known.
  fileprivate static let unasked: Set<BadReason> = [.offline, .notRead]
  /// The bus had no connection.
  fileprivate static let disconnected: Set<BadReason> = [.busClosed, .refused]
  /// The device gave a value that can't be used; the driver does not count that as a failure.
  fileprivate static let answered: Set<BadReason> = [
    .outOfRange, .notANumber, .errorValue, .unsupported,
  ]
}
