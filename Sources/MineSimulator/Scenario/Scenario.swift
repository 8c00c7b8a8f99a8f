internal import Telemetry

/// What a scenario file says, checked: indexes are valid, names unique, addresses within a table.
struct Scenario: Sendable, Hashable {
  /// The same seed and time give the same values.
  var seed: UInt64
  /// In file order, repeated ones one after the other.
  var stations: [Station]
  var devices: [SimulatedDevice]
  var faults: [Fault]
}

/// A Modbus TCP listener or a serial line, with slaves behind it.
struct Station: Sendable, Hashable {
  var name: String
  /// 0: the kernel chooses one; without meaning on a serial line.
  var port: UInt16
  /// `nil` for a listener.
  var line: SimulatedLine?
  /// Only for the agent's configuration.
  var timeoutMilliseconds: Int64?
}

/// A serial line that ends in a pseudo-terminal.
struct SimulatedLine: Sendable, Hashable {
  var settings: LineSettings
  /// The path by which an agent finds the terminal; `nil` until the command line has said.
  var link: String?
}

/// A slave of a station.
struct SimulatedDevice: Sendable, Hashable {
  var name: String
  /// Index into the scenario's stations.
  var station: Int
  var unit: UInt8
  /// Only for the agent's configuration.
  var everyMilliseconds: Int64
  /// What it takes to answer; 0: at once.
  var delayMilliseconds: Int64
  var points: [SimulatedPoint]
  /// For each point what only the agent's configuration says of it.
  var notes: [PointNotes]
}

/// What the agent has to know of a point and the slave does not.
struct PointNotes: Sendable, Hashable {
  var unit: MeasurementUnit?
  /// Lower and upper limit.
  var range: [DecimalNumber]?
  var location: String?
  /// What its numbers mean.
  var states: [Int64: String]?
}

/// Something that goes wrong for a while.
struct Fault: Sendable, Hashable {
  enum Target: Sendable, Hashable {
    /// Index into the scenario's devices.
    case device(Int)
    /// Index into the scenario's stations: all its devices.
    case station(Int)
  }

  enum Kind: Sendable, Hashable {
    /// No answer at all.
    case silent
    /// An exception answer with this code.
    case exception(UInt8)
    /// The right answer, too late.
    case late(milliseconds: Int64)
    /// The connection closes in the middle of an answer; a serial port goes away and returns.
    case cut
    /// Connections close and new ones are refused, a serial port is away; only for stations.
    case refuse
  }

  var target: Target
  /// Milliseconds since `ready`, the end not included.
  var during: Range<Int64>
  var kind: Kind
}

extension [Fault] {
  /// What befalls a request to a device; where several faults do, the first of the file.
  func befalling(device: Int, station: Int, at milliseconds: Int64) -> Fault.Kind? {
    first { fault in
      fault.during.contains(milliseconds) && fault.kind != .refuse
        && (fault.target == .device(device) || fault.target == .station(station))
    }?.kind
  }

  /// Whether a station accepts no connections.
  func refuse(station: Int, at milliseconds: Int64) -> Bool {
    contains { fault in
      fault.kind == .refuse && fault.target == .station(station)
        && fault.during.contains(milliseconds)
    }
  }

  /// When a station next begins or ceases to refuse; `nil`: never again.
  func nextRefusalChange(after milliseconds: Int64) -> Int64? {
    filter { $0.kind == .refuse }
      .flatMap { [$0.during.lowerBound, $0.during.upperBound] }
      .filter { $0 > milliseconds }
      .min()
  }
}
