public import LinuxSystem
public import Telemetry

/// How a journal is kept.
public struct JournalSettings: Sendable {
  /// The store's directory; made if it is not there.
  public var directory: String
  /// Cap of the data stream's files together, in bytes.
  public var dataBytes: Int
  /// Cap of the events stream's files together, in bytes.
  public var eventsBytes: Int
  /// How long appended data may wait for its sync, in milliseconds: what a power cut can cost of
  /// what was not yet published. Events are synced at once.
  public var commitMilliseconds: Int64
  /// What the store leaves of its file system to others, in bytes: below it no segment file is
  /// made, and those that are there are used again.
  public var keepFreeBytes = 64 << 20
  /// What RAM may be taken while the disk can't be written, in bytes.
  var memoryBytes = JournalSettings.memoryBytes
  /// Who has a cursor.
  public var destinations: [DestinationName]
  /// Where those begin that are new; live for one that is not named.
  public var beginnings: [DestinationName: DestinationBeginning] = [:]
  /// How long a destination that is not configured any more holds what it has not acknowledged.
  public var keepRemovedMilliseconds: Int64 = 7 * 24 * 3_600_000
  /// The payload of `points/<digest>` for what is configured now.
  public var definitions: [UInt8]
  /// The agent's version, for the `start` event.
  public var agentVersion: String
  /// The boot that this process runs in.
  public var boot: BootID
  /// Size of a segment file. Small enough that recycling one gives up little at a time, large
  /// enough that its header and its sync cost nothing. Tests make it smaller to reach roll-over.
  var segmentBytes = 1 << 20

  /// What RAM may be taken while the disk can't be written: over an hour of 256 points a second,
  /// on boards that have 256 MiB.
  static let memoryBytes = 8 << 20
  /// Room that an event stream's segment keeps for explaining an eviction.
  static let mostReserveBytes = 16 * 1024
  var reserveBytes: Int { min(Self.mostReserveBytes, segmentBytes / 8) }
  /// A stream needs one segment to write to and one to take away.
  static let fewestSegments = 2

  /// What of it a stream may take.
  public static func memoryBytes(for stream: StreamName) -> Int {
    share(of: memoryBytes, for: stream)
  }

  static func share(of bytes: Int, for stream: StreamName) -> Int {
    stream == .events ? bytes / 4 : 3 * (bytes / 4)
  }

  /// Makes settings.
  public init(
    directory: String, dataBytes: Int, eventsBytes: Int, commitMilliseconds: Int64,
    destinations: [DestinationName], definitions: [UInt8], agentVersion: String, boot: BootID
  ) {
    self.directory = directory
    self.dataBytes = dataBytes
    self.eventsBytes = eventsBytes
    self.commitMilliseconds = commitMilliseconds
    self.destinations = destinations
    self.definitions = definitions
    self.agentVersion = agentVersion
    self.boot = boot
  }

  /// The digest that names `definitions`: their CRC-32C.
  public var definitionsDigest: UInt32 { CRC32C.checksum(definitions) }
}

/// What a reload changes in a running journal.
public struct JournalChange: Sendable {
  /// Who has a cursor from now on.
  public var destinations: [DestinationName]
  /// Where those begin that are new; live for one that is not named.
  public var beginnings: [DestinationName: DestinationBeginning] = [:]
  /// The payload of `points/<digest>` for what is configured now.
  public var definitions: [UInt8]

  /// Makes a change.
  public init(destinations: [DestinationName], definitions: [UInt8]) {
    self.destinations = destinations
    self.definitions = definitions
  }

  /// The digest that names `definitions`.
  public var definitionsDigest: UInt32 { CRC32C.checksum(definitions) }
}

/// Why a journal could not be opened.
public enum JournalError: Error, Sendable, CustomStringConvertible {
  /// Another agent holds the store.
  case lock(StoreLockError)
  /// The store can't be read or written.
  case storage(SystemError)

  /// What is wrong, in one line.
  public var description: String {
    switch self {
    case .lock(let error): error.description
    case .storage(let error): error.description
    }
  }
}
