internal import Glibc

/// The package's own programs, as users run them.
public enum Programs {
  /// The directory named by EDGE_PROGRAMS: where release programs are that the tests shall run.
  public static let givenDirectory: String? = getenv("EDGE_PROGRAMS").map { String(cString: $0) }

  /// Where they are: beside the test bundle unless EDGE_PROGRAMS says otherwise.
  public static let directory: String = givenDirectory ?? bundleDirectory

  /// Whether they are release programs.
  public static let areReleased = givenDirectory != nil

  /// Seconds that programs on a busy machine may take longer to begin, to end, and to tell of
  /// something, unoptimised or sanitized ones above all. What they promise of times is measured by
  /// scripts/bench, on a machine that does nothing else.
  public static let slack = areReleased ? 2 : 8

  /// The agent.
  public static let agent = directory + "/edge-agent"
  /// The simulator.
  public static let simulator = directory + "/mine-simulator"
  /// The reference receiver.
  public static let receiver = directory + "/edge-receive"

  /// The top of the source tree, where `boards` and `docs` are.
  public static let sourceTree: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()

  private static let bundleDirectory: String = {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let bytes = buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
    let path = String(decoding: bytes, as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
  }()
}
