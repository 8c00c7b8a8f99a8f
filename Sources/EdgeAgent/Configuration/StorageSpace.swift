internal import Buffering
internal import LinuxSystem
internal import Telemetry

/// Whether what the store may take is there.
enum StorageSpace {
  private static let segmentBytes: Int64 = 1 << 20

  /// What the store can take of its file system: its own files, and what is free but for what it
  /// leaves free; `nil` if nobody can say.
  static func bytes(for storage: StorageConfiguration) -> Int64? {
    let disk = DiskStorage()
    // The directory may not be there yet.
    var place = Substring(storage.directory)
    while place.count > 1, (try? disk.list(String(place))) == nil {
      place = place[..<(place.lastIndex(of: "/") ?? place.startIndex)]
    }
    guard let free = try? disk.freeBytes(place.isEmpty ? "/" : String(place)) else { return nil }
    let files = StreamName.allCases.reduce(0) { sum, stream in
      sum + ((try? disk.list("\(storage.directory)/\(stream)"))?.count ?? 0)
    }
    let (bytes, overflow) = (Int64(files) * segmentBytes).addingReportingOverflow(
      max(0, Int64(free) - storage.keepFreeBytes))
    return overflow ? .max : bytes
  }

  /// What is said when the caps are more than the file system has room for; `nil` if they fit or
  /// nobody can say. It is no error: the store makes do with the room that there is.
  static func warning(_ storage: StorageConfiguration) -> String? {
    let wanted = storage.dataBytes + storage.eventBytes
    guard let most = bytes(for: storage), wanted > most else { return nil }
    func mebibytes(_ bytes: Int64) -> String { "\(bytes >> 20) MiB" }
    return "store \(storage.directory): may take \(mebibytes(wanted)), its file system has room "
      + "for \(mebibytes(most)) and keeps \(mebibytes(storage.keepFreeBytes)) free; "
      + "it will use its own files again before it is as large as that"
  }
}
