internal import LinuxSystem
internal import Telemetry

/// Tells a store that a newer agent has written from a damaged one: it is left as it is.
enum NewerStore {
  private static let checkedBytes = 44
  private static let versionOffset = 8
  private static let segmentMagic = Array("EDGESEG\u{0A}".utf8)

  /// The version of a segment's header that this agent can't read, but that is whole: all versions
  /// have their number and their checksum in the same places.
  static func version(ofHeader bytes: [UInt8]) -> UInt16? {
    guard bytes.count >= checkedBytes + 4, bytes.starts(with: segmentMagic) else { return nil }
    return bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer, at: versionOffset)
      guard let version = try? reader.fixed(UInt16.self), version > SegmentHeader.currentVersion
      else {
        return nil
      }
      reader = ByteReader(buffer, at: checkedBytes)
      let checksum = CRC32C.checksum(Array(bytes[..<checkedBytes]))
      return (try? reader.fixed(UInt32.self)) == checksum ? version : nil
    }
  }

  /// The newest version that a store's segments have, if it is newer than what this agent reads.
  static func version(
    of directory: String, on storage: any Storage
  ) throws(SystemError) -> UInt16? {
    var newest: UInt16?
    for stream in StreamName.allCases {
      let folder = "\(directory)/\(stream)"
      for name in try storage.list(folder) where name.hasSuffix(RecoveredStream.segmentSuffix) {
        guard let file = try? storage.open(folder + "/" + name, creating: false),
          let bytes = try? file.read(checkedBytes + 4, at: 0),
          let version = version(ofHeader: bytes)
        else { continue }
        newest = max(newest ?? version, version)
      }
    }
    return newest
  }
}
