internal import ConfigurationFile
internal import Drivers

/// The `buses` section. A refused bus keeps its name, so that its devices are not reported too.
struct BusSection {
  /// A thread and a connection a bus; more do not fit a board's descriptors and memory.
  static let maximumBuses = 64
  /// Well-known port of Modbus TCP.
  static let standardPort: UInt16 = 502

  /// The names of all buses, also of refused ones.
  private(set) var names: Set<String> = []
  private var buses: [ModbusBusDefinition] = []

  /// Decodes the section; without one there are no buses. `ports` knows what the board calls its
  /// serial ports.
  init(_ section: ConfigurationValue?, ports: SerialPorts) {
    var ports = ports
    let found = section?.mapping { mapping in
      mapping.takeNamed().map { name, value in
        (name: name, place: value, bus: Self.definition(name, value, &ports))
      }
    }
    guard let found else { return }
    if found.count > Self.maximumBuses {
      section?.refuse("has \(found.count) buses", "at most \(Self.maximumBuses) are expected")
    }
    names = Set(found.map(\.name))
    buses = found.compactMap(\.bus)
    refuseSharedStations(found.map { ($0.place, $0.bus) })
  }

  /// Two buses to one station would not know of each other's requests: many stations take one
  /// connection only, and a gateway to a line answers them in any order.
  private func refuseSharedStations(
    _ found: [(place: ConfigurationValue, bus: ModbusBusDefinition?)]
  ) {
    struct Station: Hashable {
      var host: String
      var port: UInt16
    }
    var owners: [Station: String] = [:]
    for case (let place, let bus?) in found {
      guard case .tcp(let host, let port) = bus.endpoint else { continue }
      let station = Station(host: host.lowercased(), port: port)
      if let other = owners[station] {
        place.refuse(
          "has host and port in common with \(other)",
          "one bus a station is expected, with all its units")
      }
      owners[station] = owners[station] ?? bus.name
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

  private static func definition(
    _ name: String, _ value: ConfigurationValue, _ ports: inout SerialPorts
  ) -> ModbusBusDefinition? {
    value.mapping { bus in
      let (tcp, rtu, unbuilt) = (bus.take("tcp"), bus.take("rtu"), bus.take("rtu-over-tcp"))
      unbuilt?.refuseAsUnsupported(nil, "tcp or rtu is expected")
      let timeout = bus.take("timeout").map { $0.duration(in: 10...60_000) } ?? 1000
      let endpoint =
        tcp.map { $0.mapping(tcpEndpoint) }
        ?? rtu.map { $0.mapping { line in ports.line(line, of: name).map(ModbusEndpoint.rtu) } }
      switch [tcp, rtu, unbuilt].compactMap(\.self).count {
      case 0:
        bus.value.refuse(
          "says not how it is reached", "tcp: { host, port } or rtu: { port, baud } is expected")
      case 1: break
      default: bus.value.refuse("is reached in two ways", "one is expected")
      }
      guard let endpoint = endpoint ?? nil, let timeout else { return nil }
      return ModbusBusDefinition(
        name: name, endpoint: endpoint, timeoutMilliseconds: timeout, devices: [])
    }
  }

  private static func tcpEndpoint(_ tcp: MappingReader) -> ModbusEndpoint? {
    let host = tcp.require("host", "a name or an address")?.host()
    let port = tcp.take("port").map { $0.port() } ?? standardPort
    guard let host, let port else { return nil }
    return .tcp(host: host, port: port)
  }
}

extension ConfigurationValue {
  /// A TCP port.
  func port() -> UInt16? { integer(in: 1...65_535).map { UInt16($0) } }

  /// A host name, an IPv4 address or an IPv6 address.
  func host() -> String? {
    guard let text = text("a name or an address") else { return nil }
    guard let fault = hostFault(text) else { return text }
    refuse(fault.what, fault.expected ?? "a name or an address without port is expected")
    return nil
  }
}
