internal import ConfigurationFile

extension Scenario {
  /// A station takes two descriptors; with the server's connections that stays below the default
  /// limit of 1,024.
  static let stationsMax: Int64 = 128
  /// Far beyond the mines and tests that are played: their largest has 16 × 16 points.
  static let devicesMax: Int64 = 1000
  static let pointsMax: Int64 = 1000
  static let faultsMax = 1000

  /// The lengths of time that a scenario may name, in milliseconds; 30 days are longer than any
  /// soak.
  static let durations: ClosedRange<Int64> = 1...30 * 86_400_000

  /// Reads a scenario file, or throws every problem that it has.
  static func load(path: String) throws(ConfigurationProblems) -> Scenario {
    try ConfigurationDocument.decode(path: path, Scenario.init)
  }

  /// Reads a scenario that is at hand already; `file` names it in problems.
  static func decode(_ bytes: [UInt8], file: String) throws(ConfigurationProblems) -> Scenario {
    try ConfigurationDocument.decode(bytes, file: file, Scenario.init)
  }

  private init?(_ root: ConfigurationValue) {
    let scenario = root.mapping { root -> Scenario? in
      let seed = root.take("seed").map { $0.integer(in: 0...Int64.max) } ?? 1
      let stations = root.require("stations", "at least one station")
        .map { StationSection.read($0) }
      let devices = root.require("devices", "at least one device")
        .map { DeviceSection.read($0, stations: stations ?? StationSection()) }
      let faults = root.take("faults")
        .map { FaultSection.read($0, stations: stations, devices: devices) }
      guard let seed, let stations, let devices else { return nil }
      return Scenario(
        seed: UInt64(seed), stations: stations.stations, devices: devices.devices,
        faults: faults ?? [])
    }
    guard let scenario else { return nil }
    self = scenario
  }
}

/// The stations of a file, and how those that devices name are repeated.
struct StationSection {
  var stations: [Station] = []
  /// All names of the file, also of stations that were refused: a device of such a one is not to
  /// be blamed.
  var names: [String] = []
  /// By the name in the file: the first station's index, and how many there are if it is repeated.
  var groups: [String: (first: Int, copies: Int?)] = [:]

  static func read(_ value: ConfigurationValue) -> StationSection {
    var section = StationSection()
    _ = value.mapping { reader in
      let members = reader.takeNamed()
      if members.isEmpty { value.refuse("is empty", "at least one station is expected") }
      for (name, value) in members { section.append(name, value) }
      return ()
    }
    return section
  }

  /// Whether every station of the file is in `groups`.
  var isComplete: Bool { groups.count == names.count }

  private mutating func append(_ name: String, _ value: ConfigurationValue) {
    names.append(name)
    let fields = value.mapping { reader in
      let rtu = reader.take("rtu")
      let port = rtu == nil ? reader.require("port", "a port or rtu") : reader.take("port")
      if rtu != nil { port?.refuse("means nothing on a serial line", "leave it out") }
      return (
        port: rtu == nil ? port.flatMap { $0.integer(in: 1...65_535) } : 0,
        line: rtu.map(LineSection.read),
        copies: Copies(reader, max: Scenario.stationsMax),
        timeout: reader.take("timeout").flatMap { $0.duration(in: Scenario.durations) }
      )
    }
    guard let fields, let port = fields.port else { return }
    if let line = fields.line {
      guard let line else { return }
      appendLines(name, value, line, copies: fields.copies, timeout: fields.timeout)
      return
    }
    let names = fields.copies.names(name)
    guard port + Int64(names.count) - 1 <= 65_535 else {
      value.refuse("its last port would be \(port + Int64(names.count) - 1)", "at most 65535")
      return
    }
    groups[name] = (stations.count, fields.copies.count)
    for (index, name) in names.enumerated() {
      let port = UInt16(port) + UInt16(index)
      if let other = stations.first(where: { $0.line == nil && $0.port == port }) {
        value.refuse("\(name) has port \(port) of \(other.name)", "a port of its own is expected")
      }
      append(
        Station(name: name, port: port, timeoutMilliseconds: fields.timeout), value)
    }
  }

  private mutating func appendLines(
    _ name: String, _ value: ConfigurationValue, _ line: SimulatedLine, copies: Copies,
    timeout: Int64?
  ) {
    if line.link != nil, copies.count != nil {
      value.refuse("one link for several lines", "without link, --ports-directory names them")
    }
    if let other = stations.first(where: { line.link != nil && $0.line?.link == line.link }) {
      value.refuse("has the link of \(other.name)", "a link of its own is expected")
    }
    let names = copies.names(name)
    groups[name] = (stations.count, copies.count)
    for name in names {
      append(Station(name: name, port: 0, line: line, timeoutMilliseconds: timeout), value)
    }
  }

  private mutating func append(_ station: Station, _ value: ConfigurationValue) {
    if stations.contains(where: { $0.name == station.name }) {
      value.refuse("another station is called \(station.name)", "a name of its own is expected")
    }
    stations.append(station)
    if stations.count == Int(Scenario.stationsMax) + 1 {
      value.refuse("is station number \(stations.count)", "at most \(Scenario.stationsMax)")
    }
  }
}

/// `repeat: N` on a station, a device or a point stands for N of them, `name-1` to `name-N`.
struct Copies {
  /// `nil`: not repeated, the name is used as it is.
  var count: Int?

  init(_ reader: MappingReader, max: Int64) {
    count = reader.take("repeat").flatMap { $0.integer(in: 1...max) }.map(Int.init)
  }

  /// The names that the one in the file stands for.
  func names(_ name: String) -> [String] {
    count.map { count in (1...count).map { "\(name)-\($0)" } } ?? [name]
  }
}
