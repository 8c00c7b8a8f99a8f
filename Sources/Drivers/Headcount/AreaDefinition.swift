public import Telemetry

/// What counts people through one opening of an area.
public enum GateSensors: Sendable, Hashable {
  /// A line that is active once for each person, for either direction or one of them.
  case turnstile(enter: String?, leave: String?)
  /// Two light barriers that overlap, active while interrupted: whose is interrupted first tells
  /// the direction.
  case beams(outer: String, inner: String)

  /// The lines it is made of.
  public var lines: [String] {
    switch self {
    case .turnstile(let enter, let leave): [enter, leave].compactMap { $0 }
    case .beams(let outer, let inner): [outer, inner]
    }
  }
}

/// An opening of an area.
public struct GateDefinition: Sendable, Hashable {
  /// Its name, which is that of its point: `gate-1` and so on unless it was given one.
  public var name: String
  /// What it is made of.
  public var sensors: GateSensors

  /// Makes a gate.
  public init(name: String, sensors: GateSensors) {
    self.name = name
    self.sensors = sensors
  }
}

/// A device's point that states how many people are in an area.
public struct PointReference: Sendable, Hashable {
  /// The device's configured name.
  public var device: String
  /// The point's name.
  public var point: String
  /// Milliseconds between its readings.
  public var everyMilliseconds: Int64

  /// Makes a reference.
  public init(device: String, point: String, everyMilliseconds: Int64) {
    self.device = device
    self.point = point
    self.everyMilliseconds = everyMilliseconds
  }
}

/// An area whose people are counted. To subscribers it is a device of its own.
public struct AreaDefinition: Sendable, Hashable {
  /// The configured name.
  public var name: String
  /// Its openings; their balance is one source of its count.
  public var gates: [GateDefinition]
  /// What states parts of it; their sum is the other source.
  public var reported: [PointReference]
  /// How many people may be there; `nil` where there is no limit.
  public var quota: Int64?
  /// Milliseconds between samples; changes come between them.
  public var everyMilliseconds: Int64
  /// Its points, in the order in which samples index them: see `AreaPoint`.
  public var points: [PointDescription]

  /// Makes a definition.
  public init(
    name: String, gates: [GateDefinition], reported: [PointReference], quota: Int64? = nil,
    everyMilliseconds: Int64 = 1000, points: [PointDescription]
  ) {
    self.name = name
    self.gates = gates
    self.reported = reported
    self.quota = quota
    self.everyMilliseconds = everyMilliseconds
    self.points = points
  }
}

/// The names of an area's points.
public enum AreaPoint {
  /// How many people are there: the larger of `balance` and `reported`, because to miss one is the
  /// dangerous error. Bad while any source is lost.
  public static let count = "count"
  /// How many may be there.
  public static let quota = "quota"
  /// Seconds since the source that is oldest was last known to be good.
  public static let age = "age"
  /// What the gates say.
  public static let balance = "balance"
  /// What the devices' points say, in sum.
  public static let reported = "reported"

  /// The points of an area, in order: `count`, `quota` where it has one, `age`, `balance` and each
  /// gate's by its name where it has gates, `reported` where it has points.
  public static func names(
    gates: [GateDefinition], hasReported: Bool, hasQuota: Bool
  ) -> [String] {
    [count] + (hasQuota ? [quota] : []) + [age]
      + (gates.isEmpty ? [] : [balance] + gates.map(\.name)) + (hasReported ? [reported] : [])
  }
}
