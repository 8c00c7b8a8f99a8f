public import Buffering
internal import Glibc
public import LinuxSystem

/// A disk whose power can be cut and whose calls can be made to fail.
///
/// What a power cut leaves is `PowerCut`'s matter. A kill leaves all that was written, in the page
/// cache: what was not synced before can still be lost in a power cut after it. What a sync that
/// failed was to write is lost in the next power cut unless it is written again: the kernel has
/// marked its pages clean.
public final class SimulatedDisk: Storage {
  /// A call of the storage.
  public enum Call: Sendable, Hashable, CaseIterable {
    case open, write, sync, size, read, list, rename, remove, createDirectory, syncDirectory
  }

  /// A call that changes something and is about to be made.
  public struct Change: Sendable {
    /// Which one.
    public var call: Call
    /// What it is called on.
    public var path: String
    /// Where in the file, and what, if it is a write.
    public var offset = 0
    /// What is written.
    public var bytes: [UInt8] = []
  }

  fileprivate struct Failure {
    var calls: Set<Call>
    var callsBefore: Int
    var code: Int32
    var isLasting: Bool
    var folder: String
    /// Only calls that need room on the disk.
    var isForRoom = false
  }

  fileprivate struct State {
    var tree = SimulatedTree()
    var deletedDirectories: Set<String> = []
    var failures: [Failure] = []
    var counts: [Call: Int] = [:]
    var actions: [Call: @Sendable () -> Void] = [:]
    var observer: (@Sendable (Change) -> Void)?
    var openFiles = 0
    var failedCalls = 0
    var firstFailed: String?
    var isUndisturbed = false
    var capacity = Int.max
  }

  fileprivate let state = Monitor(State())

  /// Starts with an empty disk.
  public init() {}

  init(_ tree: SimulatedTree) { state.withLock { $0.tree = tree } }

  /// Pretends to be a disk.
  public var isDurable: Bool { true }

  /// Lets `call` fail with `code` after it has succeeded `callsBefore` more times: once, or from
  /// then on until `heal`. Only calls on files in `folder`, where one is given.
  public func fail(
    _ call: Call, after callsBefore: Int = 0, code: Int32, lasting: Bool = false,
    in folder: String = ""
  ) {
    add(
      Failure(
        calls: [call], callsBefore: callsBefore, code: code, isLasting: lasting, folder: folder))
  }

  /// Lets whatever call comes after `callsBefore` others fail with `code`, once or until `heal`.
  /// With ENOSPC, calls that need no room are neither counted nor fail.
  public func failAny(after callsBefore: Int, code: Int32, lasting: Bool = false) {
    add(
      Failure(
        calls: Set(Call.allCases), callsBefore: callsBefore, code: code, isLasting: lasting,
        folder: "", isForRoom: code == ENOSPC))
  }

  private func add(_ failure: Failure) { state.withLock { $0.failures.append(failure) } }

  /// No call fails any more.
  public func heal() { state.withLock { $0.failures = [] } }

  /// Lets the calls fail that were to fail on `other`: the same disk under another process.
  public func takeFailures(of other: SimulatedDisk) {
    let failing = other.state.withLock { $0 }
    state.withLock {
      $0.failures = failing.failures
      $0.failedCalls = failing.failedCalls
      $0.firstFailed = failing.firstFailed
    }
  }

  /// Lets something happen just before `call` is made the next time, on the caller's thread.
  public func before(_ call: Call, _ action: @escaping @Sendable () -> Void) {
    state.withLock { $0.actions[call] = action }
  }

  /// Is told of every call that changes something, before it is made, on the caller's thread; `nil`
  /// ends it.
  public func observe(_ observer: (@Sendable (Change) -> Void)?) {
    state.withLock { $0.observer = observer }
  }

  /// Lets the disk have room for so many bytes of files and no more.
  public func limit(to capacity: Int) { state.withLock { $0.capacity = capacity } }

