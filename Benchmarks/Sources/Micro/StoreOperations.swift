internal import Buffering
internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// A journal whose writer turns on the caller's thread.
private struct Store {
  static let destination = DestinationName("province")

  let writer: JournalWriter
  private let ring = SampleRing()

  /// A journal in `directory`; in memory if that is `nil`.
  init(directory: String?) throws {
    // Nothing is synced while it is measured: what a sync takes is the disk's affair.
    let settings = JournalSettings(
      directory: directory ?? "/journal", dataBytes: 8 << 20, eventsBytes: 4 << 20,
      commitMilliseconds: 3_600_000, destinations: [Self.destination], definitions: [1],
      agentVersion: "0", boot: BootID(rawValue: 1))
    if directory == nil {
      writer = try .inMemory(
        settings, bytes: 16 << 20, ring: ring, clock: StandingClock(), observer: Deaf())
    } else {
      writer = try .open(settings, ring: ring, clock: StandingClock(), observer: Deaf())
    }
    writer.turn()
  }

  /// Hands samples over as buses do, and writes them as one batch.
  func append(_ samples: some Collection<DefinedSample>) {
    for sample in samples { ring.accept(sample) }
    writer.turn()
  }

  /// What the newest batch is named.
  var newest: BatchIdentity? { writer.journal.newest(of: .data) }

  /// The destination has it: what is read is no backlog.
  func acknowledgeNewest() {
    if let newest { writer.journal.acknowledge(newest, by: Self.destination) }
  }

  func reader() -> any BatchReader {
    writer.journal.reader(
      of: .data, for: Self.destination, from: writer.journal.end(of: .data))
  }
}

private struct StandingClock: TimeSource {
  func now() -> Timestamp { ExampleMine.start }
}

private struct Deaf: StoreObserver {
  func store(changedTo fault: String?) {}
}

/// Samples go through the ring into the journal as one batch. In memory the count is the journal's
/// own; on a file, with what the system calls need. Neither is synced.
final class Append: Operation {
  let name: String
  private let store: Store
  private let samples: ArraySlice<DefinedSample>
  private let directory: String?

  init(samples count: Int, onFile: Bool) throws {
    name = "append-\(count)x16\(onFile ? "-file" : "")"
    samples = ExampleMine.samples.prefix(count)
    directory = onFile ? try makeTemporaryDirectory() : nil
    store = try Store(directory: directory)
  }

  deinit { directory.map(removeDirectory) }

  func prepare() { store.acknowledgeNewest() }
  func run() { store.append(samples) }
}

/// A destination reads the batch that was just written, and acknowledges it.
final class Read: Operation {
  let name: String
  private let store: Store
  private let reader: any BatchReader
  private let samples: ArraySlice<DefinedSample>
  private var batch: Batch?

  init(samples count: Int) throws {
    name = "read-\(count)x16"
    samples = ExampleMine.samples.prefix(count)
    store = try Store(directory: nil)
    reader = store.reader()
  }

  func prepare() throws {
    batch = nil
    store.append(samples)
  }

  func run() {
    batch = reader.next(before: nil)?.batch
    if let batch { store.writer.journal.acknowledge(batch.identity, by: Store.destination) }
  }
}

/// The batch that `samples` become.
func storedBatch(of samples: some Collection<DefinedSample>) throws -> Batch? {
  let store = try Store(directory: nil)
  let reader = store.reader()
  store.append(samples)
  return reader.next(before: nil)?.batch
}

private func makeTemporaryDirectory() throws -> String {
  var template = Array("/tmp/bench-micro-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else {
    throw SystemError(call: "mkdtemp", subject: "/tmp", code: errno)
  }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func removeDirectory(_ path: String) {
  // A file has no entries.
  for entry in (try? DiskStorage().list(path)) ?? [] { removeDirectory(path + "/" + entry) }
  remove(path)
}
