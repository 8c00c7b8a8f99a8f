import Glibc
import TestSupport

/// A thread of this process, as the kernel tells of it.
struct TaskStatus {
  private let path: String

  /// The thread of that name; of several any.
  static func thread(named name: String) -> TaskStatus? {
    let folder = "/proc/self/task"
    guard let handle = opendir(folder) else { return nil }
    defer { closedir(handle) }
    while let entry = readdir(handle) {
      let id = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if text(of: "\(folder)/\(id)/comm") == "\(name)\n" {
        return TaskStatus(path: "\(folder)/\(id)")
      }
    }
    return nil
  }

  /// How often it went to sleep of its own accord.
  func voluntarySwitches() throws -> Int {
    let line = text(of: "\(path)/status").split(separator: "\n").first {
      $0.hasPrefix("voluntary_ctxt_switches:")
    }
    guard let count = line?.split(separator: "\t").last.flatMap({ Int($0) }) else {
      throw WaitedInVain("\(path)/status tells no switches")
    }
    return count
  }
}
