internal import Glibc
public import LinuxSystem

/// Files of the kernel, opened for reading only: for whoever looks at a store that an agent may be
/// writing. Every call that would change something fails with EROFS.
public struct ReadOnlyDisk: Storage {
  /// Makes a storage; it has no state.
  public init() {}

  /// As on the disk that is looked at.
  public var isDurable: Bool { true }

  /// The names in a directory.
  public func list(_ directory: String) throws(SystemError) -> [String] {
    try DiskStorage().list(directory)
  }

  /// Opens a file for reading.
  public func open(_ path: String, creating: Bool) throws(SystemError) -> any StorageFile {
    // Not waiting: a pipe by a segment's name would keep its reader for ever.
    let descriptor = try systemCall("open", on: path) {
      Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }
    return ReadOnlyFile(DiskFile(path: path, descriptor: descriptor), path: path)
  }

  /// Refused.
  public func createDirectory(_ path: String) throws(SystemError) {
    throw Self.refusal("mkdir", path)
  }
  /// Refused.
  public func rename(_ old: String, to new: String) throws(SystemError) {
    throw Self.refusal("rename", old)
  }
  /// Refused.
  public func remove(_ path: String) throws(SystemError) { throw Self.refusal("unlink", path) }
  /// Refused.
  public func syncDirectory(_ path: String) throws(SystemError) {
    throw Self.refusal("fsync", path)
  }

  fileprivate static func refusal(_ call: String, _ path: String) -> SystemError {
    SystemError(call: call, subject: path, code: EROFS)
  }
}

/// A file that is only read.
private final class ReadOnlyFile: StorageFile {
  private let file: DiskFile
  private let path: String

  init(_ file: DiskFile, path: String) {
    self.file = file
    self.path = path
  }

  func size() throws(SystemError) -> Int { try file.size() }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try file.read(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
    throw ReadOnlyDisk.refusal("pwrite", path)
  }

  func sync() throws(SystemError) { throw ReadOnlyDisk.refusal("fdatasync", path) }
}