  /// What may still be written.
  public func freeBytes(_ directory: String) -> Int {
    let (files, capacity) = state.withLock { (Array($0.tree.names.values), $0.capacity) }
    return capacity == .max ? .max : max(0, capacity - files.reduce(0) { $0 + $1.bytes.count })
  }

  /// How often a call was made.
  public func count(of call: Call) -> Int { state.withLock { $0.counts[call] ?? 0 } }

  /// How many calls have failed.
  public var failedCalls: Int { state.withLock { $0.failedCalls } }

  /// The first call that failed, and on what.
  public var firstFailed: String? { state.withLock { $0.firstFailed } }

  /// Lets `body` look at the disk without being failed, counted or told of.
  public func undisturbed<Result>(_ body: () throws -> Result) rethrows -> Result {
    state.withLock { $0.isUndisturbed = true }
    defer { state.withLock { $0.isUndisturbed = false } }
    return try body()
  }

  /// The disk with all that it would hold now, to cut its power or kill its user later.
  public func image() -> DiskImage { DiskImage(tree: state.withLock { $0.tree }) }

  /// The disk as the next boot finds it. Files that are still open keep writing to the old one.
  public func afterPowerCut(
    using generator: inout some RandomNumberGenerator
  ) -> SimulatedDisk {
    image().afterPowerCut(.anySubset, using: &generator)
  }

  /// The disk as a process finds it that starts after another was killed: all that was written.
  public func afterKill() -> SimulatedDisk { image().afterKill() }

  /// Changes bytes of a file behind the back of whoever has it open.
  public func damage(_ path: String, _ change: (inout [UInt8]) -> Void) {
    state.withLock { $0.tree.names[path] }?.damage(change)
  }

