internal import Glibc
public import LinuxSystem

/// Files of the kernel.
public struct DiskStorage: Storage {
  /// Owner reads and writes, the group reads: the monitoring data is not for everybody's eyes.
  private static let fileMode: mode_t = 0o640
  private static let directoryMode: mode_t = 0o750

  /// Makes a storage; it has no state.
  public init() {}

  /// Always true here; what a disk makes of a sync is its affair.
  public var isDurable: Bool { true }

  /// Makes a directory and its parents.
  public func createDirectory(_ path: String) throws(SystemError) {
    do throws(SystemError) {
      try systemCall("mkdir", on: path) { mkdir(path, Self.directoryMode) }
    } catch {
      switch error.code {
      case EEXIST: return
      case ENOENT:
        guard let parent = Self.parent(of: path) else { throw error }
        try createDirectory(parent)
        // A slash at the path's end names what was just made.
        if isDirectory(path) { return }
        try systemCall("mkdir", on: path) { mkdir(path, Self.directoryMode) }
      default: throw error
      }
    }
    if let parent = Self.parent(of: path) { try syncDirectory(parent) }
  }

  /// The names in a directory.
  public func list(_ directory: String) throws(SystemError) -> [String] {
    guard let handle = opendir(directory) else {
      throw SystemError(call: "opendir", subject: directory, code: errno)
    }
    defer { closedir(handle) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    // The end of a directory and a directory that can't be read on look alike but for this.
    let code = errno
    if code != 0 { throw SystemError(call: "readdir", subject: directory, code: code) }
    return names
  }

  /// Opens a file, or makes it.
  public func open(_ path: String, creating: Bool) throws(SystemError) -> any StorageFile {
    let flags = O_RDWR | O_CLOEXEC | (creating ? O_CREAT : 0)
    let descriptor = try systemCall("open", on: path) {
      Glibc.open(path, flags, Self.fileMode)
    }
    return DiskFile(path: path, descriptor: descriptor)
  }

  /// Gives a file another name.
  public func rename(_ old: String, to new: String) throws(SystemError) {
    try systemCall("rename", on: old) { Glibc.rename(old, new) }
  }

  /// Removes a file.
  public func remove(_ path: String) throws(SystemError) {
    try systemCall("unlink", on: path) { unlink(path) }
  }

  /// What an unprivileged process may still write.
  public func freeBytes(_ directory: String) throws(SystemError) -> Int {
    var status = statvfs()
    try systemCall("statvfs", on: directory) { statvfs(directory, &status) }
    // Some file systems tell of less than nothing, as a number beyond all.
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(
      by: UInt64(status.f_frsize))
    return overflow ? .max : Int(clamping: bytes)
  }

  /// Makes the names in a directory durable.
  public func syncDirectory(_ path: String) throws(SystemError) {
    let descriptor = try systemCall("open", on: path) {
      Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    defer { close(descriptor) }
    try systemCall("fsync", on: path) { fsync(descriptor) }
  }

  private func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func parent(of path: String) -> String? {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    let parent = String(path[..<slash])
    return parent.isEmpty ? nil : parent
  }
}

/// A descriptor, owned.
final class DiskFile: StorageFile {
  private let path: String
  private let descriptor: Int32

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  func size() throws(SystemError) -> Int {
    var status = stat()
    try systemCall("fstat", on: path) { fstat(descriptor, &status) }
    return Int(status.st_size)
  }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    guard let start = buffer.baseAddress else { return 0 }
    var filled = 0
    while filled < buffer.count {
      let count = try systemCall("pread", on: path) {
        pread(descriptor, start + filled, buffer.count - filled, offset + filled)
      }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
    guard let start = bytes.baseAddress else { return }
    var written = 0
    while written < bytes.count {
      written += try systemCall("pwrite", on: path) {
        pwrite(descriptor, start + written, bytes.count - written, offset + written)
      }
    }
  }

  func sync() throws(SystemError) {
    try systemCall("fdatasync", on: path) { fdatasync(descriptor) }
  }

  var isRemoved: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_nlink == 0
  }
}
