internal import LinuxSystem
internal import Telemetry

/// The durable cursors of the destinations, one record each.
struct CursorFiles {
  private var records: [DestinationName: DurableRecord]

  /// The cursors of `destinations` in `directory`.
  init(storage: any Storage, directory: String, destinations: [DestinationName]) {
    records = [:]
    for destination in destinations {
      records[destination] = DurableRecord(
        storage: storage, path: directory + "/" + destination.description)
    }
  }

  /// What each destination had acknowledged of each stream. A cursor that can't be read counts as
  /// nothing: repeats, never loss.
  mutating func load() -> [DestinationName: [StreamName: AckSet]] {
    var loaded: [DestinationName: [StreamName: AckSet]] = [:]
    for destination in records.keys {
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
