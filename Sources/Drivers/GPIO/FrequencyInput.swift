internal import Telemetry

/// A mine sensor's frequency and what it stands for.
struct FrequencyInput: Sendable {
  /// Decimals of a frequency that says nothing of its own: a thousandth of a hertz.
  private static let hertzDecimals: UInt8 = 3
  /// A value has decimals for at least so many steps of its span.
  private static let steps = 10_000.0

  private let scale: FrequencyScale
  private let valueRange: ValueRange?
  private let valueRounding: DecimalRounding
  private let hertzRounding: DecimalRounding
  private var window: FrequencyWindow

  /// - Parameter points: those of the line, `value` and `frequency`.
  init(_ scale: FrequencyScale, points: [PointDescription], at start: Int64) {
    self.scale = scale
    valueRange = points.first?.range
    let span = (scale.atHighest - scale.atLowest).magnitude
    var (decimals, step) = (UInt8(0), 1.0)
    while step > span / Self.steps, decimals < PointDescription.mostDecimals {
      (decimals, step) = (decimals + 1, step / 10)
    }
    valueRounding = DecimalRounding(decimals: points.first?.decimals ?? decimals)
    hertzRounding = DecimalRounding(
      decimals: points.dropFirst().first?.decimals ?? Self.hertzDecimals)
    window = Self.window(of: scale, at: start)
  }

  private static func window(of scale: FrequencyScale, at start: Int64) -> FrequencyWindow {
    // Two periods of the lowest frequency: one edge more than may be missing in time.
    let lowest = max(scale.hertz.lower - scale.marginHertz, 0.001)
    return FrequencyWindow(
      windowMilliseconds: scale.windowMilliseconds,
      silenceMilliseconds: Int64((2000 / lowest).rounded(.up)), at: start)
  }

  /// Watching begins anew; what came meanwhile is not known.
  mutating func begin(at start: Int64) { window = Self.window(of: scale, at: start) }

  /// A change of the line: periods lie between rising edges.
  mutating func take(_ change: LineChange) {
    if change.isActive { window.take(change) }
  }

  /// See `FrequencyWindow`.
  mutating func commit() { window.commit() }
  mutating func discard() { window.discard() }
  mutating func interrupt() { window.interrupt() }

  /// What `value` and `frequency` are.
  func outcomes(at now: Int64) -> (value: Outcome, frequency: Outcome) {
    switch window.reading(at: now) {
    case .unknown: return (.bad(.notRead), .bad(.notRead))
    case .silent: return (.bad(.signalLost), .bad(.signalLost))
    case .hertz(let hertz):
      let frequency = hertzRounding.rounded(.float64(hertz))
      // Linear also within the margin: that a sensor is above its range has to show.
      let share = (hertz - scale.hertz.lower) / (scale.hertz.upper - scale.hertz.lower)
      let number = scale.atLowest + share * (scale.atHighest - scale.atLowest)
      let value = valueRounding.rounded(.float64(number))
      let band = ValueRange(
        lower: scale.hertz.lower - scale.marginHertz, upper: scale.hertz.upper + scale.marginHertz)
      guard band.contains(hertz) else {
        return (.bad(.outOfBand, raw: value), .bad(.outOfBand, raw: frequency))
      }
      if let valueRange, !valueRange.contains(value.approximate) {
        return (.bad(.outOfRange, raw: value), .good(frequency))
      }
      return (.good(value), .good(frequency))
    }
  }
}
