internal import Glibc

/// A clock of the board that goes on while the power is off.
public struct RealTimeClock: Sendable, Hashable {
  /// Where the kernel lists them.
  public static let directory = "/sys/class/rtc"

  /// The kernel's name of it, such as `rtc0`.
  public var name: String
  /// Whether the kernel took the time from it when it booted.
  public var hasSetSystemClock: Bool

  /// Makes a description.
  public init(name: String, hasSetSystemClock: Bool) {
    self.name = name
    self.hasSetSystemClock = hasSetSystemClock
  }

  /// Those that the board has, by name; none where the directory is not there.
  public static func all(in directory: String = directory) -> [RealTimeClock] {
    guard let handle = opendir(directory) else { return [] }
    defer { closedir(handle) }
    var clocks: [RealTimeClock] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix("rtc") else { continue }
      let hasSet = firstByte(of: directory + "/" + name + "/hctosys") == UInt8(ascii: "1")
      clocks.append(RealTimeClock(name: name, hasSetSystemClock: hasSet))
    }
    return clocks.sorted { $0.name < $1.name }
  }

  private static func firstByte(of path: String) -> UInt8? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    let byte = fgetc(file)
    return byte == EOF ? nil : UInt8(truncatingIfNeeded: byte)
  }
}
