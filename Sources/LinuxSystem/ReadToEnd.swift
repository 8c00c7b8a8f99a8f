internal import Glibc

/// Reads an open file from where it stands to its end. Fails with EFBIG for one of more than
/// `limit` bytes, of which no more than one beyond it is read.
public func readToEnd(
  _ descriptor: Int32, of path: String, atMost limit: Int
) throws(SystemError) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: limit + 1)
  var count = 0
  while count < bytes.count {
    let added = try systemCall("read", on: path) {
      bytes.withUnsafeMutableBytes { buffer in
        read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
      }
    }
    if added == 0 { break }
    count += added
  }
  if count > limit { throw SystemError(call: "read", subject: path, code: EFBIG) }
  bytes.removeSubrange(count...)
  return bytes
}
