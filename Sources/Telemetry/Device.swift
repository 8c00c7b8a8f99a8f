/// What a subscriber has to know of a point to read its numbers; published as `points/<digest>`.
public struct PointDescription: Sendable, Hashable {
  /// The point's name within its device.
  public var name: String
  /// The type as the configuration names it, such as `float32` or `bool`.
  public var type: String
  /// `nil` for points that count nothing, such as contacts.
  public var unit: MeasurementUnit?
  /// The range outside which a reading is bad; the limits as the configuration prints them.
  public var range: ValueRange?
  /// Where it is in the mine, in the operator's words.
  public var location: String?
  /// Decimals that values can be rounded to: a float of 32 bits has no more digits.
  public static let mostDecimals: UInt8 = 9

  /// How many decimals its values are rounded to; `nil` for as many as were measured.
  public var decimals: UInt8?
  /// What its numbers mean, for one that tells states apart; any other number is no good value.
  public var enumeration: [Int64: String]?
  /// `nil`: every reading is reported.
  public var report: ReportRule?

  /// Makes a description; all but name and type may be absent.
  public init(
    name: String, type: String, unit: MeasurementUnit? = nil, range: ValueRange? = nil,
    location: String? = nil, decimals: UInt8? = nil, enumeration: [Int64: String]? = nil,
    report: ReportRule? = nil
  ) {
    self.name = name
    self.type = type
    self.unit = unit
    self.range = range
    self.location = location
    self.decimals = decimals
    self.enumeration = enumeration
    self.report = report
  }

  /// What `value` means, of a point that tells states apart.
  public func meaning(of value: Value) -> String? {
    switch value {
    case .int(let number): enumeration?[number]
    case .uint(let number): Int64(exactly: number).flatMap { enumeration?[$0] }
    case .bool, .float32, .float64, .decimal, .text: nil
    }
  }
}

/// Limits that include their ends.
public struct ValueRange: Sendable, Hashable {
  /// The smallest good value.
  public var lower: Double
  /// The largest good value.
  public var upper: Double

  /// Makes a range; `lower` must not exceed `upper`.
  public init(lower: Double, upper: Double) {
    self.lower = lower
    self.upper = upper
  }

  /// Whether `value` lies within the limits; never for a value that is not a number.
  public func contains(_ value: Double) -> Bool { value >= lower && value <= upper }
}

/// A device and the names of its points, in the order that samples index them by. Shared by
/// reference, because every sample names its device.
public final class DeviceSchema: Sendable, Hashable {
  /// The device's name, unique among devices, lines and areas.
  public let name: String
  /// The names of its points; `PointOutcome.point` is an index into it.
  public let points: [String]

  /// Makes a schema from names that the configuration checked.
  public init(name: String, points: [String]) {
    self.name = name
    self.points = points
  }

  /// Two schemas are the same if they name the same things.
  public static func == (left: DeviceSchema, right: DeviceSchema) -> Bool {
    left === right || (left.name == right.name && left.points == right.points)
  }

  /// Hashes the name only: it tells devices apart, and every append looks its samples' devices up.
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// A device with what its points are, for the definitions that subscribers get.
public struct DeviceDescription: Sendable, Hashable {
  /// The device's name.
  public var name: String
  /// Its points, in the order of its `DeviceSchema`.
  public var points: [PointDescription]

  /// Makes a description of a device.
  public init(name: String, points: [PointDescription]) {
    self.name = name
    self.points = points
  }
}
