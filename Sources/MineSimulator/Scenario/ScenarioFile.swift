internal import ConfigurationFile

extension Scenario {
  /// Listeners, slaves and points that one process plays; the tests need 16 × 1 × 16.
  static let stationsMax: Int64 = 256
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

  private mutating func append(_ name: String, _ value: ConfigurationValue) {
    let fields = value.mapping { reader in
      (
        port: reader.require("port", "a port").flatMap { $0.integer(in: 1...65_535) },
        copies: Copies(reader, max: Scenario.stationsMax),
        timeout: reader.take("timeout").flatMap { $0.duration(in: Scenario.durations) }
      )
    }
    guard let fields, let port = fields.port else { return }
    let names = fields.copies.names(name)
    guard port + Int64(names.count) - 1 <= 65_535 else {
      value.refuse("its last port would be \(port + Int64(names.count) - 1)", "at most 65535")
      return
    }
    groups[name] = (stations.count, fields.copies.count)
    for (index, name) in names.enumerated() {
      let port = UInt16(port) + UInt16(index)
      if let other = stations.first(where: { $0.port == port }) {
        value.refuse("\(name) has port \(port) of \(other.name)", "a port of its own is expected")
      }
      if stations.contains(where: { $0.name == name }) {
        value.refuse("another station is called \(name)", "a name of its own is expected")
      }
      stations.append(
        Station(name: name, port: port, timeoutMilliseconds: fields.timeout))
    }
    if stations.count > Scenario.stationsMax {
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
