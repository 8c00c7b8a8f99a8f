internal import Glibc
internal import LinuxSystem

extension TLSFailure.File {
  /// The largest file that is read: all authorities of a system are a quarter of this.
  private static let bytesLimit = 1 << 20

  /// The whole content.
  func read(_ path: String) throws(TLSFailure) -> [UInt8] {
    let bytes: [UInt8]
    let mode: mode_t
    do throws(SystemError) {
      (bytes, mode) = try Self.content(path)
    } catch {
      let isMissing = error.code == ENOENT || error.code == ENOTDIR
      throw .file(self, isMissing ? .missing(path: path) : .unreadable(error))
    }
    if self == .key, mode & (S_IROTH | S_IWOTH) != 0 {
      throw .file(.key, .exposed(path: path, mode: mode & 0o7777))
    }
    return bytes
  }

  /// Bytes and mode of the same open file: a path could mean another one between two calls.
  private static func content(_ path: String) throws(SystemError) -> ([UInt8], mode_t) {
    // Without waiting, so that a pipe in a file's place blocks nobody.
    let file = try systemCall("open", on: path) { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    defer { close(file) }
    var status = stat()
    try systemCall("fstat", on: path) { fstat(file, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SystemError(
        call: "read", subject: path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    return (try readToEnd(file, of: path, atMost: bytesLimit), status.st_mode)
  }
}
