internal import ConfigurationFile
internal import Drivers
internal import Telemetry

/// What the file says is to be made of a line's edges.
struct LinePurposeSettings {
  /// What `pulse` says.
  struct Pulse {
    var value: ExactDecimal
    var unit: MeasurementUnit
  }

  /// What `frequency` says; the margin and window are checked with the band.
  struct Frequency {
    var hertz: ValueRange
    var atLowest: Double
    var atHighest: Double
    var marginHertz: Double
    var windowMilliseconds: Int64
  }

  var count: Setting<CountedEdges>
  var pulse: Setting<Pulse>
  var frequency: Setting<Frequency>
  var unit: Setting<MeasurementUnit>
  var range: Setting<ValueRange>
  var decimals: Setting<UInt8>
  var location: Setting<String>

  /// Units of meters that give pulses, and of their change an hour.
  private static let rates: [(total: MeasurementUnit, rate: MeasurementUnit)] = [
    (.kilowattHour, .kilowatt), (.cubicMetre, .cubicMetrePerHour),
  ]
  /// More than any meter's pulse stands for, and far from where the digits of a total end.
  private static let highestPulse = 1_000_000.0
  /// Each period is an interrupt: ten thousand a second are a processor's day.
  private static let highestHertz = 10_000.0
  /// Shorter is noise, longer is no warning.
  private static let windows: ClosedRange<Int64> = 100...60_000
  /// A time that is longer than the slowest signal's period by less may hold no two edges of it.
  private static let periodsToTell = 2.0
  /// 10 Hz of a sensor that gives 200 Hz at least.
  private static let usualMargin = 0.05
  /// A range has so many steps at least where nothing is said of decimals.
  private static let usualSteps = 10_000.0

  /// Takes the keys of a line.
  static func read(_ line: MappingReader) -> LinePurposeSettings {
    LinePurposeSettings(
      count: Setting(line.take("count")) { $0.choice(CountedEdges.self, "an edge") },
      pulse: Setting(line.take("pulse")) { $0.mapping(pulse) },
      frequency: Setting(line.take("frequency")) { $0.mapping(frequency) },
      unit: Setting(line.take("unit")) { $0.measurementUnit() },
      range: Setting(line.take("range")) { PointSettings.range($0) },
      decimals: Setting(line.take("decimals")) {
        $0.integer(in: 0...Int64(PointDescription.mostDecimals)).map { UInt8($0) }
      },
      location: Setting(line.take("location")) { $0.text("a place in the mine") })
  }

  private static func pulse(_ pulse: MappingReader) -> Pulse? {
    let valuePlace = pulse.require("value", "what a pulse stands for, such as 0.01,")
    let unitPlace = pulse.require("unit", "kWh or m3")
    let value = valuePlace?.decimal()
    let unit = unitPlace?.measurementUnit()
    if let value, value.mantissa <= 0 {
      valuePlace?.refuse("is not above 0", "what a pulse adds is expected")
      return nil
    }
    if let value, value.approximate > highestPulse {
      valuePlace?.refuse("is above \(plainText(highestPulse))", "what a pulse adds is expected")
      return nil
    }
    guard let value, let unit else { return nil }
    guard rates.contains(where: { $0.total == unit }) else {
      unitPlace?.refuse(
        "a meter of \(unit.rawValue) has no rate an hour here", "kWh or m3 is expected")
      return nil
    }
    return Pulse(value: value, unit: unit)
  }

