public import Telemetry

/// Where a GPIO line is.
public enum LineAddress: Sendable, Hashable {
  /// A line by its number on a chip; the chip by its label, its name (`gpiochip0`, which the kernel
  /// may give to another one at the next boot) or its device's path.
  case offset(chip: String, offset: UInt32)
  /// A line by the name that the board's device tree gives it; the chip as above, where several
  /// chips have lines of that name.
  case name(String, chip: String? = nil)
}

/// What holds an input at a level while nothing drives it.
public enum LineBias: String, Sendable, Hashable, CaseIterable {
  /// Whatever it was set to before, by firmware or device tree.
  case asIs = "as-is"
  /// Nothing.
  case none = "none"
  case pullUp = "pull-up"
  case pullDown = "pull-down"
}

/// Which edges count; of the input as it is meant, so an active-low line rises when its voltage
/// falls.
public enum CountedEdges: String, Sendable, Hashable, CaseIterable {
  case rising, falling, both
}

/// What a pulse stands for, of a meter that gives some a kilowatt hour or cubic metre.
public struct PulseMeter: Sendable, Hashable {
  /// What one pulse adds to the total, in the unit of the point `total`; above 0.
  public var valuePerPulse: DecimalNumber

  /// Makes a meter.
  public init(valuePerPulse: DecimalNumber) { self.valuePerPulse = valuePerPulse }
}

/// How a frequency stands for a value: linear from the ends of `hertz` to those of `value`.
public struct FrequencyScale: Sendable, Hashable {
  /// The band in hertz that the sensor gives while it works, such as 200…1000.
  public var hertz: ValueRange
  /// What stands for the ends of the band, such as 0…15 m/s; may fall.
  public var atLowest: Double
  /// See `atLowest`.
  public var atHighest: Double
  /// How far beyond the band a frequency is still a value, in hertz.
  public var marginHertz: Double
  /// How long a time is looked at for one value, in milliseconds.
  public var windowMilliseconds: Int64

  /// Makes a scale.
  public init(
    hertz: ValueRange, atLowest: Double, atHighest: Double, marginHertz: Double,
    windowMilliseconds: Int64
  ) {
    self.hertz = hertz
    self.atLowest = atLowest
    self.atHighest = atHighest
    self.marginHertz = marginHertz
    self.windowMilliseconds = windowMilliseconds
  }
}

/// What is made of a line's edges.
public enum LinePurpose: Sendable, Hashable {
  /// A contact: its point is `value`, a bool.
  case level
  /// Edges counted: `value` and `count`; of a meter also `total` and `rate` (an hour).
  case count(CountedEdges, meter: PulseMeter?)
  /// A mine sensor's frequency: `value` and `frequency`.
  case frequency(FrequencyScale)
}

/// A GPIO input as configured. To subscribers it is a device of its own.
public struct LineDefinition: Sendable, Hashable {
  /// The configured name.
  public var name: String
  /// Where it is.
  public var address: LineAddress
  /// The name on the board's case, if it was configured by that.
  public var label: String?
  /// Whether a low voltage is the active state.
  public var isActiveLow: Bool
  /// What holds it.
  public var bias: LineBias
  /// How long a level has to hold before it is taken for one; 0: no debounce.
  public var debounceMilliseconds: Int64
  /// Milliseconds between samples; changes come between them.
  public var everyMilliseconds: Int64
  /// What is made of its edges.
  public var purpose: LinePurpose
  /// Whether a contact is of no use where it can only be sampled: people pass a gate between two
  /// samples. Counts and frequencies never are.
  public var needsEdges: Bool
  /// Its points, in the order in which samples index them: see `LinePurpose`.
  public var points: [PointDescription]

  /// Makes a definition.
  public init(
    name: String, address: LineAddress, label: String? = nil, isActiveLow: Bool = false,
    bias: LineBias = .asIs, debounceMilliseconds: Int64 = 0, everyMilliseconds: Int64 = 1000,
    purpose: LinePurpose = .level, needsEdges: Bool = false, points: [PointDescription]
  ) {
    self.name = name
    self.address = address
    self.label = label
    self.isActiveLow = isActiveLow
    self.bias = bias
    self.debounceMilliseconds = debounceMilliseconds
    self.everyMilliseconds = everyMilliseconds
    self.purpose = purpose
    self.needsEdges = needsEdges
    self.points = points
  }
}

/// The names of a line's points, as the contract has them.
public enum LinePoint {
  /// The level, or what a frequency stands for.
  public static let value = "value"
  /// Edges counted since the count began.
  public static let count = "count"
  /// Of a meter: what the pulses stand for.
  public static let total = "total"
  /// Of a meter: the total's change an hour.
  public static let rate = "rate"
  /// In hertz.
  public static let frequency = "frequency"

  /// The points of a line of that purpose, in order.
  public static func names(of purpose: LinePurpose) -> [String] {
    switch purpose {
    case .level: [value]
    case .count(_, meter: nil): [value, count]
    case .count: [value, count, total, rate]
    case .frequency: [value, frequency]
    }
  }
}

/// A debounced change of an input, for what is made of several lines.
public struct LineTransition: Sendable, Hashable {
  /// The line's configured name.
  public var line: String
  /// Whether it is active since then.
  public var isActive: Bool
  /// When the kernel saw it.
  public var time: Timestamp

  /// Makes one.
  public init(line: String, isActive: Bool, time: Timestamp) {
    self.line = line
    self.isActive = isActive
    self.time = time
  }
}

/// Where GPIO inputs hand over what they see; like a `SampleSink` it never blocks and never fails.
public protocol LineSink: SampleSink {
  /// A change, in the order of the kernel's times over all lines that one wake-up read. It comes
  /// before the sample of the same edge.
  func accept(_ transition: LineTransition)
  /// From now on the line can't be read, for that reason, or can again (`nil`). Said once at the
  /// start, before the line's first sample, and at each change.
  func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp)
}
