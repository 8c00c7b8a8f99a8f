internal import LinuxSystem
internal import Telemetry

/// The point definitions that batches refer to by digest, a file each: a batch that is delivered
/// after the configuration has changed still says what its points are.
final class DefinitionFiles: Sendable {
  /// A definitions file cannot be larger than the configuration of 1 MiB that it comes from lets
  /// it.
  private static let largestFile = 8 << 20
  private static let suffix = ".json"

  private let storage: any Storage
  private let directory: String
  /// The newest ones, which hardly ever change; read from disk once.
  private let cache = Monitor<[UInt32: [UInt8]]>([:])

  init(storage: any Storage, directory: String) {
    self.storage = storage
    self.directory = directory
  }

  /// Keeps `payload` durably under `digest`.
  func keep(_ payload: [UInt8], as digest: UInt32) throws(SystemError) {
    cache.withLock { $0[digest] = payload }
    let path = self.path(digest)
    // Usually they are there already, and then a full disk is no obstacle.
    if let file = try? storage.open(path, creating: false),
      let there = try? file.read(payload.count + 1, at: 0), there == payload
    {
      // Its name may still be in the page cache only.
      return try storage.syncDirectory(directory)
    }
    let temporary = path + ".new"
    let file = try storage.open(temporary, creating: true)
    try file.write(payload, at: 0)
    try file.sync()
    try storage.rename(temporary, to: path)
    try storage.syncDirectory(directory)
  }

  /// The payloads of `digests`; one that is not there any more is left out.
  func payloads(of digests: Set<UInt32>) -> [UInt32: [UInt8]] {
    cache.withLock { cache in
      cache = cache.filter { digests.contains($0.key) }
      for digest in digests where cache[digest] == nil {
        guard let file = try? storage.open(path(digest), creating: false),
          let size = try? file.size(), size <= Self.largestFile,
          let payload = try? file.read(size, at: 0), CRC32C.checksum(payload) == digest
        else { continue }
        cache[digest] = payload
      }
      return cache
    }
  }

  /// Removes the files of all but `digests`.
  func keepOnly(_ digests: Set<UInt32>) throws(SystemError) {
    for name in try storage.list(directory) where name.hasSuffix(Self.suffix) {
      guard let digest = UInt32(name.dropLast(Self.suffix.count), radix: 16),
        !digests.contains(digest)
      else { continue }
      try storage.remove(directory + "/" + name)
    }
  }

  private func path(_ digest: UInt32) -> String {
    directory + "/" + hexadecimal(UInt64(digest), digits: 8) + Self.suffix
  }
}
