internal import Glibc

/// What a file system has left.
enum FileSystemRoom {
  /// Bytes that a program without privileges may still take where `path` is or will be; `nil` if
  /// the system does not say.
  static func freeBytes(at path: String) -> Int64? {
    var place = path
    var found = statvfs()
    while statvfs(place, &found) != 0 {
      guard errno == ENOENT, let slash = place.lastIndex(of: "/"), place != "/" else { return nil }
      place = slash == place.startIndex ? "/" : String(place[..<slash])
    }
    let (bytes, overflow) = UInt64(found.f_bavail).multipliedReportingOverflow(
      by: UInt64(found.f_frsize))
    return overflow ? nil : Int64(clamping: bytes)
  }
}
