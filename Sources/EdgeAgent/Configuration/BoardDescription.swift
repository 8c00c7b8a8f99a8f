internal import ConfigurationFile

/// A board file: what the names on a board's case stand for.
struct BoardDescription: Sendable, Hashable {
  /// A GPIO line by chip and offset.
  struct Line: Sendable, Hashable {
    /// The chip's name, such as `gpiochip0`.
    var chip: String
    /// The line's number on the chip.
    var offset: UInt32
  }

  /// The board in words.
  var description: String?
  /// Serial ports: the name on the case, and a device path that survives renumbering.
  var serialPorts: [String: String]
  /// GPIO lines by the name on the case.
  var lines: [String: Line]
}

extension BoardDescription {
  /// The board of a configuration that names none.
  static let genericName = "generic"
  /// A board whose ports and lines have no names of their own.
  static let generic = BoardDescription(description: nil, serialPorts: [:], lines: [:])

  /// Decodes a board file's root.
  init(_ file: MappingReader) {
    description = file.take("description")?.text("the board in words")
    let ports = file.take("serial-ports")?.mapping { ports in
      ports.takePrinted().map { name, value in (name, value.absolutePath() ?? "") }
    }
    serialPorts = Dictionary(ports ?? [], uniquingKeysWith: { first, _ in first })
    let lines = file.take("lines")?.mapping { lines in
      lines.takePrinted().compactMap { name, value in
        value.mapping(Line.init).map { (name, $0) }
      }
    }
    self.lines = Dictionary(lines ?? [], uniquingKeysWith: { first, _ in first })
  }
}

extension BoardDescription.Line {
  /// Decodes `{ chip: gpiochip0, offset: 4 }`. The kernel numbers far fewer lines than 65,536.
  init?(_ line: MappingReader) {
    let chip = line.require("chip", "a chip such as gpiochip0")?.text("a chip")
    let offset = line.require("offset", "the line's number")?.integer(in: 0...65_535)
    guard let chip, let offset else { return nil }
    self.init(chip: chip, offset: UInt32(offset))
  }
}
