internal import ConfigurationFile

/// What a point of a scenario file measures: one key, the kind of signal, with its parameters.
enum SignalSection {
  static let kinds = [
    "constant", "methane", "wave", "duty", "headcount", "power", "tank", "counter",
  ]

  static func read(_ value: ConfigurationValue) -> Signal? {
    value.mapping { reader in
      let given = kinds.compactMap { kind in reader.take(kind).map { (kind, $0) } }
      guard given.count == 1, let (kind, parameters) = given.first else {
        // A key that is no kind is reported as unknown anyway.
        if given.count > 1 || reader.keys.isEmpty {
          let list = kinds.joined(separator: ", ")
          value.refuse("has \(given.count) signals", "one of \(list) is expected")
        }
        return nil
      }
      return signal(kind, parameters)
    }
  }

  private static func signal(_ kind: String, _ value: ConfigurationValue) -> Signal? {
    if kind == "constant" { return number(value).map(Signal.constant) }
    return value.mapping { reader in
      switch kind {
      case "methane": methane(reader)
      case "wave": wave(reader)
      case "duty": duty(reader).map(Signal.duty)
      case "headcount": headcount(reader)
      case "power": power(reader)
      case "tank": tank(reader)
      default: counter(reader)
      }
    }
  }

  /// Noise that a file does not state, as a share of what the signal moves by: a float that never
  /// changes looks like a sensor that is stuck.
  private static let defaultNoiseShare = 0.02

  private static func methane(_ reader: MappingReader) -> Signal? {
    let base = required("base", reader)
    let noise = optional("noise", reader)
    let burst = optional("burst", reader)
    let every = reader.take("burst-every").map { $0.duration(in: Scenario.durations) } ?? 600_000
    guard let base, let every else { return nil }
    return .methane(
      Methane(
        base: base, noise: noise ?? defaultNoiseShare * base, burst: burst ?? 0,
        burstEvery: every))
  }

  private static func wave(_ reader: MappingReader) -> Signal? {
    let mean = required("mean", reader)
    let amplitude = required("amplitude", reader)
    let period = duration("period", reader)
    let noise = optional("noise", reader)
    guard let mean, let amplitude, let period else { return nil }
    return .wave(
      Wave(
        mean: mean, amplitude: amplitude, period: period,
        noise: noise ?? defaultNoiseShare * amplitude))
  }

  private static func duty(_ reader: MappingReader) -> Duty? {
    let period = duration("period", reader)
    let on = reader.require("on", "a share such as 90%").flatMap { $0.percent(in: 0...100) }
    guard let period, let on else { return nil }
    return Duty(period: period, on: Double(on) / 100)
  }

  private static func headcount(_ reader: MappingReader) -> Signal? {
    let crew = reader.require("crew", "a number of people")
      .flatMap { $0.integer(in: 0...10_000) }
    let shift = duration("shift", reader)
    guard let crew, let shift else { return nil }
    return .headcount(Headcount(crew: Int(crew), shift: shift))
  }

  private static func power(_ reader: MappingReader) -> Signal? {
    let idle = required("idle", reader)
    let load = required("load", reader)
    let noise = optional("noise", reader)
    let duty = duty(reader)
    guard let idle, let load, let duty else { return nil }
    return .power(
      Power(idle: idle, load: load, noise: noise ?? defaultNoiseShare * load, duty: duty))
  }

  private static func tank(_ reader: MappingReader) -> Signal? {
    let low = required("low", reader)
    let high = required("high", reader)
    let noise = optional("noise", reader)
    let pump = duty(reader)
    guard let low, let high, let pump else { return nil }
    guard pump.on > 0, pump.on < 1, low < high else {
      reader.value.refuse("never fills or never empties", "low < high and 1% to 99% are expected")
      return nil
    }
    return .tank(
      Tank(low: low, high: high, noise: noise ?? defaultNoiseShare * (high - low), pump: pump))
  }

  private static func counter(_ reader: MappingReader) -> Signal? {
    let start = required("start", reader)
    let perHour = required("per-hour", reader)
    guard let start, let perHour else { return nil }
    return .counter(Counter(start: start, perHour: perHour))
  }

  private static func required(_ key: String, _ reader: MappingReader) -> Double? {
    reader.require(key, "a number").flatMap(number)
  }

  private static func optional(_ key: String, _ reader: MappingReader) -> Double? {
    reader.take(key).flatMap(number)
  }

  private static func duration(_ key: String, _ reader: MappingReader) -> Int64? {
    reader.require(key, "a duration").flatMap { $0.duration(in: Scenario.durations) }
  }

  private static func number(_ value: ConfigurationValue) -> Double? {
    value.decimal().map {
      DecimalNumber(mantissa: $0.mantissa, decimals: $0.decimals).approximate
    }
  }
}
