import Glibc
import LinuxSystem

/// A GPIO chip of the kernel's simulator, gone when released.
final class SimulatedChip {
  /// Whether this kernel has the simulator: that of Tests/Hardware.
  static var isSupported: Bool { access(root, W_OK) == 0 }
  private static let root = "/sys/kernel/config/gpio-sim"
  private static let lastNumber = Monitor(0)

  /// What its driver calls it.
  let label: String
  private let folder: String
  private let lineCount: Int
  private let lines: [Int: String]
  private let hogs: [Int: String]
  private var device = ""
  /// What the kernel calls it now, such as `gpiochip0`.
  private(set) var name = ""

  /// Makes a chip.
  /// - Parameters:
  ///   - lines: Names of lines, by their numbers.
  ///   - hogs: Who of the kernel holds a line, by its number.
  init(
    label: String, lineCount: Int = 8, lines: [Int: String] = [:], hogs: [Int: String] = [:]
  ) throws {
    self.label = label
    self.lineCount = lineCount
    self.lines = lines
    self.hogs = hogs
    let number = Self.lastNumber.withLock { number in
      number += 1
      return number
    }
    folder = "\(Self.root)/chip\(number)"
    try plugIn()
  }

  deinit { unplug() }

  /// Its device.
  var path: String { "/dev/\(name)" }

  /// Makes it be there, again.
  func plugIn() throws {
    let bank = "\(folder)/bank0"
    for path in [folder, bank] { try systemCall("mkdir", on: path) { mkdir(path, 0o755) } }
    try write("\(lineCount)", to: "\(bank)/num_lines")
    try write(label, to: "\(bank)/label")
    for line in Set(lines.keys).union(hogs.keys) {
      let path = "\(bank)/line\(line)"
      try systemCall("mkdir", on: path) { mkdir(path, 0o755) }
      if let name = lines[line] { try write(name, to: "\(path)/name") }
      guard let hog = hogs[line] else { continue }
      try systemCall("mkdir", on: path) { mkdir("\(path)/hog", 0o755) }
      try write(hog, to: "\(path)/hog/name")
      try write("input", to: "\(path)/hog/direction")
    }
    try write("1", to: "\(folder)/live")
    device = try text(of: "\(folder)/dev_name")
    name = try text(of: "\(bank)/chip_name")
  }

  /// Takes it out; who holds a line of it loses it.
  func unplug() {
    try? write("0", to: "\(folder)/live")
    let bank = "\(folder)/bank0"
    for line in Set(lines.keys).union(hogs.keys) {
      rmdir("\(bank)/line\(line)/hog")
      rmdir("\(bank)/line\(line)")
    }
    rmdir(bank)
    rmdir(folder)
  }

  /// Drives an input to a voltage.
  func drive(_ line: Int, high isHigh: Bool) throws {
    try write(isHigh ? "pull-up" : "pull-down", to: "\(files(of: line))/pull")
  }

  /// Whether an input's voltage is high.
  func isHigh(_ line: Int) throws -> Bool { try text(of: "\(files(of: line))/value") == "1" }

  private func files(of line: Int) -> String {
    "/sys/devices/platform/\(device)/\(name)/sim_gpio\(line)"
  }

  private func write(_ text: String, to path: String) throws {
    let descriptor = try systemCall("open", on: path) { open(path, O_WRONLY) }
    defer { close(descriptor) }
    try systemCall("write", on: path) { Glibc.write(descriptor, text, text.utf8.count) }
  }

  private func text(of path: String) throws -> String {
    let descriptor = try systemCall("open", on: path) { open(path, O_RDONLY) }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = try systemCall("read", on: path) { read(descriptor, &bytes, bytes.count) }
    return String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
  }
}
