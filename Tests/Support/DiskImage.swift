internal import LinuxSystem

/// What a power cut leaves of what was not synced.
public enum PowerCut: Sendable, Hashable, CaseIterable {
  /// Nothing.
  case nothing
  /// All of it.
  case everything
  /// All of it, and of the write that was being made some sectors: torn.
  case tornWrite
  /// Of each file, any subset of the sectors; of each directory, its first changes, up to any.
  case anySubset
}

/// A simulated disk as it was at a moment.
public struct DiskImage: Sendable {
  let tree: SimulatedTree

  init(tree: SimulatedTree) { self.tree = tree.frozen() }

  /// The disk as the next boot finds it; `pending` is the call during which the power went.
  public func afterPowerCut(
    _ cut: PowerCut, during pending: SimulatedDisk.Change? = nil,
    using generator: inout some RandomNumberGenerator
  ) -> SimulatedDisk {
    let torn = tree.frozen()
    if cut == .tornWrite, let pending, pending.call == .write {
      torn.names[pending.path]?.tear(pending, using: &generator)
    }
    return SimulatedDisk(torn.afterPowerCut(cut, using: &generator))
  }

  /// The disk as the next process finds it.
  public func afterKill() -> SimulatedDisk { SimulatedDisk(tree.frozen()) }
}

/// The names of a disk and what is behind them.
struct SimulatedTree: Sendable {
  enum Change: Sendable {
    case create(String, SimulatedFile)
    case rename(String, to: String)
    case remove(String)

    var directory: Substring {
      let path =
        switch self {
        case .create(let path, _), .rename(let path, _), .remove(let path): path
        }
      return path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)
    }

    func apply(to names: inout [String: SimulatedFile]) {
      switch self {
      case .create(let path, let file): names[path] = file
      case .rename(let old, let new):
        if let file = names.removeValue(forKey: old) { names[new] = file }
      case .remove(let path): names[path] = nil
      }
    }
  }

  private(set) var names: [String: SimulatedFile] = [:]
  private var durableNames: [String: SimulatedFile] = [:]
  private var unsynced: [Change] = []

  mutating func change(_ change: Change) {
    change.apply(to: &names)
    unsynced.append(change)
  }

  mutating func sync(_ directory: String) {
    for change in unsynced where change.directory == directory { change.apply(to: &durableNames) }
    unsynced.removeAll { $0.directory == directory }
  }

  /// A copy that shares no file with this one.
  func frozen() -> SimulatedTree {
    var copies: [ObjectIdentifier: SimulatedFile] = [:]
    func copy(_ file: SimulatedFile) -> SimulatedFile {
      let copy = copies[ObjectIdentifier(file)] ?? file.copy()
      copies[ObjectIdentifier(file)] = copy
      return copy
    }
    var frozen = SimulatedTree()
    frozen.names = names.mapValues(copy)
    frozen.durableNames = durableNames.mapValues(copy)
    frozen.unsynced = unsynced.map { change in
      if case .create(let path, let file) = change { .create(path, copy(file)) } else { change }
    }
    return frozen
  }

  func afterPowerCut(
    _ cut: PowerCut, using generator: inout some RandomNumberGenerator
  ) -> SimulatedTree {
    var survivors = durableNames
    var isCut: Set<Substring> = []
    for change in unsynced {
      switch cut {
      case .nothing: continue
      case .everything, .tornWrite: break
      case .anySubset:
        if isCut.contains(change.directory) { continue }
        if Bool.random(using: &generator) {
          isCut.insert(change.directory)
          continue
        }
      }
      change.apply(to: &survivors)
    }
    var next = SimulatedTree()
    for (path, file) in survivors.sorted(by: { $0.key < $1.key }) {
      next.names[path] = file.afterPowerCut(cut, using: &generator)
    }
    next.durableNames = next.names
    return next
  }
}

/// A file: what is read, and what a power cut leaves.
final class SimulatedFile: Sendable {
  private struct Content {
    var bytes: [UInt8] = []
    var durable: [UInt8] = []
    /// Sectors written since the last sync.
    var dirty: Set<Int> = []
    /// Sectors that a sync has failed to write: no later one will.
    var lost: Set<Int> = []

    mutating func write(_ more: some Collection<UInt8>, at offset: Int) {
      let end = offset + more.count
      if bytes.count < end {
        bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
      }
      bytes.replaceSubrange(offset..<end, with: more)
      guard end > offset else { return }
      let sectors = offset / sectorBytes...(end - 1) / sectorBytes
      dirty.formUnion(sectors)
      lost.subtract(sectors)
    }

    /// Brings these sectors to the disk.
    mutating func save(_ sectors: some Sequence<Int>) {
      for sector in sectors {
        let range = sector * sectorBytes..<min((sector + 1) * sectorBytes, bytes.count)
        if durable.count < range.upperBound {
          durable += [UInt8](repeating: 0, count: range.upperBound - durable.count)
        }
        durable.replaceSubrange(range, with: bytes[range])
      }
    }
  }

  private static let sectorBytes = 512
  private let content = Monitor(Content())

  init() {}

  private init(_ content: Content) { self.content.withLock { $0 = content } }

  var bytes: [UInt8] { content.withLock { $0.bytes } }

  func copy() -> SimulatedFile { SimulatedFile(content.withLock { $0 }) }

  func damage(_ change: (inout [UInt8]) -> Void) {
    var bytes = self.bytes
    change(&bytes)
    let changed = Content(bytes: bytes, durable: bytes)
    content.withLock { $0 = changed }
  }

  /// Some sectors of a write, but not all, where there are two.
  func tear(_ write: SimulatedDisk.Change, using generator: inout some RandomNumberGenerator) {
    let first = write.offset / Self.sectorBytes
    let end = write.offset + write.bytes.count
    for sector in first..<max(first + 1, (end + Self.sectorBytes - 1) / Self.sectorBytes) {
      let range =
        max(write.offset, sector * Self.sectorBytes)..<min(end, (sector + 1) * Self.sectorBytes)
      guard !range.isEmpty, Bool.random(using: &generator) else { continue }
      let part = write.bytes[range.lowerBound - write.offset..<range.upperBound - write.offset]
      content.withLock { $0.write(part, at: range.lowerBound) }
    }
  }

  func afterPowerCut(
    _ cut: PowerCut, using generator: inout some RandomNumberGenerator
  ) -> SimulatedFile {
    var content = self.content.withLock { $0 }
    let unsafe = content.dirty.union(content.lost).sorted()
    switch cut {
    case .nothing: break
    // The kernel will write what is dirty some day, but not what it holds for clean.
    case .everything, .tornWrite: content.save(content.dirty.subtracting(content.lost))
    case .anySubset: content.save(unsafe.filter { _ in Bool.random(using: &generator) })
    }
    return SimulatedFile(Content(bytes: content.durable, durable: content.durable))
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    nonisolated(unsafe) let buffer = buffer
    return content.withLock { content in
      let count = max(0, min(buffer.count, content.bytes.count - offset))
      if count > 0 { buffer.copyBytes(from: content.bytes[offset..<offset + count]) }
      return count
    }
  }

  func write(_ bytes: [UInt8], at offset: Int) {
    content.withLock { $0.write(bytes, at: offset) }
  }

  func sync() {
    content.withLock { content in
      content.save(content.dirty)
      content.dirty = []
    }
  }

  func lose() {
    content.withLock { content in
      content.lost.formUnion(content.dirty)
      content.dirty = []
    }
  }
}
