internal import Glibc
public import LinuxSystem

/// A storage in memory, for a board whose disk can't be written: the agent delivers all the same,
/// and says that nothing of it is durable. What it may grow to is what the journal's caps allow.
public final class MemoryStorage: Storage {
  private let files = Monitor<[String: MemoryFile]>([:])

  /// Starts empty.
  public init() {}

  /// Never.
  public var isDurable: Bool { false }

  /// Makes a directory and its parents.
  public func createDirectory(_ path: String) {}

  /// The names in a directory.
  public func list(_ directory: String) -> [String] {
    let prefix = directory + "/"
    return files.withLock { files in
      files.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        .filter { !$0.contains("/") }
    }
  }

  /// Opens a file, or makes it.
  public func open(_ path: String, creating: Bool) throws(SystemError) -> any StorageFile {
    let file: MemoryFile? = files.withLock { files in
      if let file = files[path] { return file }
      guard creating else { return nil }
      let file = MemoryFile()
      files[path] = file
      return file
    }
    guard let file else { throw SystemError(call: "open", subject: path, code: ENOENT) }
    return file
  }

  /// Gives a file another name.
  public func rename(_ old: String, to new: String) throws(SystemError) {
    let found = files.withLock { files in
      guard let file = files.removeValue(forKey: old) else { return false }
      files[new] = file
      return true
    }
    if !found { throw SystemError(call: "rename", subject: old, code: ENOENT) }
  }

  /// Removes a file.
  public func remove(_ path: String) {
    files.withLock { files in files[path] = nil }
  }

  /// Makes the names in a directory durable.
  public func syncDirectory(_ path: String) {}
}

private final class MemoryFile: StorageFile {
  private let content = Monitor<[UInt8]>([])

  func size() -> Int { content.withLock { $0.count } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    // The pointer is the caller's for this call only; Monitor cannot know that.
    nonisolated(unsafe) let buffer = buffer
    return content.withLock { content in
      let count = max(0, min(buffer.count, content.count - offset))
      if count > 0 { buffer.copyBytes(from: content[offset..<offset + count]) }
      return count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    nonisolated(unsafe) let bytes = bytes
    content.withLock { content in
      let end = offset + bytes.count
      if content.count < end {
        content.append(contentsOf: repeatElement(0, count: end - content.count))
      }
      content.replaceSubrange(offset..<end, with: bytes)
    }
  }

  func sync() {}
}
