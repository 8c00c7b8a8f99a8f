public import Buffering
internal import Glibc
public import LinuxSystem

/// A disk whose power can be cut and whose calls can be made to fail.
///
/// What a power cut leaves: all that was synced; of what was written since the last sync of a file,
/// any subset of its 512-byte sectors, in any order; of created, renamed and removed names in a
/// directory that was not synced since, the state at the last sync of that directory.
public final class SimulatedDisk: Storage {
  /// A call of the storage.
  public enum Call: Sendable, Hashable {
    case open, write, sync, read, rename, syncDirectory
  }

  fileprivate struct Failure {
    var call: Call
    var callsBefore: Int
    var code: Int32
    var isLasting: Bool
    var folder: String
  }

  fileprivate struct State {
    var names: [String: SimulatedFile] = [:]
    var durableNames: [String: SimulatedFile] = [:]
    var directories: Set<String> = []
    var deletedDirectories: Set<String> = []
    var failures: [Failure] = []
    var counts: [Call: Int] = [:]
    var actions: [Call: @Sendable () -> Void] = [:]
    var openFiles = 0
    var capacity = Int.max
  }

  fileprivate let state = Monitor(State())

  /// Starts with an empty disk.
  public init() {}

  /// Pretends to be a disk.
  public var isDurable: Bool { true }

  /// Lets `call` fail with `code` after it has succeeded `callsBefore` more times: once, or from
  /// then on until `heal`. Only calls on files in `folder`, where one is given.
  public func fail(
    _ call: Call, after callsBefore: Int = 0, code: Int32, lasting: Bool = false,
    in folder: String = ""
  ) {
    state.withLock {
      $0.failures.append(
        Failure(
          call: call, callsBefore: callsBefore, code: code, isLasting: lasting, folder: folder))
    }
  }

  /// No call fails any more.
  public func heal() { state.withLock { $0.failures = [] } }

  /// Lets something happen just before `call` is made the next time, on the caller's thread.
  public func before(_ call: Call, _ action: @escaping @Sendable () -> Void) {
    state.withLock { $0.actions[call] = action }
  }

  /// Lets the disk have room for so many bytes of files and no more.
  public func limit(to capacity: Int) { state.withLock { $0.capacity = capacity } }

  /// What may still be written.
  public func freeBytes(_ directory: String) -> Int {
    let (files, capacity) = state.withLock { (Array($0.names.values), $0.capacity) }
    return capacity == .max ? .max : max(0, capacity - files.reduce(0) { $0 + $1.size() })
  }

  /// How often a call was made.
  public func count(of call: Call) -> Int { state.withLock { $0.counts[call] ?? 0 } }

  /// The disk as the next boot finds it. Files that are still open keep writing to the old one.
  public func afterPowerCut(
    using generator: inout some RandomNumberGenerator
  ) -> SimulatedDisk {
    let next = SimulatedDisk()
    let (names, directories) = state.withLock { ($0.durableNames, $0.directories) }
    var survivors: [String: SimulatedFile] = [:]
    for (path, file) in names.sorted(by: { $0.key < $1.key }) {
      survivors[path] = file.afterPowerCut(of: next, using: &generator)
    }
    next.adopt(survivors, directories)
    return next
  }

  /// The disk as a process finds it that starts after another was killed: all that was written.
  public func afterKill() -> SimulatedDisk {
    let next = SimulatedDisk()
    let (names, directories) = state.withLock { ($0.names, $0.directories) }
    next.adopt(names.mapValues { $0.copy(of: next) }, directories)
    return next
  }

  /// Changes bytes of a file behind the back of whoever has it open.
  public func damage(_ path: String, _ change: (inout [UInt8]) -> Void) {
    state.withLock { $0.names[path] }?.damage(change)
  }

  /// Deletes a directory with all that is in it, as somebody with `rm -r` would.
  public func delete(_ directory: String) {
    state.withLock { state in
      state.names = state.names.filter { !$0.key.hasPrefix(directory + "/") }
      state.durableNames = state.durableNames.filter { !$0.key.hasPrefix(directory + "/") }
      let gone = state.directories.filter { $0 == directory || $0.hasPrefix(directory + "/") }
      state.directories.subtract(gone)
      state.deletedDirectories.formUnion(gone)
    }
  }

  fileprivate func isRemoved(_ file: SimulatedFile) -> Bool {
    state.withLock { state in !state.names.values.contains { $0 === file } }
  }

  /// How many files are open.
  public var openFiles: Int { state.withLock { $0.openFiles } }

  fileprivate func note(opened: Int) { state.withLock { $0.openFiles += opened } }

  /// The paths of all files.
  public var paths: [String] { state.withLock { $0.names.keys.sorted() } }

  private func adopt(_ files: [String: SimulatedFile], _ directories: Set<String>) {
    state.withLock { state in
      state.names = files
      state.durableNames = files
      state.directories = directories
    }
  }

  fileprivate func begin(_ call: Call, _ path: String) throws(SystemError) {
    let action = state.withLock { $0.actions.removeValue(forKey: call) }
    action?()
    let code: Int32? = state.withLock { state in
      state.counts[call, default: 0] += 1
      for index in state.failures.indices where state.failures[index].call == call {
        let folder = state.failures[index].folder
        guard folder.isEmpty || path.contains("/\(folder)/") else { continue }
        if state.failures[index].callsBefore > 0 {
          state.failures[index].callsBefore -= 1
          continue
        }
        let code = state.failures[index].code
        if !state.failures[index].isLasting { state.failures.remove(at: index) }
        return code
      }
      return nil
    }
    if let code { throw SystemError(call: "\(call)", subject: path, code: code) }
  }

