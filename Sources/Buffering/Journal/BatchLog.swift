public import LinuxSystem
public import Telemetry

/// A place between two batches of a stream's log. Later places compare greater, also across epochs
/// and recycled segments; only the log that made a position can read it.
public struct LogPosition: Sendable, Hashable, Comparable {
  /// The log's edition that made it: see `BatchLog.edition`.
  public var edition: UInt32
  /// The segment's generation: grows with each segment that is begun, never repeats.
  public var generation: UInt64
  /// Bytes from the segment's start.
  public var offset: UInt32

  /// Makes a position.
  public init(edition: UInt32 = 0, generation: UInt64, offset: UInt32) {
    self.edition = edition
    self.generation = generation
    self.offset = offset
  }

  /// Before every batch there is.
  public static let start = LogPosition(generation: 0, offset: 0)

  /// By edition, then by generation, then by offset.
  public static func < (left: LogPosition, right: LogPosition) -> Bool {
    (left.edition, left.generation, left.offset) < (right.edition, right.generation, right.offset)
  }
}

/// Names a destination's cursor within the log.
public struct DestinationName: Sendable, Hashable, CustomStringConvertible {
  /// The name as configured under `uplinks`.
  public var description: String

  /// Names a destination.
  public init(_ name: String) { description = name }
}

/// What `health` says of a stream for one destination.
public struct StreamSummary: Sendable, Hashable {
  /// The newest batch appended; `nil` before the first of this epoch.
  public var newest: BatchIdentity?
  /// The oldest batch still kept.
  public var oldest: BatchIdentity?
  /// Batches that this destination has not acknowledged.
  public var unsent: Int
  /// Wall time in Unix milliseconds of the oldest of them.
  public var oldestUnsent: Int64?

  /// Makes a summary.
  public init(
    newest: BatchIdentity?, oldest: BatchIdentity?, unsent: Int, oldestUnsent: Int64?
  ) {
    self.newest = newest
    self.oldest = oldest
    self.unsent = unsent
    self.oldestUnsent = oldestUnsent
  }
}

/// Walks a stream's log in the order of appending. Belongs to the thread that made it.
public protocol BatchReader: AnyObject {
  /// Where the next batch is looked for.
  var position: LogPosition { get }

  /// The next batch before `limit` that its destination has not acknowledged, and moves past it;
  /// `nil` when there is none (yet). What was recycled meanwhile or can't be read is passed over:
  /// its gap event is the writer's matter.
  func next(before limit: LogPosition?) -> (batch: Batch, start: LogPosition)?
}

/// The log as a destination sees it. Every call may come from any thread and returns soon; reading
/// is the only one that waits for the disk.
public protocol BatchLog: Sendable {
  /// The random id of the store that takes new batches.
  var store: UInt64 { get }
  /// The epoch that new batches belong to.
  var epoch: UInt32 { get }

  /// Grows when the store was opened anew: readers of an older edition find nothing more, and a
  /// position of an older one stands for the oldest batch that is kept.
  var edition: UInt32 { get }

  /// The place behind the newest batch, where live delivery begins.
  func end(of stream: StreamName) -> LogPosition
  /// A reader for `destination` that begins at `position`, or at the oldest batch kept if that is
  /// later.
  func reader(
    of stream: StreamName, for destination: DestinationName, from position: LogPosition
  ) -> any BatchReader
  /// Marks a batch as delivered to `destination`. Durable within 10 s, and before its room is used
  /// again.
  func acknowledge(_ identity: BatchIdentity, by destination: DestinationName)
  /// Counts for `health`.
  func summary(of stream: StreamName, for destination: DestinationName) -> StreamSummary
  /// The payloads of `points/<digest>` that batches in the log refer to.
  func definitions() -> [UInt32: [UInt8]]
  /// A batch that was read from it with the times that are known by now: samples from before their
  /// boot learnt the time are dated anew.
  func dated(_ batch: Batch) -> Batch
  /// Wakes `descriptor` after every append.
  func wake(_ descriptor: EventFD)
}

extension BatchLog {
  /// A log that is never opened anew.
  public var edition: UInt32 { 0 }

  /// Batches as they were appended.
  public func dated(_ batch: Batch) -> Batch { batch }
}
