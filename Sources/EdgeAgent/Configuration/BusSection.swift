internal import ConfigurationFile
internal import Drivers

/// The `buses` section. A refused bus keeps its name, so that its devices are not reported too.
struct BusSection {
  /// A thread and a connection a bus; more do not fit a board's descriptors and memory.
  static let maximumBuses = 64
  /// Well-known port of Modbus TCP.
  static let standardPort: UInt16 = 502
  /// As many as buses may share a station; most stations take one to five connections.
  static let maximumConnections: Int64 = 8

  /// The names of all buses, also of refused ones.
  private(set) var names: Set<String> = []
  private var buses: [ModbusBusDefinition] = []

  /// A bus as it was found.
  private struct Found {
    var name: String
    var place: ConfigurationValue
    var bus: ModbusBusDefinition?
    /// How many connections its station takes.
    var connections: Int64
  }

  /// Decodes the section; without one there are no buses. `ports` knows what the board calls its
  /// serial ports.
  init(_ section: ConfigurationValue?, ports: SerialPorts) {
    var ports = ports
    let found = section?.mapping { mapping in
      mapping.takeNamed().map { Self.read($0.name, $0.value, &ports) }
    }
    guard let found else { return }
    if found.count > Self.maximumBuses {
      section?.refuse("has \(found.count) buses", "at most \(Self.maximumBuses) are expected")
    }
    names = Set(found.map(\.name))
    buses = found.compactMap(\.bus)
    Self.refuseSharedStations(found)
  }

  /// Two buses to one station do not know of each other's requests: many stations take one
  /// connection only. The line behind a serial server has one master.
  private static func refuseSharedStations(_ found: [Found]) {
    struct Station: Hashable {
      var host: String
      var port: UInt16
    }
    var owners: [Station: [Found]] = [:]
    for entry in found {
      let station: Station
      switch entry.bus?.endpoint {
      case .tcp(let host, let port)?: station = Station(host: host.lowercased(), port: port)
      case .rtuOverTCP(let server)?:
        station = Station(host: server.host.lowercased(), port: server.port)
      case .rtu?, nil: continue
      }
      owners[station, default: []].append(entry)
      guard let all = owners[station], all.count > 1 else { continue }
      let what = "has host and port in common with \(all[0].name)"
      if all.contains(where: { $0.bus?.endpoint.framesAsRTU == true }) {
        entry.place.refuse(what, "one bus a serial server is expected: its line has one master")
      } else if all.contains(where: { $0.connections == 1 }) {
        entry.place.refuse(
          what,
          "one bus a station is expected, with all its units, or connections: \(all.count) on each")
      } else if entry.connections != all[0].connections {
        entry.place.refuse(
          "\(what), which says connections: \(all[0].connections)",
          "a station takes one number of connections: the same is expected")
      } else if all.contains(where: { $0.connections < all.count }) {
        entry.place.refuse(what, "no more buses than connections are expected")
      }
    }
  }

  /// The buses, each with its devices, in the file's order.
  func definitions(with devices: [PlacedDevice]) -> [ModbusBusDefinition] {
    let byBus = Dictionary(grouping: devices, by: \.bus)
    return buses.map { bus in
      var bus = bus
      bus.devices = byBus[bus.name, default: []].map(\.device)
      return bus
    }
  }

  private static func read(
    _ name: String, _ value: ConfigurationValue, _ ports: inout SerialPorts
  ) -> Found {
    var found = Found(name: name, place: value, bus: nil, connections: 1)
    found.bus = value.mapping { bus in
      let (tcp, rtu, server) = (bus.take("tcp"), bus.take("rtu"), bus.take("rtu-over-tcp"))
      let timeout = bus.take("timeout").map { $0.duration(in: 10...60_000) } ?? 1000
      let manners = BusManners(bus, isSerial: rtu != nil)
      let connections = Setting(bus.take("connections")) { $0.integer(in: 1...maximumConnections) }
      if let place = connections.place, tcp == nil {
        place.refuse("only a station over tcp takes several connections", "it is not expected here")
      }
      found.connections = connections.value ?? 1
      let endpoint =
        tcp.map { $0.mapping(tcpEndpoint) }
        ?? rtu.map { $0.mapping { line in ports.line(line, of: name).map(ModbusEndpoint.rtu) } }
        ?? server.map { $0.mapping(serverEndpoint) }
      switch [tcp, rtu, server].compactMap(\.self).count {
      case 0:
        bus.value.refuse(
          "says not how it is reached",
          "tcp: { host, port }, rtu: { port, baud } or rtu-over-tcp: { host, port } is expected")
      case 1: break
      default: bus.value.refuse("is reached in two ways", "one is expected")
      }
      guard let endpoint = endpoint ?? nil, let timeout, let manners else { return nil }
      return ModbusBusDefinition(
        name: name, endpoint: endpoint, timeoutMilliseconds: timeout, devices: [],
        manners: manners)
    }
    return found
  }

  private static func tcpEndpoint(_ tcp: MappingReader) -> ModbusEndpoint? {
    let host = tcp.require("host", "a name or an address")?.host()
    let port = tcp.take("port").map { $0.port() } ?? standardPort
    guard let host, let port else { return nil }
    return .tcp(host: host, port: port)
  }

  private static func serverEndpoint(_ server: MappingReader) -> ModbusEndpoint? {
    let host = server.require("host", "a name or an address")?.host()
    let port = server.require("port", "the server's port of the line")?.port()
    let baud = Setting(server.take("baud")) { $0.baud() }
    let echoes = server.take("echo").map { $0.boolean() } ?? false
    guard let host, let port, let echoes else { return nil }
    if case .refused = baud { return nil }
    return .rtuOverTCP(RTUOverTCP(host: host, port: port, baud: baud.value, echoes: echoes))
  }
}

extension ConfigurationValue {
  /// A TCP port.
  func port() -> UInt16? { integer(in: 1...65_535).map { UInt16($0) } }

  /// A speed of a serial line.
  func baud() -> Int? {
    choice(SerialLine.bauds.map(String.init), "a speed of the line").flatMap { Int($0) }
  }

  /// A host name, an IPv4 address or an IPv6 address.
  func host() -> String? {
    guard let text = text("a name or an address") else { return nil }
    guard let fault = hostFault(text) else { return text }
    refuse(fault.what, fault.expected ?? "a name or an address without port is expected")
    return nil
  }
}