  private static func frequency(_ frequency: MappingReader) -> Frequency? {
    let hertzPlace = frequency.require("hz", "the sensor's band such as [200, 1000]")
    let hertz = hertzPlace.flatMap {
      PointSettings.range($0, of: "two frequencies such as [200, 1000]")
    }
    let valuesPlace = frequency.require("value", "what its ends stand for, such as [0, 15],")
    let values = valuesPlace.flatMap(ends)
    let margin = Setting(frequency.take("margin")) { $0.decimal() }
    let window = Setting(frequency.take("window")) { $0.duration(in: windows) }
    guard let hertz, let values, !margin.isRefused, !window.isRefused else { return nil }
    guard hertz.lower > 0, hertz.upper <= highestHertz else {
      hertzPlace?.refuse(
        "is outside 0…\(Int64(highestHertz)) Hz", "frequencies above 0 and within are expected")
      return nil
    }
    let marginHertz = margin.value?.approximate ?? hertz.lower * usualMargin
    if let place = margin.place, !(0..<hertz.lower).contains(marginHertz) {
      place.refuse(
        marginHertz < 0 ? "is negative" : "would take a signal that stands still for a value",
        "0 or more and less than \(plainText(hertz.lower)) is expected")
      return nil
    }
    let shortest = shortestToTell(hertz)
    let milliseconds = window.value ?? max(1000, shortest)
    guard milliseconds >= shortest, milliseconds <= windows.upperBound else {
      (window.place ?? hertzPlace)?.refuse(
        "less than two periods of \(plainText(hertz.lower)) Hz fit in "
          + durationText(milliseconds: min(milliseconds, windows.upperBound)),
        shortest <= windows.upperBound
          ? "\(durationText(milliseconds: shortest)) or more is expected"
          : "a faster signal is expected")
      return nil
    }
    return Frequency(
      hertz: hertz, atLowest: values.0, atHighest: values.1, marginHertz: marginHertz,
      windowMilliseconds: milliseconds)
  }

  /// Two numbers that differ; the second may be the smaller.
  private static func ends(_ value: ConfigurationValue) -> (Double, Double)? {
    guard let ends = value.list(2...2, of: "two numbers such as [0, 15]") else { return nil }
    let numbers = ends.compactMap { $0.decimal()?.approximate }
    guard numbers.count == 2 else { return nil }
    guard numbers[0] != numbers[1] else {
      value.refuse("both ends are the same", "[at the lowest, at the highest] is expected")
      return nil
    }
    return (numbers[0], numbers[1])
  }

  /// Milliseconds.
  private static func shortestToTell(_ hertz: ValueRange) -> Int64 {
    Int64((periodsToTell * 1000 / hertz.lower).rounded(.up))
  }
}

// MARK: What they mean together

extension LinePurposeSettings {
  /// The purpose with its points; `nil` after a problem.
  /// - Parameter line: For problems of the whole.
  func purpose(
    of line: ConfigurationValue, debounce: Setting<Int64>, every: Setting<Int64>
  ) -> (purpose: LinePurpose, points: [PointDescription])? {
    let isConsistent = [
      isOneThing(), fits(debounce: debounce), fits(every: every), isFoundAtStart(every),
      hasUnits(line), fitsRange(),
    ].allSatisfy { $0 }
    let isRefused =
      count.isRefused || pulse.isRefused || frequency.isRefused || unit.isRefused
      || range.isRefused || decimals.isRefused || location.isRefused
    guard isConsistent, !isRefused else { return nil }
    if let frequency = frequency.value {
      let scale = FrequencyScale(
        hertz: frequency.hertz, atLowest: frequency.atLowest, atHighest: frequency.atHighest,
        marginHertz: frequency.marginHertz, windowMilliseconds: frequency.windowMilliseconds)
      return (.frequency(scale), frequencyPoints(frequency))
    }
    let value = point(LinePoint.value, .bool)
    guard let count = count.value else { return (.level, [value]) }
    let counted = point(LinePoint.count, .uint64, unit: .count)
    guard let pulse = pulse.value else {
      return (.count(count, meter: nil), [value, counted])
    }
    let meter = PulseMeter(valuePerPulse: DecimalNumber(pulse.value))
    let rate = Self.rates.first { $0.total == pulse.unit }?.rate
    return (
      .count(count, meter: meter),
      [
        value, counted, point(LinePoint.total, .uint64, unit: pulse.unit),
        point(LinePoint.rate, .float64, unit: rate),
      ]
    )
  }