  /// Deletes a directory with all that is in it, as somebody with `rm -r` would.
  public func delete(_ directory: String) {
    state.withLock { state in
      for path in state.tree.names.keys where path.hasPrefix(directory + "/") {
        state.tree.change(.remove(path))
        let parent = path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)
        state.deletedDirectories.insert(String(parent))
        state.tree.sync(String(parent))
      }
      state.deletedDirectories.insert(directory)
    }
  }

  fileprivate func isRemoved(_ file: SimulatedFile) -> Bool {
    state.withLock { state in !state.tree.names.values.contains { $0 === file } }
  }

  /// How many files are open.
  public var openFiles: Int { state.withLock { $0.openFiles } }

  fileprivate func note(opened: Int) { state.withLock { $0.openFiles += opened } }

  /// The paths of all files.
  public var paths: [String] { state.withLock { $0.tree.names.keys.sorted() } }

  /// The bytes of a file; none if it is not there.
  public func bytes(of path: String) -> [UInt8] {
    state.withLock { $0.tree.names[path] }?.bytes ?? []
  }

  fileprivate func begin(
    _ call: Call, _ path: String, needsRoom: Bool, _ change: Change? = nil
  ) throws(SystemError) {
    let (isUndisturbed, observer) = state.withLock { ($0.isUndisturbed, $0.observer) }
    if isUndisturbed { return }
    let action = state.withLock { $0.actions.removeValue(forKey: call) }
    action?()
    if let change { observer?(change) }
    let code: Int32? = state.withLock { state in
      state.counts[call, default: 0] += 1
      for index in state.failures.indices where state.failures[index].calls.contains(call) {
        let failure = state.failures[index]
        guard failure.folder.isEmpty || path.contains("/\(failure.folder)/") else { continue }
        guard needsRoom || !failure.isForRoom else { continue }
        if failure.callsBefore > 0 {
          state.failures[index].callsBefore -= 1
          continue
        }
        state.failedCalls += 1
        state.firstFailed = state.firstFailed ?? "\(call) \(path)"
        if !failure.isLasting { state.failures.remove(at: index) }
        return failure.code
      }
      return nil
    }
    if let code { throw SystemError(call: "\(call)", subject: path, code: code) }
  }

  /// Makes a directory and its parents.
  public func createDirectory(_ path: String) throws(SystemError) {
    // One that is there needs nothing.
    try begin(.createDirectory, path, needsRoom: false)
    state.withLock { _ = $0.deletedDirectories.remove(path) }
  }

  /// The names in a directory.
  public func list(_ directory: String) throws(SystemError) -> [String] {
    try begin(.list, directory, needsRoom: false)
    let prefix = directory + "/"
    return state.withLock { state in
      let names = state.tree.names.keys.filter { $0.hasPrefix(prefix) }
      return names.map { String($0.dropFirst(prefix.count)) }.filter { !$0.contains("/") }
    }
  }

  /// Opens a file, or makes it.
  public func open(_ path: String, creating: Bool) throws(SystemError) -> any StorageFile {
    let isNew = creating && state.withLock { $0.tree.names[path] == nil }
    try begin(.open, path, needsRoom: isNew, isNew ? Change(call: .open, path: path) : nil)
    let file: SimulatedFile? = state.withLock { state in
      if let file = state.tree.names[path] { return file }
      guard creating, let slash = path.lastIndex(of: "/"),
        !state.deletedDirectories.contains(String(path[..<slash]))
      else { return nil }
      let file = SimulatedFile()
      state.tree.change(.create(path, file))
      return file
    }
    guard let file else { throw SystemError(call: "open", subject: path, code: ENOENT) }
    return Descriptor(of: file, at: path, on: self)
  }

  /// Gives a file another name.
  public func rename(_ old: String, to new: String) throws(SystemError) {
    try begin(.rename, old, needsRoom: true, Change(call: .rename, path: old))
    state.withLock { $0.tree.change(.rename(old, to: new)) }
  }

  /// Removes a file.
  public func remove(_ path: String) throws(SystemError) {
    try begin(.remove, path, needsRoom: false, Change(call: .remove, path: path))
    state.withLock { $0.tree.change(.remove(path)) }
  }

  /// Makes the names in a directory durable.
  public func syncDirectory(_ path: String) throws(SystemError) {
    try begin(.syncDirectory, path, needsRoom: true, Change(call: .syncDirectory, path: path))
    state.withLock { $0.tree.sync(path) }
  }
}

/// An open file.
private final class Descriptor: StorageFile {
  private let file: SimulatedFile
  private let path: String
  private let disk: SimulatedDisk

  init(of file: SimulatedFile, at path: String, on disk: SimulatedDisk) {
    self.file = file
    self.path = path
    self.disk = disk
    disk.note(opened: 1)
  }

  deinit { disk.note(opened: -1) }

  func size() throws(SystemError) -> Int {
    try disk.begin(.size, path, needsRoom: false)
    return file.bytes.count
  }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try disk.begin(.read, path, needsRoom: false)
    return file.read(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
    let change = SimulatedDisk.Change(
      call: .write, path: path, offset: offset, bytes: Array(bytes))
    do throws(SystemError) {
      try disk.begin(.write, path, needsRoom: true, change)
    } catch {
      // What a write that failed has done is anybody's guess: here, the first half of it.
      file.write(Array(change.bytes.prefix(change.bytes.count / 2)), at: offset)
      throw error
    }
    let growth = max(0, offset + bytes.count - file.bytes.count)
    guard growth == 0 || growth <= disk.freeBytes(path) else {
      throw SystemError(call: "write", subject: path, code: ENOSPC)
    }
    file.write(change.bytes, at: offset)
  }

  func sync() throws(SystemError) {
    do throws(SystemError) {
      try disk.begin(.sync, path, needsRoom: true, SimulatedDisk.Change(call: .sync, path: path))
    } catch {
      file.lose()
      throw error
    }
    file.sync()
  }

  var isRemoved: Bool { disk.isRemoved(file) }
}
