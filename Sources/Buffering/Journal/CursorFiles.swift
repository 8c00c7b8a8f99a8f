internal import LinuxSystem
internal import Telemetry

/// What a destination has acknowledged, and where it stands itself.
struct Cursor: Hashable {
  /// Whether anybody delivers to the destination. Raw values are part of the journal's format.
  enum Standing: Hashable {
    case inUse
    /// It is not configured any more.
    case removed(Removal)
    /// It is new, and no event has told yet what was passed over for it: just what `sets` say.
    case untold
  }

  /// For how long a destination has not been configured. The time is added up by the clock that
  /// never steps while the board runs: one that learns the date must not drop a week at once.
  struct Removal: Hashable {
    /// Milliseconds up to `countedAt`.
    var elapsed: Int64
    /// Milliseconds of `boot`'s monotonic clock.
    var countedAt: Int64
    var boot: BootID

    /// Its duration at a moment. Of a boot that ended, what followed is not known; of the one that
    /// runs, all of it counts.
    func elapsed(at monotonic: Int64, of boot: BootID) -> Int64 {
      let more = boot == self.boot ? monotonic - countedAt : monotonic
      return elapsed + max(0, more)
    }

    /// The same counted up to a moment.
    func counted(at monotonic: Int64, of boot: BootID) -> Removal {
      Removal(
        elapsed: elapsed(at: monotonic, of: boot), countedAt: monotonic, boot: boot)
    }
  }

  /// By stream; one that is absent has nothing acknowledged.
  var sets: [StreamName: AckSet] = [:]
  var standing = Standing.inUse

  /// A set for every stream.
  var acknowledged: [StreamName: AckSet] {
    Dictionary(uniqueKeysWithValues: StreamName.allCases.map { ($0, sets[$0] ?? AckSet()) })
  }
}

extension Cursor {
  private enum Mark: UInt8 {
    case inUse = 0
    case removed = 1
    case untold = 2
  }

  /// Reads a cursor's payload; what an older agent wrote ends behind the sets.
  init(_ payload: [UInt8]) throws {
    self = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var cursor = Cursor()
      for stream in StreamName.allCases { cursor.sets[stream] = try AckSet(&reader) }
      guard reader.remaining > 0 else { return cursor }
      switch Mark(rawValue: try reader.fixed(UInt8.self)) {
      case .removed:
        let elapsed = Int64(clamping: try reader.varint())
        let countedAt = Int64(clamping: try reader.varint())
        let boot = BootID(rawValue: try reader.fixed(UInt32.self))
        cursor.standing = .removed(Removal(elapsed: elapsed, countedAt: countedAt, boot: boot))
      case .untold: cursor.standing = .untold
      case .inUse, nil: break
      }
      return cursor
    }
  }

  /// The payload of its record.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 1024)
    for stream in StreamName.allCases { (sets[stream] ?? AckSet()).write(to: &writer) }
    switch standing {
    // As agents wrote it that knew of nothing else.
    case .inUse: break
    case .removed(let removal):
      writer.fixed(Mark.removed.rawValue)
      writer.varint(UInt64(max(0, removal.elapsed)))
      writer.varint(UInt64(max(0, removal.countedAt)))
      writer.fixed(removal.boot.rawValue)
    case .untold: writer.fixed(Mark.untold.rawValue)
    }
    return writer.bytes
  }
}

/// The durable cursors of the destinations, one record each.
struct CursorFiles {
  /// What was found of a cursor.
  enum Found {
    /// Nobody has ever delivered to it.
    case nothing
    /// It is there and can't be read.
    case unreadable
    case cursor(Cursor)
  }

  private let storage: any Storage
  private let directory: String
  private var records: [DestinationName: DurableRecord] = [:]

  /// Cursors in `directory`; none is read yet.
  init(storage: any Storage, directory: String) {
    self.storage = storage
    self.directory = directory
  }

  /// The destinations that have a cursor, in order of name.
  func names() throws(SystemError) -> [DestinationName] {
    let names = try storage.list(directory).filter { name in
      DurableRecord.suffixes.contains { name.hasSuffix($0) }
    }
    return Set(names.map { String($0.dropLast(2)) }).sorted().map { DestinationName($0) }
  }

  /// Reads one destination's cursor.
  mutating func load(_ destination: DestinationName) -> Found {
    var record = DurableRecord(storage: storage, path: path(of: destination))
    defer { records[destination] = record }
    switch record.load() {
    case .nothing: return .nothing
    case .unreadable: return .unreadable
    case .payload(let payload):
      do {
        return .cursor(try Cursor(payload))
      } catch {
        return .unreadable
      }
    }
  }

  /// Makes one destination's cursor durable.
  mutating func save(
    _ destination: DestinationName, _ cursor: Cursor
  ) throws(SystemError) {
    try records[destination]?.save(cursor.encoded())
  }

  /// Removes one destination's cursor; the destination is new the next time.
  mutating func remove(_ destination: DestinationName) throws(SystemError) {
    records[destination] = nil
    let there = Set(try storage.list(directory))
    for suffix in DurableRecord.suffixes where there.contains(destination.description + suffix) {
      try storage.remove(path(of: destination) + suffix)
    }
    try storage.syncDirectory(directory)
  }

  private func path(of destination: DestinationName) -> String {
    directory + "/" + destination.description
  }
}