  private func frequencyPoints(_ frequency: Frequency) -> [PointDescription] {
    let span = (frequency.atHighest - frequency.atLowest).magnitude
    var usual: UInt8 = 0
    var step = 1.0
    while span / step < Self.usualSteps, usual < PointDescription.mostDecimals {
      usual += 1
      step /= 10
    }
    var value = point(LinePoint.value, .float64, unit: unit.value)
    value.range = range.value
    value.decimals = decimals.value ?? usual
    return [value, point(LinePoint.frequency, .float64, unit: .hertz)]
  }

  private func point(
    _ name: String, _ type: PointType, unit: MeasurementUnit? = nil
  ) -> PointDescription {
    PointDescription(name: name, type: type.rawValue, unit: unit, location: location.value)
  }

  private func isOneThing() -> Bool {
    if let place = pulse.place, count.isAbsent {
      place.refuse(
        "says not which edge is a pulse", "count: rising, falling or both is expected beside it")
      return false
    }
    guard !frequency.isAbsent, let place = count.place else { return true }
    place.refuse(
      "a line that gives a frequency is not counted", "one of count and frequency is expected")
    return false
  }

  /// A debounce that passes a period is none, and one that does not stops the signal.
  private func fits(debounce: Setting<Int64>) -> Bool {
    guard !frequency.isAbsent, let place = debounce.place, debounce.value != 0 else { return true }
    place.refuse(
      "means nothing for a frequency: it would take the signal for bouncing", "leave it out")
    return false
  }

  private func fits(every: Setting<Int64>) -> Bool {
    guard let hertz = frequency.value?.hertz, !every.isRefused else { return true }
    let milliseconds = every.value ?? 1000
    let shortest = Self.shortestToTell(hertz)
    guard milliseconds < shortest else { return true }
    (every.place ?? frequency.place)?.refuse(
      "every \(durationText(milliseconds: milliseconds)) is shorter than two periods of "
        + "\(plainText(hertz.lower)) Hz",
      "every of \(durationText(milliseconds: shortest)) or more is expected")
    return false
  }

  /// Whether a start finds the total that it goes on from.
  private func isFoundAtStart(_ every: Setting<Int64>) -> Bool {
    let longest = LineSection.longestCountInterval
    guard !count.isAbsent, let milliseconds = every.value, milliseconds > longest else {
      return true
    }
    every.place?.refuse(
      "\(durationText(milliseconds: milliseconds)) is longer than a start looks back for a total",
      "\(durationText(milliseconds: longest)) or less is expected with count")
    return false
  }

  private func hasUnits(_ line: ConfigurationValue) -> Bool {
    if !frequency.isAbsent {
      guard case .absent = unit else { return true }
      line.refuse("has no unit of measure", "unit is expected, such as m/s, beside frequency")
      return false
    }
    let kind = count.isAbsent ? "a contact" : "a count"
    let strays = [
      ("unit", unit.place), ("range", range.place), ("decimals", decimals.place),
    ]
    var isPlain = true
    for case (let key, let place?) in strays {
      let expected =
        key == "unit" && !count.isAbsent
        ? "leave it out, or pulse: { value: 0.01, unit: kWh } is expected" : "leave it out"
      place.refuse("\(key) means nothing for \(kind)", expected)
      isPlain = false
    }
    return isPlain
  }

  /// A range that no value lies in makes each one bad.
  private func fitsRange() -> Bool {
    guard let wanted = range.value, let place = range.place, let scale = frequency.value else {
      return true
    }
    let ends = [scale.atLowest, scale.atHighest].sorted()
    guard wanted.upper < ends[0] || wanted.lower > ends[1] else { return true }
    place.refuse(
      "no value can lie in it: the sensor gives \(plainText(ends[0]))…\(plainText(ends[1]))",
      "a range of the values is expected")
    return false
  }
}

/// Without the fraction that most limits have not.
func plainText(_ number: Double) -> String {
  Int64(exactly: number).map(String.init) ?? number.description
}
