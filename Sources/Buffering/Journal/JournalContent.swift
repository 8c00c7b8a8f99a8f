internal import LinuxSystem
internal import Synchronization
internal import Telemetry

/// What a journal holds while one store is open: where its batches stand, and what they are called.
/// Replaced as a whole when the store is opened anew.
final class JournalContent: Sendable {
  /// Names new batches.
  let current: AckSet.EpochID
  /// Grows with each replacement.
  let edition: UInt32
  let definitionFiles: DefinitionFiles
  private let events: SharedIndex
  private let data: SharedIndex
  private let isInMemory: Atomic<Bool>

  init(
    current: AckSet.EpochID, edition: UInt32, events: SharedIndex, data: SharedIndex,
    definitionFiles: DefinitionFiles, isInMemory: Bool
  ) {
    self.current = current
    self.edition = edition
    self.events = events
    self.data = data
    self.definitionFiles = definitionFiles
    self.isInMemory = Atomic(isInMemory)
  }

  func index(of stream: StreamName) -> SharedIndex {
    switch stream {
    case .events: events
    case .data: data
    }
  }

  /// Whether new batches go to a disk.
  var isDurable: Bool { !isInMemory.load(ordering: .relaxed) }

  /// From now on they go to memory.
  func leaveDisk() { isInMemory.store(true, ordering: .relaxed) }
}
