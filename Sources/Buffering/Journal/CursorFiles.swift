internal import LinuxSystem
internal import Telemetry

/// The durable cursors of the destinations, one record each.
struct CursorFiles {
  private let storage: any Storage
  private let directory: String
  private var records: [DestinationName: DurableRecord] = [:]

  /// Cursors in `directory`; none is read yet.
  init(storage: any Storage, directory: String) {
    self.storage = storage
    self.directory = directory
  }

  /// What each of `destinations` had acknowledged of each stream. A cursor that can't be read
  /// counts as nothing: repeats, never loss.
  mutating func add(
    _ destinations: [DestinationName]
  ) -> [DestinationName: [StreamName: AckSet]] {
    var loaded: [DestinationName: [StreamName: AckSet]] = [:]
    for destination in destinations {
      records[destination] = DurableRecord(
        storage: storage, path: directory + "/" + destination.description)
      loaded[destination] = [:]
      guard case .payload(let payload)? = records[destination]?.load() else { continue }
      loaded[destination] = try? payload.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes)
        var sets: [StreamName: AckSet] = [:]
        for stream in StreamName.allCases { sets[stream] = try AckSet(&reader) }
        return sets
      }
    }
    return loaded
  }

  /// Makes one destination's cursor durable.
  mutating func save(
    _ destination: DestinationName, _ sets: [StreamName: AckSet]
  ) throws(SystemError) {
    var writer = ByteWriter(capacity: 1024)
    for stream in StreamName.allCases { (sets[stream] ?? AckSet()).write(to: &writer) }
    try records[destination]?.save(writer.bytes)
  }
}
