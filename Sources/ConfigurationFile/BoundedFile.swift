internal import Glibc
internal import LinuxSystem

/// Why a file could not be taken as a configuration.
struct FileRefusal: Error {
  var what: String
  var expected: String
}

/// Reading whole files of a bounded size, without ever waiting for one.
enum BoundedFile {
  /// The largest configuration: forty times what the 256 points of a large gateway take, each
  /// written out in full (about 100 bytes).
  static let maximumBytes = 1 << 20

  /// The bytes of a regular file. Never reads more than the limit, and never hangs: a FIFO or a
  /// device opened this way returns at once and is refused.
  static func read(path: String) throws(FileRefusal) -> [UInt8] {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw FileRefusal(what: "is not a file name", expected: "the path of a file is expected")
    }
    do {
      let descriptor = try systemCall("open", on: path) {
        open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
      }
      defer { close(descriptor) }
      try requireRegular(descriptor, path)
      return try read(descriptor, path)
    } catch let error as SystemError {
      throw FileRefusal(
        what: "can't be read: \(error.reason)", expected: "a readable file is expected")
    } catch let refusal as FileRefusal {
      throw refusal
    } catch {
      throw FileRefusal(what: "can't be read: \(error)", expected: "a readable file is expected")
    }
  }

  private static func requireRegular(_ descriptor: CInt, _ path: String) throws {
    var status = stat()
    try systemCall("fstat", on: path) { fstat(descriptor, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a regular file"
      throw FileRefusal(what: "is \(kind)", expected: "a file is expected")
    }
    guard status.st_size <= maximumBytes else { throw tooLarge }
  }

  /// Reads to the end, also of files whose size says 0 or that grow meanwhile.
  private static func read(_ descriptor: CInt, _ path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = try systemCall("read", on: path) {
        chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= maximumBytes else { throw tooLarge }
    }
  }

  private static var tooLarge: FileRefusal {
    FileRefusal(
      what: "is larger than \(sizeText(Int64(maximumBytes)))",
      expected: "a configuration is at most that large")
  }
}
