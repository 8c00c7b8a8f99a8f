internal import Glibc
public import LinuxSystem

/// What a file holds; nothing if it can't be read.
public func contents(of path: String) -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return [] }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    guard count > 0 else { return bytes }
    bytes += chunk[..<count]
  }
}

/// What a text file holds; nothing if it can't be read.
public func text(of path: String) -> String { String(decoding: contents(of: path), as: UTF8.self) }

/// The lines of a text file without their ends; none if it can't be read.
public func lines(of path: String) -> [String] {
  text(of: path).split(separator: "\n").map(String.init)
}

/// Makes a file with this text, in place of one that is there.
public func write(_ text: String, to path: String) throws(SystemError) {
  let descriptor = try systemCall("open", on: path) {
    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  }
  defer { close(descriptor) }
  let bytes = Array(text.utf8)
  var done = 0
  while done < bytes.count {
    done += try systemCall("write", on: path) {
      bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
      }
    }
  }
}
