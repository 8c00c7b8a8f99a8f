internal import ConfigurationFile
internal import Drivers

/// The serial ports that buses may name, and the bus that has each. Only the words count: a file
/// that is right stays right whatever is plugged in; see `SerialPortFindings`.
struct SerialPorts {
  /// `nil` while the board is not known, because it was refused.
  private let board: BoardDescription?
  private let boardName: String
  /// Names of buses by their port's path.
  private var taken: [String: String] = [:]

  /// The ports of a gateway's board.
  init(_ gateway: PlacedGateway?) {
    board = gateway?.board
    boardName = gateway?.value.board ?? BoardDescription.genericName
  }

  /// Decodes `{ port: COM1, baud: 9600, parity: even, stop-bits: 1 }` for a bus. A port belongs to
  /// one bus: two would answer for each other's units.
  mutating func line(_ line: MappingReader, of bus: String) -> SerialLine? {
    let port = line.require("port", "a port of the board, or a path such as /dev/ttyS1,")
    let path = port.flatMap(path)
    let baud = line.require("baud", "the devices' speed, such as 9600,")?.baud()
    let parity =
      line.take("parity").map { $0.choice(SerialLine.Parity.self, "a parity") } ?? .even
    let stopBits = line.take("stop-bits").map { $0.integer(in: 1...2) } ?? 1
    let bits = Int64(SerialLine.dataBits.lowerBound)...Int64(SerialLine.dataBits.upperBound)
    let dataBits = line.take("data-bits").map { $0.integer(in: bits) } ?? bits.upperBound
    let direction = RS485Direction.read(line)
    let echoes = line.take("echo").map { $0.boolean() } ?? false
    if let path, let port {
      if let other = taken[path] {
        port.refuse("\(path) is the port of \(other)", "one bus a port is expected")
      }
      taken[path] = taken[path] ?? bus
    }
    guard let path, let baud, let parity, let stopBits, let dataBits, let direction, let echoes
    else { return nil }
    return SerialLine(
      path: path, baud: baud, parity: parity, stopBits: Int(stopBits), dataBits: Int(dataBits),
      direction: direction, echoes: echoes)
  }

  /// The path of a port: as written, or what the board calls so.
  private func path(_ port: ConfigurationValue) -> String? {
    let expected = "a port of the board, or a path such as /dev/ttyS1,"
    guard let name = port.text(expected) else { return nil }
    if name.hasPrefix("/") { return name }
    guard let board else { return nil }
    if board.hasRefusedPorts { return nil }
    if let path = board.serialPorts[name] { return path.isEmpty ? nil : path }
    port.refuse("the board \(boardName) has no port \(name)", hint(for: name, board))
    return nil
  }

  private func hint(for name: String, _ board: BoardDescription) -> String {
    let known = board.serialPorts.keys.sorted()
    guard !known.isEmpty else {
      return "it names none; a path such as /dev/ttyS1 is expected"
    }
    return nearest(to: name, among: known).map { "did you mean \($0)?" }
      ?? "known here: " + known.joined(separator: ", ")
  }
}
