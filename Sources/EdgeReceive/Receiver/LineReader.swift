import Glibc
import LinuxSystem

/// Reads a file line by line, so that a long one need not fit in memory.
enum LineReader {
  /// Hands each line without its end to `body`, numbered from 1. A last line without an end is
  /// handed over too, marked as cut short.
  static func read(
    _ path: String, _ body: (_ line: [UInt8], _ number: Int, _ isCut: Bool) -> Void
  ) throws(SystemError) {
    guard let file = fopen(path, "re") else {
      throw SystemError(call: "open", subject: path, code: errno)
    }
    defer { fclose(file) }
    var buffer: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(buffer) }
    var number = 0
    while true {
      errno = 0
      let count = getline(&buffer, &capacity, file)
      let code = errno
      guard count > 0, let buffer else {
        if code != 0 { throw SystemError(call: "read", subject: path, code: code) }
        return
      }
      number += 1
      var line = [UInt8](UnsafeRawBufferPointer(start: buffer, count: count))
      let isCut = line.last != UInt8(ascii: "\n")
      if !isCut { line.removeLast() }
      body(line, number, isCut)
    }
  }
}
