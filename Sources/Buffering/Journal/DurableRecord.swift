internal import LinuxSystem
internal import Telemetry

/// A few bytes that are replaced as a whole and survive a power cut at any moment: two files,
/// written in turn, each with a number that grows and a checksum. One of them is always whole.
struct DurableRecord {
  private static let magic = Array("EDGEREC1".utf8)
  /// Cursors with all their ranges stay far below this; a larger length is damage.
  private static let largestPayload = 1 << 20
  /// Copies are padded to whole pages: one whose length stays the same costs the device its page,
  /// one that grows by a byte the file system's journal too, 28 KiB on ext4 (measured).
  private static let pageBytes = 4096

  /// What the names of its two files end with.
  static let suffixes = [".0", ".1"]

  private let storage: any Storage
  private let paths: [String]
  private var number: UInt64 = 0
  private var files: [(any StorageFile)?] = [nil, nil]

  /// What was found of a record.
  enum Found: Equatable {
    /// Neither file is there.
    case nothing
    /// There are files, and neither can be read.
    case unreadable
    case payload([UInt8])
  }

  /// A record whose two files are `path`.0 and `path`.1.
  init(storage: any Storage, path: String) {
    self.storage = storage
    paths = Self.suffixes.map { path + $0 }
  }

  /// Reads the newer whole copy.
  mutating func load() -> Found {
    var newest: (number: UInt64, payload: [UInt8])?
    var exists = false
    for path in paths {
      let file: any StorageFile
      do throws(SystemError) {
        file = try storage.open(path, creating: false)
      } catch {
        // What is there and can't be opened is not nothing.
        if !error.isAbsence { exists = true }
        continue
      }
      exists = true
      guard let copy = try? Self.read(file) else { continue }
      if copy.number >= newest?.number ?? 0 { newest = copy }
    }
    guard let newest else { return exists ? .unreadable : .nothing }
    number = newest.number
    // A run that was killed between write and sync leaves a copy that only the page cache has; the
    // other copy must not be replaced before this one is durable. Where that fails, so will the
    // next save, and say so.
    try? write(newest.payload, number: number)
    return .payload(newest.payload)
  }

  /// Replaces the older copy; durable when it returns.
  mutating func save(_ payload: [UInt8]) throws(SystemError) {
    try write(payload, number: number + 1)
    number += 1
  }

  private mutating func write(_ payload: [UInt8], number: UInt64) throws(SystemError) {
    var writer = ByteWriter(capacity: payload.count + 32)
    writer.raw(Self.magic)
    writer.fixed(number)
    writer.fixed(UInt32(payload.count))
    writer.raw(payload)
    writer.fixed(CRC32C.checksum(writer.bytes))
    let rest = writer.bytes.count % Self.pageBytes
    writer.raw([UInt8](repeating: 0, count: rest == 0 ? 0 : Self.pageBytes - rest))

    let index = Int(number % 2)
    // Somebody may have deleted the store: that has to be noticed, not written into the void.
    if files[index]?.isRemoved == true { files[index] = nil }
    let isNew = files[index] == nil
    let file = try openFile(index)
    try file.write(writer.bytes, at: 0)
    try file.sync()
    // The name has to survive as well; cheap enough once for each file and process.
    if isNew, let slash = paths[index].lastIndex(of: "/") {
      try storage.syncDirectory(String(paths[index][..<slash]))
    }
    files[index] = file
  }

  private func openFile(_ index: Int) throws(SystemError) -> any StorageFile {
    if let file = files[index] { return file }
    return try storage.open(paths[index], creating: true)
  }

  private static func read(
    _ file: any StorageFile
  ) throws -> (number: UInt64, payload: [UInt8])? {
    let bytes = try file.read(min(file.size(), largestPayload + 64), at: 0)
    guard bytes.starts(with: magic) else { return nil }
    return try bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer, at: magic.count)
      let number = try reader.fixedOrdinal()
      let length = Int(try reader.fixed(UInt32.self))
      guard length <= reader.remaining else { return nil }
      let end = reader.offset + length
      let payload = Array(buffer[reader.offset..<end])
      reader = ByteReader(buffer, at: end)
      guard try reader.fixed(UInt32.self) == CRC32C.checksum(bytes[..<end]) else { return nil }
      return (number, payload)
    }
  }
}
