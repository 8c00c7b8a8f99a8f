internal import Glibc
internal import LinuxSystem

/// A file whose content, without the line end after it, is a password.
enum PasswordFile {
  /// The longest password that MQTT can carry, plus a line end.
  static let bytesLimit = 65_535 + 2

  static func read(_ path: String) throws(SystemError) -> [UInt8] {
    let file = try systemCall("open", on: path) { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    var bytes = try readToEnd(file, of: path, atMost: bytesLimit)
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    return bytes
  }
}
