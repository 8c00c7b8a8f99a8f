internal import Drivers
internal import Glibc

/// What stands in the places of a configuration's serial ports, on this machine and at the moment.
/// It is for `check` alone: ports come and go, so the agent learns what they are when it opens
/// them, and one that is none costs its own bus only.
struct SerialPortFindings {
  /// What is wrong, by the bus's name; nothing for a port that is not plugged in.
  private(set) var warnings: [String: String] = [:]

  /// Looks at nothing.
  init() {}

  /// Looks at the ports of these buses without opening them.
  init(_ buses: [ModbusBusDefinition]) {
    /// Names of buses by what their port's path leads to.
    var owners: [String: String] = [:]
    for bus in buses {
      guard case .rtu(let line) = bus.endpoint else { continue }
      if Self.isOther(line.path) {
        warnings[bus.name] =
          "\(line.path) is no serial port: its points are bus-closed until a device is there"
        continue
      }
      let terminal = Self.terminal(at: line.path)
      if let owner = owners[terminal] {
        let name = terminal == line.path ? terminal : "\(line.path) leads to \(terminal), which"
        warnings[bus.name] =
          "\(name) is the port of \(owner): one bus of them has it, the other's points are "
          + "bus-closed"
      } else {
        owners[terminal] = bus.name
      }
    }
  }

  /// Whether something stands there that is no device.
  private static func isOther(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFCHR
  }

  /// Where links lead: a port has several names in `/dev/serial`. What is not plugged in goes by
  /// its name.
  private static func terminal(at path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
  }
}
