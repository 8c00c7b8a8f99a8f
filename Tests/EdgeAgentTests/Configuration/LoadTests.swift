import Buffering
import ConfigurationFile
import Drivers
import Telemetry
import Testing

@testable import EdgeAgent

@Suite("Loading a configuration")
struct LoadTests {
  private let minimal = """
    gateway: { id: gw-1, mine: 0520, region: 520201 }
    uplinks:
      province: { url: mqtt://broker.example }

    """

  @Test("What a file leaves out has the contract's defaults")
  func defaults() throws {
    let configuration = try Fixtures.load(
      text: minimal + """
        buses:
          station: { tcp: { host: 10.20.0.5 } }
        devices:
          fan: { bus: station, unit: 3, points: { wind: { input: 2, type: uint16, unit: none } } }
        """)
    let point = ModbusPoint(
      description: PointDescription(name: "wind", type: "uint16", unit: .dimensionless),
      table: .input, address: 2,
      type: .uint16, everyMilliseconds: 1000)
    let bus = ModbusBusDefinition(
      name: "station", endpoint: .tcp(host: "10.20.0.5", port: 502), timeoutMilliseconds: 1000,
      devices: [ModbusDevice(name: "fan", unit: 3, points: [point])])
    let uplink = UplinkConfiguration(
      name: "province", brokers: [BrokerAddress(host: "broker.example", port: 1883)],
      protocolVersion: .v5, clientID: "gw-1", username: nil, passwordFile: nil,
      topicPrefix: "mine/v1/520201/0520/gw-1", beginning: .live,
      historyRate: .bytesPerSecond(65_536), historySharePercent: 50)
    #expect(
      configuration
        == AgentConfiguration(
          gateway: GatewayConfiguration(
            id: "gw-1", mine: "0520", region: "520201", name: nil, mode: .producing,
            board: "generic"),
          board: BoardDescription(
            description: "Any Linux board", serialPorts: [:], lines: [:]),
          storage: StorageConfiguration(
            directory: "/var/lib/edge-agent", dataBytes: 1_073_741_824, commitMilliseconds: 1000,
            eventBytes: 67_108_864, keepFreeBytes: 67_108_864,
            keepRemovedMilliseconds: 604_800_000),
          controlSocket: "/run/edge-agent/control.sock", buses: [bus], uplinks: [uplink]))
  }

  @Test("Where a new destination begins, and how long a removed one holds data, can be given")
  func destinationLife() throws {
    func load(_ from: String) throws -> AgentConfiguration {
      try Fixtures.load(
        text: """
          gateway: { id: gw-1, mine: "0520", region: "520201" }
          storage: { keep-removed: 36h }
          uplinks: { province: { url: mqtt://broker.example\(from) } }
          """)
    }
    #expect(try load("").storage.keepRemovedMilliseconds == 36 * 3_600_000)
    let beginnings: [(String, DestinationBeginning)] = [
      ("", .live), (", from: live", .live), (", from: all", .everything),
      (", from: 24h", .age(milliseconds: 86_400_000)),
    ]
    for (text, beginning) in beginnings {
      #expect(try load(text).uplinks.map(\.beginning) == [beginning])
    }
    for wrong in ["yesterday", "24", "400d", "[]"] {
      #expect(throws: ConfigurationProblems.self) { try load(", from: \(wrong)") }
    }
  }

  @Test("The contract's example means what the contract says")
  func contract() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/contract.yaml"))
    #expect(configuration.gateway.name == "示例煤矿")
    #expect(configuration.buses.map(\.name) == ["station", "meters"])
    #expect(
      configuration.buses[0].devices.map(\.name) == ["return-air", "face-101", "positioning"])
    #expect(configuration.buses[1].devices.map(\.name) == ["main-meter"])
    #expect(
      configuration.deviceDescriptions.map(\.name) == [
        "return-air", "face-101", "positioning", "main-meter", "main-fan", "gate-in", "gate-out",
        "gfy15", "meter", "outer", "inner", "heading-101", "drift",
      ])

    let ch4 = ModbusPoint(
      description: PointDescription(
        name: "ch4", type: "float32", unit: .percentMethane, range: ValueRange(lower: 0, upper: 4),
        location: "总回风"),
      table: .holding, address: 0, type: .float32, everyMilliseconds: 1000)
    let wind = ModbusPoint(
      description: PointDescription(
        name: "wind", type: "uint16", unit: .metrePerSecond,
        range: ValueRange(lower: 0, upper: 15)),
      table: .input, address: 2, type: .uint16, scale: DecimalNumber(mantissa: 1, decimals: 1),
      everyMilliseconds: 1000)
    let fault = ModbusPoint(
      description: PointDescription(name: "fault", type: "bool"), table: .discrete, address: 5,
      type: .bool, everyMilliseconds: 1000)
    let calibrating = ModbusPoint(
      description: PointDescription(name: "calibrating", type: "bool"), table: .holding,
      address: 9, type: .bit(3), everyMilliseconds: 500)
    let returnAir = configuration.buses[0].devices[0]
    #expect(returnAir.points == [ch4, wind, fault, calibrating])

    let face = configuration.buses[0].devices[1].points[0]
    #expect(face.address == 0)
    #expect(face.scale == DecimalNumber(mantissa: 1, decimals: 2))
    #expect(face.offset == DecimalNumber(mantissa: -5, decimals: 1))
    let meter = configuration.buses[1].devices[0].points
    #expect(meter.count == 14 && meter.allSatisfy { $0.everyMilliseconds == 5000 })

    let province = configuration.uplinks[0]
    #expect(
      province.brokers == [
        BrokerAddress(host: "broker.example", port: 8883),
        BrokerAddress(host: "2001:db8::7", port: 1883),
      ])
    #expect(province.protocolVersion == .v311)
    #expect(province.passwordFile == "/etc/edge-agent/province.password")
    #expect(configuration.uplinks[1].historyRate == .unlimited)
    #expect(configuration.uplinks[1].historySharePercent == 50)
  }

  @Test("A device's point overrides its profile key by key")
  func profileOverride() throws {
    let configuration = try Fixtures.load(
      text: minimal + """
        buses:
          station: { tcp: { host: 10.20.0.5 } }
        devices:
          station-1:
            bus: station
            unit: 3
            profile: example/methane-wind
            points:
              wind: { range: [0, 20], location: 主扇 }
              ch4: { input: 40, every: 2s }
              dust: { input: 8, type: uint16, unit: mg/m3 }
        """)
    let points = try #require(configuration.buses.first?.devices.first?.points)
    #expect(points.map(\.description.name) == ["ch4", "wind", "fault", "dust"])
    #expect(points[0].table == .input && points[0].address == 40)
    #expect(points[0].type == .float32 && points[0].description.unit == .percentMethane)
    #expect(points[0].everyMilliseconds == 2000)
    #expect(points[1].description.range == ValueRange(lower: 0, upper: 20))
    #expect(points[1].scale == DecimalNumber(mantissa: 1, decimals: 1))
    #expect(points[1].description.location == "主扇")
  }

  @Test("A profile's addresses count from the profile's own base")
  func profileBase() throws {
    let configuration = try Fixtures.load(
      text: minimal + """
        buses:
          station: { tcp: { host: 10.20.0.5 } }
        devices:
          station-1:
            bus: station
            unit: 3
            address-base: 1
            profile: example/methane-wind
            points: { fault: { discrete: 6 }, extra: { coil: 1 } }
        """)
    let points = try #require(configuration.buses.first?.devices.first?.points)
    #expect(points.map(\.address) == [0, 2, 5, 0])
  }

  @Test("A gateway without devices loads: its link may be wired before its field side")
  func noDevices() throws {
    let configuration = try Fixtures.load(text: minimal)
    #expect(configuration.buses.isEmpty && configuration.deviceDescriptions.isEmpty)
    #expect(try Fixtures.load(text: minimal + "buses:\ndevices:\n") == configuration)
  }

  @Test("Every problem of all files is reported, the main file's first and by line")
  func order() {
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in
      try Fixtures.load(
        text: """
          uplinks: { province: { url: mqtt://b.example, share: 1 } }
          devices:
            a: { bus: station, unit: 0, profile: broken/sensor }
          buses:
            station: { tcp: { host: 10.20.0.5 }, timeout: soon }
          gateway: { id: gw-1, mine: 0520, region: 520201, mode: closed }
          """)
    }
    let places = lines.map { $0.prefix { $0 != " " } }
    #expect(
      places == [
        "FILE:1:47:", "FILE:3:28:", "FILE:5:49:", "FILE:6:56:",
        "BOARDS/devices/broken/sensor.yaml:3:28:", "BOARDS/devices/broken/sensor.yaml:4:3:",
        "BOARDS/devices/broken/sensor.yaml:4:21:", "BOARDS/devices/broken/sensor.yaml:5:42:",
      ])
  }

  @Test("A small file that names a large profile many times is refused soon")
  func profileAmplification() {
    let devices = (0..<5000).map {
      "  d\($0): { bus: b\($0 / 247), unit: \($0 % 247 + 1), profile: eastron/sdm630 }\n"
    }
    let buses = (0..<21).map { "  b\($0): { tcp: { host: h\($0) } }\n" }
    let text = minimal + "buses:\n" + buses.joined() + "devices:\n" + devices.joined()
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in try Fixtures.load(text: text) }
    #expect(lines.count == 1)
    #expect(lines[0].contains("devices.d4681: takes the file beyond 65536 points"))
  }

  @Test("Thousands of misspelt names are counted soon")
  func manyProblems() {
    let name = { (index: Int) in String(repeating: "x", count: 58) + String(index + 10_000) }
    let buses = (0..<64).map { "  \(name($0)): { tcp: { host: h\($0) } }\n" }
    let devices = (0..<4000).map {
      "  d\($0): { bus: \(name($0 + 500)), unit: 1, \(name($0)): 1 }\n"
    }
    let text = minimal + "buses:\n" + buses.joined() + "devices:\n" + devices.joined()
    let time = ContinuousClock().measure {
      let lines = Fixtures.lines { () throws(ConfigurationProblems) in
        try Fixtures.load(text: text)
      }
      #expect(lines.count == ProblemLog.capacity + 1)
    }
    #expect(time < .seconds(20))
  }

  @Test("Boards come from the environment, else from beside the file, else from the package")
  func boardDirectories() {
    let paths = { (path: String, environment: String?) in
      BoardDirectories(forConfiguration: path, environment: environment).paths
    }
    #expect(
      paths("/etc/edge-agent/agent.yaml", nil)
        == ["/etc/edge-agent/boards", "/usr/share/edge-agent/boards"])
    #expect(paths("agent.yaml", "") == ["boards", "/usr/share/edge-agent/boards"])
    #expect(paths("/agent.yaml", nil) == ["/boards", "/usr/share/edge-agent/boards"])
    #expect(paths("/etc/agent.yaml", "/opt/a:/opt/b") == ["/opt/a", "/opt/b"])
  }

  @Test("The generic board needs no file, another board does")
  func genericBoard() throws {
    let nowhere = BoardDirectories(["/nonexistent"])
    let configuration = try AgentConfiguration.load(
      Array(minimal.utf8), file: "FILE", boards: nowhere)
    #expect(configuration.board == .generic)
    let other = minimal.replacing("region:", with: "board: uc-2100, region:")
    #expect(throws: ConfigurationProblems.self) {
      try AgentConfiguration.load(Array(other.utf8), file: "FILE", boards: nowhere)
    }
  }

  @Test("A file loads by its path and is named in its problems")
  func byPath() throws {
    let valid = Fixtures.folder.appending(path: "valid/contract.yaml").path
    #expect(
      try AgentConfiguration.load(path: valid, boards: Fixtures.boards)
        == Fixtures.load(try Fixtures.bytes("valid/contract.yaml")))
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in
      try AgentConfiguration.load(path: "/nonexistent/agent.yaml", boards: Fixtures.boards)
    }
    #expect(
      lines == [
        "/nonexistent/agent.yaml:1:1: can't be read: No such file or directory;"
          + " a readable file is expected"
      ])
  }

  @Test(
    "Every shipped profile loads",
    arguments: ["example/methane-wind", "eastron/sdm630", "renke/rs-fs-n01"])
  func shippedProfiles(_ profile: String) throws {
    let configuration = try Fixtures.load(
      text: minimal + """
        buses:
          station: { tcp: { host: 10.20.0.5 } }
        devices:
          meter: { bus: station, unit: 1, profile: \(profile) }
        """)
    #expect(configuration.deviceDescriptions.first?.points.isEmpty == false)
  }

  @Test("A problem of a URL never quotes it: it may hold a password")
  func secrets() {
    for url in [
      "mqtt://gw:secret@b.example", "http://gw:secret@b", "gw:secret@b", "mqtt://secret b",
    ] {
      let text = "gateway: { id: g, mine: m, region: r }\nuplinks: { p: { url: \"\(url)\" } }\n"
      let lines = Fixtures.lines { () throws(ConfigurationProblems) in try Fixtures.load(text: text)
      }
      #expect(lines.count == 1 && !lines.joined().contains("secret"))
    }
  }
}
