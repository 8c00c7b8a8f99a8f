internal import ConfigurationFile
internal import Drivers

/// A board file: what the names on a board's case stand for.
struct BoardDescription: Sendable, Hashable {
  /// A GPIO line with what the board's input circuit makes of it; a file may say otherwise.
  struct Line: Sendable, Hashable {
    /// Where it is; never by a number that the kernel may give to another chip.
    var address: LineAddress
    /// Whether a low voltage at the processor is the active state, as behind most optocouplers.
    var isActiveLow = false
    /// What has to hold it while nothing drives it.
    var bias = LineBias.asIs
  }

  /// The board in words.
  var description: String?
  /// Serial ports: the name on the case, and a device path that survives renumbering.
  var serialPorts: [String: String]
  /// GPIO lines by the name on the case.
  var lines: [String: Line]
  /// Names of lines that the file has wrong.
  var refusedLines: Set<String> = []
  /// Whether the section as a whole is wrong, so that any name may stand in it.
  var hasRefusedPorts = false
  var hasRefusedLines = false
}

extension BoardDescription {
  /// The board of a configuration that names none.
  static let genericName = "generic"
  /// A board whose ports and lines have no names of their own.
  static let generic = BoardDescription(description: nil, serialPorts: [:], lines: [:])

  /// Decodes a board file's root.
  init(_ file: MappingReader) {
    description = file.take("description")?.text("the board in words")
    let ports = Setting(file.take("serial-ports")) { section in
      section.mapping { ports in
        ports.takePrinted().map { name, value in (name, value.absolutePath() ?? "") }
      }
    }
    serialPorts = Dictionary(ports.value ?? [], uniquingKeysWith: { first, _ in first })
    hasRefusedPorts = ports.isRefused
    let lines = Setting(file.take("lines")) { section in
      section.mapping { lines in
        lines.takePrinted().map { name, value in (name, value.mapping(Line.init)) }
      }
    }
    hasRefusedLines = lines.isRefused
    self.lines = [:]
    for (name, line) in lines.value ?? [] {
      self.lines[name] = line
      if line == nil { refusedLines.insert(name) }
    }
  }
}

extension BoardDescription.Line {
  /// Decodes `{ chip: LABEL, offset: 4, active: low }` or `{ name: GPIO17 }`.
  init?(_ line: MappingReader) {
    let address = LineAddress.read(line)
    let active = Setting(line.take("active")) { $0.choice(ActiveLevel.self, "a level") }
    let bias = Setting(line.take("bias")) { $0.choice(LineBias.self, "a bias") }
    if let address, address.isNumbered {
      line.value.refuse(
        "numbering of chips can change", "a chip's label or the line's name is expected")
      return nil
    }
    guard let address, !active.isRefused, !bias.isRefused else { return nil }
    self.init(
      address: address, isActiveLow: active.value == .low, bias: bias.value ?? .asIs)
  }
}
