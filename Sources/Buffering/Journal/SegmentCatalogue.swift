internal import LinuxSystem
internal import Telemetry

/// What was found in segments that are full and that the headers alone say nothing of: those in
/// which an epoch ended. Kept in a record, so that each is read once, not at every start: a board
/// that restarts daily has hundreds of them. A value.
struct SegmentCatalogue: Hashable {
  /// Beyond this it is not kept, and the segments are read again.
  private static let mostBytes = 512 * 1024

  /// Names a segment: generations repeat in other stores only.
  struct Key: Hashable {
    var stream: StreamName
    var store: UInt64
    var generation: UInt64
  }

  struct Entry: Hashable {
    var end: Int
    var runs: [SegmentScan.Run]
  }

  private(set) var entries: [Key: Entry] = [:]

  /// Knows nothing.
  init() {}

  /// What recovery found.
  init(_ recovered: [RecoveredStream]) {
    for stream in recovered {
      for segment in stream.index.segments.dropLast() where segment.isKnown && segment.isScanned {
        let runs = segment.runs.map { SegmentScan.Run(epoch: $0.epoch.epoch, seqs: $0.seqs) }
        entries[Key(stream.index.stream, segment.header)] = Entry(end: segment.end, runs: runs)
      }
    }
  }

  func entry(_ stream: StreamName, _ header: SegmentHeader) -> Entry? {
    entries[Key(stream, header)]
  }

  /// The payload of its record; `nil` if it is too large to be kept.
  func encoded() -> [UInt8]? {
    var writer = ByteWriter(capacity: 64 + entries.count * 48)
    writer.varint(UInt64(entries.count))
    for (key, entry) in entries.sorted(by: { $0.key < $1.key }) {
      writer.fixed(key.stream.rawValue)
      writer.fixed(key.store)
      writer.varint(key.generation)
      writer.varint(UInt64(entry.end))
      writer.varint(UInt64(entry.runs.count))
      for run in entry.runs {
        writer.varint(UInt64(run.epoch))
        writer.varint(run.seqs.lowerBound)
        writer.varint(UInt64(run.seqs.count - 1))
      }
    }
    return writer.count <= Self.mostBytes ? writer.bytes : nil
  }

  init(_ payload: [UInt8]) throws {
    self = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var catalogue = SegmentCatalogue()
      for _ in 0..<(try reader.count()) {
        guard let stream = StreamName(rawValue: try reader.fixed(UInt8.self)) else {
          throw MalformedBytes(description: "no stream")
        }
        let key = Key(
          stream: stream, store: try reader.fixed(UInt64.self), generation: try reader.varint())
        var entry = Entry(end: Int(clamping: try reader.varint()), runs: [])
        for _ in 0..<(try reader.count()) {
          let epoch = UInt32(truncatingIfNeeded: try reader.varint())
          let first = try reader.ordinal()
          entry.runs.append(
            SegmentScan.Run(epoch: epoch, seqs: first...first + (try reader.ordinal())))
        }
        catalogue.entries[key] = entry
      }
      return catalogue
    }
  }
}

extension SegmentCatalogue.Key: Comparable {
  fileprivate init(_ stream: StreamName, _ header: SegmentHeader) {
    self.init(stream: stream, store: header.store, generation: header.generation)
  }

  static func < (left: Self, right: Self) -> Bool {
    (left.stream.rawValue, left.generation, left.store)
      < (right.stream.rawValue, right.generation, right.store)
  }
}
