internal import ConfigurationFile
internal import Drivers
internal import Glibc

/// The serial ports that buses may name, and the bus that has each.
struct SerialPorts {
  /// `nil` while the board is not known, because it was refused.
  private let board: BoardDescription?
  private let boardName: String
  /// Names of buses by what their port's path leads to.
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
      refuseOther(path, port)
      let terminal = Self.terminal(at: path)
      if let other = taken[terminal] {
        let name = terminal == path ? path : "\(path) leads to \(terminal), which"
        port.refuse("\(name) is the port of \(other)", "one bus a port is expected")
      }
      taken[terminal] = taken[terminal] ?? bus
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
    if let path = board.serialPorts[name] { return path.isEmpty ? nil : path }
    port.refuse("the board \(boardName) has no port \(name)", hint(for: name, board))
    return nil
  }

  /// What is there and is no device is a slip; what is not plugged in is not there.
  private func refuseOther(_ path: String, _ port: ConfigurationValue) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFCHR else { return }
    port.refuse("\(path) is no serial port", "a device such as /dev/ttyS1 is expected")
  }

  /// Where links lead: a port has several names in `/dev/serial`. What is not plugged in goes by
  /// its name.
  private static func terminal(at path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
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
