internal import Telemetry

/// What has to be known of a store before anything in it is read: its id, its epoch, and the epochs
/// that no `start` event is known to have told the receivers of.
struct EpochRecord: Hashable {
  /// More starts than this in a row without one `start` event reaching the disk mean a board that
  /// crashes at once; the oldest are then left out of the account.
  static let mostUntold = 64

  var store: UInt64
  var epoch: UInt32
  /// Whether the epoch was ended by an orderly stop.
  var isClean: Bool
  /// Epochs before this one that are still to be told, the oldest first, with whether they ended
  /// cleanly.
  var untold: [Ended]

  struct Ended: Hashable {
    var id: AckSet.EpochID
    var isClean: Bool
  }

  /// The record of a new store.
  static func fresh(store: UInt64) -> EpochRecord {
    EpochRecord(store: store, epoch: 0, isClean: true, untold: [])
  }

  /// The record of the epoch that begins now.
  func beginningNext() -> EpochRecord {
    var next = self
    if epoch > 0 {
      let id = AckSet.EpochID(store: store, epoch: epoch)
      next.untold.append(Ended(id: id, isClean: isClean))
      next.untold.removeFirst(max(0, next.untold.count - Self.mostUntold))
    }
    next.epoch += 1
    next.isClean = false
    return next
  }

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.fixed(store)
    writer.fixed(epoch)
    writer.fixed(UInt8(isClean ? 1 : 0))
    writer.varint(UInt64(untold.count))
    for ended in untold {
      writer.fixed(ended.id.store)
      writer.fixed(ended.id.epoch)
      writer.fixed(UInt8(ended.isClean ? 1 : 0))
    }
    return writer.bytes
  }

  init(store: UInt64, epoch: UInt32, isClean: Bool, untold: [Ended]) {
    self.store = store
    self.epoch = epoch
    self.isClean = isClean
    self.untold = untold
  }

  init(_ payload: [UInt8]) throws {
    self = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var record = EpochRecord(
        store: try reader.fixed(UInt64.self), epoch: try reader.fixed(UInt32.self),
        isClean: try reader.fixed(UInt8.self) != 0, untold: [])
      for _ in 0..<(try reader.count()) {
        let id = AckSet.EpochID(
          store: try reader.fixed(UInt64.self), epoch: try reader.fixed(UInt32.self))
        record.untold.append(Ended(id: id, isClean: try reader.fixed(UInt8.self) != 0))
      }
      return record
    }
  }
}
