internal import ConfigurationFile

/// The `rtu` of a station in a scenario file.
enum LineSection {
  /// Speeds that an agent may be told; 300 Bd make a request last a third of a second.
  private static let bauds: ClosedRange<Int64> = 300...921_600

  /// A line, by default as the specification sets it (Modbus over serial line V1.02, 2.5.1).
  static func read(_ value: ConfigurationValue) -> SimulatedLine? {
    value.mapping { reader in
      let baud = reader.require("baud", "a speed").flatMap { $0.integer(in: bauds) }
      let parity =
        reader.take("parity").map { $0.choice(LineSettings.Parity.self, "a parity") } ?? .even
      let stopBits = reader.take("stop-bits").map { $0.integer(in: 1...2) } ?? 1
      let link = reader.take("link").map(link)
      guard let baud, let parity, let stopBits else { return nil }
      return SimulatedLine(
        settings: LineSettings(baud: baud, parity: parity, stopBits: stopBits), link: link ?? nil)
    }
  }

  private static func link(_ value: ConfigurationValue) -> String? {
    guard let path = value.text("a path") else { return nil }
    guard path.hasPrefix("/") else {
      value.refuse("does not begin with /", "an absolute path is expected")
      return nil
    }
    return path
  }
}