  /// Makes a directory and its parents.
  public func createDirectory(_ path: String) {
    state.withLock { state in
      state.directories.insert(path)
      state.deletedDirectories.remove(path)
    }
  }

  /// The names in a directory.
  public func list(_ directory: String) throws(SystemError) -> [String] {
    let prefix = directory + "/"
    return state.withLock { state in
      state.names.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        .filter { !$0.contains("/") }
    }
  }

  /// Opens a file, or makes it.
  public func open(_ path: String, creating: Bool) throws(SystemError) -> any StorageFile {
    try begin(.open, path)
    let file: SimulatedFile? = state.withLock { state in
      if let file = state.names[path] { return file }
      guard creating, let slash = path.lastIndex(of: "/"),
        !state.deletedDirectories.contains(String(path[..<slash]))
      else { return nil }
      let file = SimulatedFile(disk: self, path: path)
      state.names[path] = file
      return file
    }
    guard let file else { throw SystemError(call: "open", subject: path, code: ENOENT) }
    return Descriptor(of: file, on: self)
  }

  /// Gives a file another name.
  public func rename(_ old: String, to new: String) throws(SystemError) {
    try begin(.rename, old)
    state.withLock { state in
      state.names[new] = state.names.removeValue(forKey: old)
    }
  }

  /// Removes a file.
  public func remove(_ path: String) {
    state.withLock { $0.names[path] = nil }
  }

  /// Makes the names in a directory durable.
  public func syncDirectory(_ path: String) throws(SystemError) {
    try begin(.syncDirectory, path)
    let prefix = path + "/"
    func isInside(_ name: String) -> Bool {
      name.hasPrefix(prefix) && !name.dropFirst(prefix.count).contains("/")
    }
    state.withLock { state in
      state.durableNames = state.durableNames.filter { !isInside($0.key) }
      for (name, file) in state.names where isInside(name) { state.durableNames[name] = file }
    }
  }
}

/// An open file.
private final class Descriptor: StorageFile {
  private let file: SimulatedFile
  private let disk: SimulatedDisk

  init(of file: SimulatedFile, on disk: SimulatedDisk) {
    self.file = file
    self.disk = disk
    disk.note(opened: 1)
  }

  deinit { disk.note(opened: -1) }

  func size() -> Int { file.size() }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try file.read(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
    try file.write(bytes, at: offset)
  }

  func sync() throws(SystemError) { try file.sync() }

  var isRemoved: Bool { disk.isRemoved(file) }
}

private final class SimulatedFile: StorageFile {
  private struct Content {
    var bytes: [UInt8] = []
    var durable: [UInt8] = []
    /// Sectors written since the last sync.
    var dirty: Set<Int> = []
  }

  private static let sectorBytes = 512
  private let disk: SimulatedDisk
  private let path: String
  private let content = Monitor(Content())

  init(disk: SimulatedDisk, path: String) {
    self.disk = disk
    self.path = path
  }

  private init(disk: SimulatedDisk, path: String, bytes: [UInt8]) {
    self.disk = disk
    self.path = path
    content.withLock {
      $0.bytes = bytes
      $0.durable = bytes
    }
  }

  func copy(of disk: SimulatedDisk) -> SimulatedFile {
    SimulatedFile(disk: disk, path: path, bytes: content.withLock { $0.bytes })
  }

  func damage(_ change: (inout [UInt8]) -> Void) {
    var bytes = content.withLock { $0.bytes }
    change(&bytes)
    let changed = bytes
    content.withLock {
      $0.bytes = changed
      $0.durable = changed
    }
  }

  func afterPowerCut(
    of disk: SimulatedDisk, using generator: inout some RandomNumberGenerator
  ) -> SimulatedFile {
    let (bytes, durable, dirty) = content.withLock { ($0.bytes, $0.durable, $0.dirty) }
    var survivor = durable
    for sector in dirty.sorted() where Bool.random(using: &generator) {
      let range = sector * Self.sectorBytes..<min((sector + 1) * Self.sectorBytes, bytes.count)
      if survivor.count < range.upperBound {
        survivor += [UInt8](repeating: 0, count: range.upperBound - survivor.count)
      }
      survivor.replaceSubrange(range, with: bytes[range])
    }
    return SimulatedFile(disk: disk, path: path, bytes: survivor)
  }

  func size() -> Int { content.withLock { $0.bytes.count } }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try disk.begin(.read, path)
    nonisolated(unsafe) let buffer = buffer
    return content.withLock { content in
      let count = max(0, min(buffer.count, content.bytes.count - offset))
      if count > 0 { buffer.copyBytes(from: content.bytes[offset..<offset + count]) }
      return count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
    try disk.begin(.write, path)
    let growth = max(0, offset + bytes.count - size())
    guard growth == 0 || growth <= disk.freeBytes(path) else {
      throw SystemError(call: "write", subject: path, code: ENOSPC)
    }
    nonisolated(unsafe) let bytes = bytes
    content.withLock { content in
      let end = offset + bytes.count
      if content.bytes.count < end {
        content.bytes.append(contentsOf: repeatElement(0, count: end - content.bytes.count))
      }
      content.bytes.replaceSubrange(offset..<end, with: bytes)
      guard end > offset else { return }
      content.dirty.formUnion(offset / Self.sectorBytes...(end - 1) / Self.sectorBytes)
    }
  }

  func sync() throws(SystemError) {
    try disk.begin(.sync, path)
    content.withLock { content in
      content.durable = content.bytes
      content.dirty = []
    }
  }
}
