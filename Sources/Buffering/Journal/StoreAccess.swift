internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// The store's place on the disk: claimed by one agent, opened again after a fault. One thread's.
final class StoreAccess {
  /// A file that is made to see whether the disk takes any; recovery removes what is left of it.
  private static let probe = "/probe" + RecoveredStream.temporarySuffix
  private static let probeBytes = 4096

  let storage: any Storage
  private let directory: String
  private let isLocking: Bool
  private var lock: StoreLock?
  /// What is wrong with the store though it works.
  private(set) var notice: String?

  /// `isLocking` unless nobody else can come near.
  init(storage: any Storage, directory: String, isLocking: Bool) {
    self.storage = storage
    self.directory = directory
    self.isLocking = isLocking
  }

  /// Makes the directory and claims it, unless it is claimed already: a directory that somebody
  /// deleted and made anew is another one.
  func claim() throws(JournalError) {
    do throws(SystemError) {
      try storage.createDirectory(directory)
    } catch {
      throw .storage(error)
    }
    guard isLocking, lock?.isStanding != true else { return }
    do throws(StoreLockError) {
      lock = try StoreLock(directory: directory)
    } catch {
      throw .lock(error)
    }
  }

  /// Whether the claimed directory is still where it was.
  var isStanding: Bool { !isLocking || lock?.isStanding == true }

  /// Claims and opens the store. What `previous` holds in memory is taken over.
  func open(
    _ settings: JournalSettings, clock: any TimeSource, continuing previous: JournalStore? = nil
  ) throws(JournalError) -> JournalStore {
    try claim()
    if previous != nil { try probe(settings) }
    var settings = settings
    settings.directory = try readableDirectory()
    return try JournalStore(
      settings, storage: storage, clock: clock, isInMemory: !storage.isDurable,
      continuing: previous)
  }

  /// The store's directory, or, where a newer agent has written what stands there, one within it
  /// that bears this agent's version.
  private func readableDirectory() throws(JournalError) -> String {
    do throws(SystemError) {
      for stream in StreamName.allCases { try storage.createDirectory("\(directory)/\(stream)") }
      guard let newer = try NewerStore.version(of: directory, on: storage) else {
        notice = nil
        return directory
      }
      let known = SegmentHeader.currentVersion
      let beside = "\(directory)/version-\(known)"
      notice =
        "\(directory) has format version \(newer), this agent reads \(known): "
        + "left untouched, a store of its own is in \(beside)"
      return beside
    } catch {
      throw .storage(error)
    }
  }

  /// Opening begins an epoch; before that, whether the disk takes what has to follow.
  private func probe(_ settings: JournalSettings) throws(JournalError) {
    do throws(SystemError) {
      for stream in StreamName.allCases {
        let folder = "\(directory)/\(stream)"
        try storage.createDirectory(folder)
        let files = try storage.list(folder).filter { $0.hasSuffix(RecoveredStream.segmentSuffix) }
        // With files enough, those that are there can be used again.
        let count =
          files.count < JournalSettings.fewestSegments
          ? 2 * settings.segmentBytes : Self.probeBytes
        let path = folder + Self.probe
        defer { try? storage.remove(path) }
        let file = try storage.open(path, creating: true)
        try file.write([UInt8](repeating: 0, count: count), at: 0)
        try file.sync()
        try storage.rename(path, to: path)
      }
    } catch {
      throw .storage(error)
    }
  }
}
