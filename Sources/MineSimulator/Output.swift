internal import Glibc
internal import LinuxSystem

/// Hands all bytes to the kernel. For files and the standard streams, which block.
func writeAll(_ bytes: [UInt8], to descriptor: Int32, named name: String) throws(SystemError) {
  var done = 0
  while done < bytes.count {
    done += try systemCall("write", on: name) {
      bytes.withUnsafeBytes { bytes in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        return write(descriptor, rest.baseAddress, rest.count)
      }
    }
  }
}

/// Standard output and standard error, unbuffered: whoever started the simulator waits for a line.
enum StandardStream: Int32 {
  case output = 1
  case error = 2

  /// Writes a text. Whether anybody reads it is not the simulator's business.
  func write(_ text: String) {
    try? writeAll(Array(text.utf8), to: rawValue, named: "standard \(self)")
  }
}
