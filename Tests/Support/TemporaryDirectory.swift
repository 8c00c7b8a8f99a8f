internal import Glibc
public import LinuxSystem

/// A directory of a test's own, removed with all that is in it when released.
public final class TemporaryDirectory: Sendable {
  /// Its path.
  public let path: String

  /// Makes one below TMPDIR, else /tmp.
  public init() throws(SystemError) {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/edge-agent-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw SystemError(call: "mkdtemp", subject: parent, code: errno)
    }
    path = template.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { String(cString: $0) } ?? ""
    }
  }

  deinit { removeTree(path) }

  /// The path of a file in it.
  public func file(_ name: String) -> String { path + "/" + name }
}

/// Removes a file or a directory with all in it; what can't be removed stays.
private func removeTree(_ path: String) {
  if unlink(path) == 0 { return }
  if let handle = opendir(path) {
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { removeTree(path + "/" + name) }
    }
    closedir(handle)
  }
  rmdir(path)
}

/// This process's id.
public func processID() -> Int { Int(getpid()) }
