internal import ConfigurationFile
internal import Drivers

extension AgentConfiguration {
  /// The file that is read unless the command line names another.
  static let defaultPath = "/etc/edge-agent/agent.yaml"

  /// Reads and checks a configuration with the board file and the device profiles that it names.
  /// - Parameters:
  ///   - path: The file; problems name it as given here.
  ///   - boards: Where board files and profiles are looked for.
  /// - Throws: every problem of all files; the agent's exit status is then 78.
  static func load(
    path: String, boards: BoardDirectories
  ) throws(ConfigurationProblems) -> AgentConfiguration {
    try ConfigurationDocument.decode(path: path) { decode($0, boards) }
  }

  /// The same of bytes that are at hand.
  static func load(
    _ bytes: [UInt8], file: String, boards: BoardDirectories
  ) throws(ConfigurationProblems) -> AgentConfiguration {
    try ConfigurationDocument.decode(bytes, file: file) { decode($0, boards) }
  }

  private static func decode(
    _ root: ConfigurationValue, _ boards: BoardDirectories
  ) -> AgentConfiguration? {
    root.mapping(SectionDecoder(boards: boards, log: root.log).configuration)
  }
}

/// Decodes the sections. Reads every section before it gives up, so that all problems show.
struct SectionDecoder {
  let boards: BoardDirectories
  let log: ProblemLog

  func configuration(_ root: MappingReader) -> AgentConfiguration? {
    let gateway = root.require("gateway", "a section with id, mine and region")?.mapping(gateway)
    let storage = storage(root.take("storage"))
    let controlSocket = control(root.take("control"))
    let buses = BusSection(root.take("buses"), ports: SerialPorts(gateway))
    let profiles = ProfileLibrary(boards: boards, log: log)
    let deviceSection = root.take("devices")
    let devices = DeviceSection(profiles).devices(deviceSection, on: buses)
    let lineSection = root.take("lines")
    let lines = LineSection(lineSection, board: LineNames(gateway))
    let areaSection = root.take("areas")
    let areas = AreaSection(
      areaSection,
      sources: AreaSection.Sources(
        lines: lines, devices: devices, deviceNames: Self.names(in: deviceSection)))
    refuseSharedNames([
      ("device", deviceSection), ("line", lineSection), ("area", areaSection),
    ])
    let uplinks = uplinks(root.require("uplinks", "at least one destination"), gateway?.value)
    guard let gateway, let board = gateway.board, let storage, let controlSocket, let uplinks
    else { return nil }
    return AgentConfiguration(
      gateway: gateway.value, board: board, storage: storage, controlSocket: controlSocket,
      buses: buses.definitions(with: devices), lines: lines.lines.map(\.line),
      linesWithActive: Set(lines.lines.filter(\.saysActive).map(\.line.name)),
      areas: areas.areas, uplinks: uplinks)
  }

  /// To subscribers devices, lines and areas are all devices.
  private func refuseSharedNames(_ sections: [(kind: String, section: ConfigurationValue?)]) {
    var first: [String: (kind: String, line: Int)] = [:]
    for (kind, section) in sections {
      for (name, value) in Self.members(of: section) {
        if let other = first[name] {
          value.refuse(
            "the name \(name) is taken by the \(other.kind) in line \(other.line)",
            "devices, lines and areas need names of their own")
        } else {
          first[name] = (kind, value.position.line)
        }
      }
    }
  }

  private static func names(in section: ConfigurationValue?) -> [String] {
    members(of: section).map(\.name)
  }

  private static func members(
    of section: ConfigurationValue?
  ) -> [(name: String, value: ConfigurationValue)] {
    section?.mapping { $0.takeNamed() } ?? []
  }
}
