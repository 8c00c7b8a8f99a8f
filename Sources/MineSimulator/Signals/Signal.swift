internal import Glibc

/// What a point measures, as a function of the time since the simulator was ready. All durations
/// are milliseconds and greater than 0; every `noise` is the largest deviation, in the point's
/// unit.
enum Signal: Sendable, Hashable {
  case constant(Double)
  case methane(Methane)
  case wave(Wave)
  case duty(Duty)
  case headcount(Headcount)
  case power(Power)
  case tank(Tank)
  case counter(Counter)

  /// The value `milliseconds` after the start; never below 0 for what has no negative amount.
  func value(at milliseconds: Int64, noise: Noise) -> Double {
    switch self {
    case .constant(let value): value
    case .methane(let signal): signal.value(at: milliseconds, noise: noise)
    case .wave(let signal): signal.value(at: milliseconds, noise: noise)
    case .duty(let signal): signal.isOn(at: milliseconds) ? 1 : 0
    case .headcount(let signal): Double(signal.persons(at: milliseconds, noise: noise))
    case .power(let signal): signal.value(at: milliseconds, noise: noise)
    case .tank(let signal): signal.value(at: milliseconds, noise: noise)
    case .counter(let signal): signal.value(at: milliseconds)
    }
  }
}

/// Gas in an airway: a base that drifts, and bursts as after a shearer's pass or a blast, which
/// rise quickly and are carried off by the ventilation.
struct Methane: Sendable, Hashable {
  var base: Double
  var noise: Double
  /// How far the highest burst rises above the base.
  var burst: Double
  /// One burst in each such span, at a random moment of its first half.
  var burstEvery: Int64

  /// The drift's share of the base, and how long it takes from one height to the next.
  private static let driftShare = 0.1
  private static let driftPeriod: Int64 = 60_000
  /// Shares of `burstEvery`: the rise, and the time in which a burst falls to 1/e.
  private static let riseShare = 0.03
  private static let decayShare = 0.12
  /// The lowest burst as a share of the highest.
  private static let lowestBurst = 0.6

  func value(at milliseconds: Int64, noise source: Noise) -> Double {
    let drift = source.wander(.drift, milliseconds: milliseconds, period: Self.driftPeriod)
    var value = base * (1 + Self.driftShare * drift)
    value += noise * source.triangular(.reading, milliseconds)
    let current = milliseconds / burstEvery
    // An older burst has fallen to e^-8 of its height before the second next begins.
    for index in max(0, current - 1)...current {
      value += burstHeight(index, at: milliseconds, source)
    }
    return max(0, value)
  }

  private func burstHeight(_ index: Int64, at milliseconds: Int64, _ source: Noise) -> Double {
    let every = Double(burstEvery)
    let start = (Double(index) + source.uniform(.burstTime, index) / 2) * every
    let age = Double(milliseconds) - start
    guard age > 0 else { return 0 }
    let share = Self.lowestBurst + (1 - Self.lowestBurst) * source.uniform(.burstHeight, index)
    let rise = Self.riseShare * every
    if age < rise { return burst * share * age / rise }
    return burst * share * exp(-(age - rise) / (Self.decayShare * every))
  }
}

/// A sine around a mean, with a sensor's noise.
struct Wave: Sendable, Hashable {
  var mean: Double
  var amplitude: Double
  var period: Int64
  var noise: Double

  func value(at milliseconds: Int64, noise source: Noise) -> Double {
    let angle = 2 * Double.pi * Double(milliseconds % period) / Double(period)
    return mean + amplitude * sin(angle) + noise * source.triangular(.reading, milliseconds)
  }
}

/// A contact that is on for the first share of each period.
struct Duty: Sendable, Hashable {
  var period: Int64
  /// 0…1.
  var on: Double

  func isOn(at milliseconds: Int64) -> Bool {
    Double(milliseconds % period) < on * Double(period)
  }
}

/// The people in an area: a crew that goes in at the beginning of its shift and comes out at its
/// end. The simulation starts in the middle of a shift.
struct Headcount: Sendable, Hashable {
  var crew: Int
  var shift: Int64

  /// The share of a shift in which the crew goes in, and again in which it comes out.
  private static let changeShare = 0.05
  /// Somebody may be out of the area for a while: at most one, decided anew for each such span.
  private static let errand: Int64 = 120_000
  private static let errandShare = 0.3

  func persons(at milliseconds: Int64, noise: Noise) -> Int {
    let position = Double((milliseconds + shift / 2) % shift) / Double(shift)
    let edge = min(position, 1 - position) / Self.changeShare
    if edge < 1 { return Int(Double(crew) * edge) }
    let away = noise.uniform(.reading, milliseconds / Self.errand) < Self.errandShare ? 1 : 0
    return max(0, crew - away)
  }
}

/// A machine's power: the load while it runs (the first share of each period), else what idles.
struct Power: Sendable, Hashable {
  var idle: Double
  var load: Double
  var noise: Double
  var duty: Duty

  func value(at milliseconds: Int64, noise source: Noise) -> Double {
    let level = duty.isOn(at: milliseconds) ? load : idle
    // A machine at rest has less to waver by, and no power below 0.
    return level + min(noise, level) * source.triangular(.reading, milliseconds)
  }
}

/// A sump: pumped down from high to low in the first share of each period, then filling again. It
/// goes together with a pump contact of the same period and share.
struct Tank: Sendable, Hashable {
  var low: Double
  var high: Double
  var noise: Double
  var pump: Duty

  func value(at milliseconds: Int64, noise source: Noise) -> Double {
    let position = Double(milliseconds % pump.period) / Double(pump.period)
    let full =
      pump.isOn(at: milliseconds)
      ? 1 - position / pump.on : (position - pump.on) / (1 - pump.on)
    let level = low + (high - low) * full
    return max(0, level + noise * source.triangular(.reading, milliseconds))
  }
}

/// A meter's count, which only grows.
struct Counter: Sendable, Hashable {
  var start: Double
  var perHour: Double

  func value(at milliseconds: Int64) -> Double {
    start + perHour * Double(milliseconds) / 3_600_000
  }
}
