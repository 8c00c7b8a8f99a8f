internal import Buffering
internal import LinuxSystem

/// Whether what the store may take is there.
enum StorageSpace {
  private static let segmentBytes = 1 << 20

  /// What is said when the caps are more than the file system has room for; `nil` if they fit or
  /// nobody can say. It is no error: the store makes do with the room that there is.
  static func warning(_ storage: StorageConfiguration) -> String? {
    let disk = DiskStorage()
    // The directory may not be there yet.
    var place = Substring(storage.directory)
    while place.count > 1, (try? disk.list(String(place))) == nil {
      place = place[..<(place.lastIndex(of: "/") ?? place.startIndex)]
    }
    guard let free = try? disk.freeBytes(place.isEmpty ? "/" : String(place)) else { return nil }
    let taken = ["events", "data"].reduce(0) { sum, stream in
      sum + ((try? disk.list(storage.directory + "/" + stream))?.count ?? 0) * segmentBytes
    }
    let wanted = Int(storage.dataBytes + storage.eventBytes)
    let most = taken + max(0, free - Int(storage.keepFreeBytes))
    guard wanted > most else { return nil }
    func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
    return "store \(storage.directory): may take \(mebibytes(wanted)), its file system has room "
      + "for \(mebibytes(most)) and keeps \(mebibytes(Int(storage.keepFreeBytes))) free; "
      + "it will use its own files again before it is as large as that"
  }
}
