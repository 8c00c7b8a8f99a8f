internal import ConfigurationFile

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
    let devices = DeviceSection(profiles).devices(root.take("devices"), on: buses)
    refuseUnbuiltSections(root, taken: devices)
    let uplinks = uplinks(root.require("uplinks", "at least one destination"), gateway?.value)
    guard let gateway, let board = gateway.board, let storage, let controlSocket, let uplinks
    else { return nil }
    return AgentConfiguration(
      gateway: gateway.value, board: board, storage: storage, controlSocket: controlSocket,
      buses: buses.definitions(with: devices), uplinks: uplinks)
  }

  /// Lines and areas share their names with devices, which shows before they are built.
  private func refuseUnbuiltSections(_ root: MappingReader, taken: [PlacedDevice]) {
    let lines = Dictionary(taken.map { ($0.name, $0.place.position.line) }) { first, _ in first }
    for key in ["lines", "areas"] {
      guard let section = root.take(key) else { continue }
      section.refuseAsUnsupported()
      guard case .mapping = section.node.content else { continue }
      _ = section.mapping { names -> Void? in
        for (name, value) in names.takeNamed() {
          guard let line = lines[name] else { continue }
          value.refuse(
            "the name \(name) is taken by the device in line \(line)",
            "devices, lines and areas need names of their own")
        }
        return nil
      }
    }
  }
}
