public import Telemetry

/// Batches of one epoch, by their seqs.
public struct BatchRun: Sendable, Hashable {
  /// The store that wrote them.
  public var store: UInt64
  /// Their epoch.
  public var epoch: UInt32
  /// Their seqs, both ends included.
  public var seqs: ClosedRange<UInt64>

  /// Names batches.
  public init(store: UInt64, epoch: UInt32, seqs: ClosedRange<UInt64>) {
    self.store = store
    self.epoch = epoch
    self.seqs = seqs
  }
}

/// Something in a store that is not as it was written.
public struct StoreFinding: Sendable, Hashable {
  /// What is wrong. Raw values are what `edge-agent journal` prints.
  public enum What: String, Sendable, Hashable, CaseIterable {
    /// Bytes between batches that are no batch.
    case damagedBytes = "damaged-bytes"
    /// A batch whose checksum is right and that can't be decoded: a device that it refers to, or a
    /// batch that it builds on, is damaged.
    case unreadableBatch = "unreadable-batch"
    /// A segment's first block: an agent passes over the whole file.
    case damagedHeader = "damaged-header"
    /// A segment that is shorter or longer than the others: an agent passes over it.
    case wrongSize = "wrong-size"
    /// A segment that a later agent wrote: this one can't say what is in it.
    case newerVersion = "newer-version"
    /// A file that can't be read at all.
    case unreadableFile = "unreadable-file"
    /// Batches that must have been written and that no file holds.
    case missingBatches = "missing-batches"
    /// A batch that stands where an earlier one has stood.
    case outOfOrder = "out-of-order"
    /// A file that an agent could not read and renamed.
    case putAside = "put-aside"
    /// The record of epochs, of clocks or a cursor: neither copy is whole.
    case damagedRecord = "damaged-record"
    /// What the points of batches are: the file is not there or not what its name says.
    case missingDefinitions = "missing-definitions"
  }

  /// The file from the store's directory on.
  public var file: String
  /// Where it begins in the file.
  public var offset: Int?
  /// How many bytes.
  public var length: Int?
  /// What is wrong.
  public var what: What
  /// The stream that it is about.
  public var stream: StreamName?
  /// The batches that can't be read because of it, where that is known.
  public var lost: BatchRun?
  /// More about it, in words.
  public var problem: String?
  /// Whether gap events of the store name all of `lost`.
  public var isExplained = false
}

/// A batch and where it stands.
public struct PlacedBatch: Sendable {
  /// The file from the store's directory on.
  public var file: String
  /// Where its frame begins in the file.
  public var offset: Int
  /// The frame's length with header and padding.
  public var bytes: Int
  /// The batch, as it is published.
  public var batch: Batch
}
