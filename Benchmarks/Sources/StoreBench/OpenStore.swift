internal import Buffering
internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// A store whose writer turns on the caller's thread.
struct OpenStore {
  static let destination = DestinationName("province")

  let ring = SampleRing()
  private let writer: JournalWriter

  /// Opens or makes a store; with `isSynced` each turn ends with a sync.
  init(_ directory: String, dataBytes: Int, isSynced: Bool) throws {
    let settings = JournalSettings(
      directory: directory, dataBytes: dataBytes, eventsBytes: 4 << 20,
      commitMilliseconds: isSynced ? 0 : 3_600_000, destinations: [Self.destination],
      definitions: [1], agentVersion: "0", boot: BootID(rawValue: 1))
    writer = try .open(settings, ring: ring, clock: BenchClock(), observer: Failing())
  }

  /// Hands samples over as buses do, and writes them.
  func append(_ samples: [DefinedSample]) {
    for sample in samples { ring.accept(sample) }
    writer.turn()
  }

  /// Seq of the newest batch of data.
  var newest: BatchIdentity? { writer.journal.newest(of: .data) }

  func acknowledgeNewest() {
    if let newest { writer.journal.acknowledge(newest, by: Self.destination) }
  }
}

private struct BenchClock: TimeSource {
  func now() -> Timestamp {
    Timestamp(monotonic: 1_000_000, offset: 1_760_000_000_000, clock: .synced)
  }
}

/// A figure of a store that failed is no figure.
private struct Failing: StoreObserver {
  func store(changedTo fault: String?) {
    guard let fault else { return }
    print("bench-store: \(fault)")
    exit(1)
  }
}

/// Bytes of the segment files of a store's data, and how many there are.
func segments(of directory: String) throws -> (count: Int, bytes: Int) {
  let storage = DiskStorage()
  var (count, bytes) = (0, 0)
  for name in try storage.list(directory + "/data") where name.hasSuffix(".seg") {
    count += 1
    bytes += try storage.open(directory + "/data/" + name, creating: false).size()
  }
  return (count, bytes)
}

/// Removes what is below a path, and it.
func removeTree(_ path: String) {
  // A file has no entries.
  for entry in (try? DiskStorage().list(path)) ?? [] { removeTree(path + "/" + entry) }
  remove(path)
}

/// Has the kernel forget the pages of all files below a path, so that they are read from the disk.
func dropPages(_ path: String) {
  let entries = (try? DiskStorage().list(path)) ?? []
  for entry in entries { dropPages(path + "/" + entry) }
  guard entries.isEmpty else { return }
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  fsync(descriptor)
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  close(descriptor)
}

/// Seconds of the monotonic clock.
func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
