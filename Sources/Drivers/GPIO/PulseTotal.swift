internal import Telemetry

/// What pulses of a meter stand for.
///
/// The total is count × value per pulse, exactly. The rate is the total's change an hour (kWh give
/// kW, m³ give m³/h), from the times of the pulses: over those of the last minute, else over the
/// last two; while the pause after the last pulse is longer than that says, one pulse in the pause,
/// which is the most that it can be; 0 after an hour without a pulse. It is not known until two
/// pulses came or the hour is over.
struct PulseTotal: Sendable {
  /// The pulses that a rate is made of.
  static let windowMilliseconds: Int64 = 60_000
  /// A meter whose pulses are further apart measures next to nothing.
  static let silenceMilliseconds: Int64 = 3_600_000
  /// Decimals of a rate beyond those of a pulse, and at least that many.
  private static let moreDecimals: UInt8 = 3

  private let meter: PulseMeter
  private let edges: CountedEdges
  private let rounding: DecimalRounding
  private var window: FrequencyWindow

  init(_ meter: PulseMeter, edges: CountedEdges, decimals: UInt8?, at start: Int64) {
    self.meter = meter
    self.edges = edges
    let usual = min(meter.valuePerPulse.decimals, PointDescription.mostDecimals)
    rounding = DecimalRounding(decimals: decimals ?? usual + Self.moreDecimals)
    window = Self.window(at: start)
  }

  private static func window(at start: Int64) -> FrequencyWindow {
    FrequencyWindow(
      windowMilliseconds: windowMilliseconds, silenceMilliseconds: silenceMilliseconds, at: start)
  }

  /// Watching begins anew; what came meanwhile is not known.
  mutating func begin(at start: Int64) { window = Self.window(at: start) }

  /// A change of the line. Where both edges count, the rate is made of the rising ones, because a
  /// pulse's length says nothing.
  mutating func take(_ change: LineChange) {
    if change.isActive != (edges == .falling) { window.take(change) }
  }

  /// See `FrequencyWindow`.
  mutating func commit() { window.commit() }
  mutating func discard() { window.discard() }
  mutating func interrupt() { window.interrupt() }

  /// What that many pulses stand for, exactly; as a double where the digits don't fit 64 bits.
  func total(of count: UInt64) -> Value {
    let pulse = meter.valuePerPulse
    let product = Int128(count).multipliedReportingOverflow(by: Int128(pulse.mantissa))
    guard !product.overflow, let mantissa = Int64(exactly: product.partialValue) else {
      return .float64(Double(count) * pulse.approximate)
    }
    return .decimal(mantissa: mantissa, decimals: pulse.decimals)
  }

  /// The total's change an hour.
  func rate(at now: Int64) -> Outcome {
    let hertz: Double
    switch window.reading(at: now) {
    case .unknown: return .bad(.notRead)
    case .silent: hertz = 0
    case .hertz(let measured):
      let pause = now - (window.lastEdge ?? now)
      hertz = pause > 0 ? min(measured, 1000 / Double(pause)) : measured
    }
    let pulses = edges == .both ? 2.0 : 1.0
    let rate = hertz * 3600 * pulses * meter.valuePerPulse.approximate
    return .good(rounding.rounded(.float64(rate)))
  }
}
