internal import Telemetry

/// What has to be known of a store before anything in it is read: its id, its epoch, and the epochs
/// that no `start` event is known to have told the receivers of.
struct EpochRecord: Hashable {
  /// More starts than this in a row without one `start` event reaching the disk mean a board that
  /// crashes at once; the oldest are then left out of the account.
  static let mostUntold = 64
  /// The newest of those told of; older ones end where the next begins.
  static let mostTold = 64

  var store: UInt64
  var epoch: UInt32
  /// The last seqs of events and data, if the epoch was ended by an orderly stop.
  var last: Last?
  /// Epochs before this one that are still to be told, the oldest first, with whether they ended
  /// cleanly.
  var untold: [Ended]
  /// Epochs that were told of, with the last seqs that were told, as far as the store still holds
  /// something of them: damage to an epoch's last batch can be seen by nothing else.
  var told: [Ended] = []

  struct Last: Hashable {
    var events: UInt64
    var data: UInt64

    subscript(stream: StreamName) -> UInt64 {
      switch stream {
      case .events: events
      case .data: data
      }
    }
  }

  struct Ended: Hashable {
    var id: AckSet.EpochID
    /// `nil` for one that did not end in order.
    var last: Last?
  }

  /// The record of a new store.
  static func fresh(store: UInt64) -> EpochRecord {
    EpochRecord(store: store, epoch: 0, last: nil, untold: [])
  }

  /// The record of the epoch that begins now.
  func beginningNext() -> EpochRecord {
    var next = self
    if epoch > 0 {
      let id = AckSet.EpochID(store: store, epoch: epoch)
      next.untold.append(Ended(id: id, last: last))
      next.untold.removeFirst(max(0, next.untold.count - Self.mostUntold))
    }
    next.epoch += 1
    next.last = nil
    return next
  }

  /// Another run ended in this process, whose last seqs are known though they may not have reached
  /// the disk.
  mutating func close(_ id: AckSet.EpochID, _ last: Last) {
    if let place = untold.lastIndex(where: { $0.id == id }) {
      untold[place].last = last
    } else {
      untold.append(Ended(id: id, last: last))
    }
  }

  /// The last seqs that are known of epochs that ended.
  func lasts(of stream: StreamName) -> [AckSet.EpochID: UInt64] {
    let known = (told + untold).compactMap { ended in ended.last.map { (ended.id, $0[stream]) } }
    return Dictionary(known.filter { $0.1 > 0 }, uniquingKeysWith: max)
  }

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.fixed(store)
    writer.fixed(epoch)
    Self.write(last, to: &writer)
    for list in [untold, told] {
      writer.varint(UInt64(list.count))
      for ended in list {
        writer.fixed(ended.id.store)
        writer.fixed(ended.id.epoch)
        Self.write(ended.last, to: &writer)
      }
    }
    return writer.bytes
  }

  private static func write(_ last: Last?, to writer: inout ByteWriter) {
    writer.fixed(UInt8(last == nil ? 0 : 1))
    guard let last else { return }
    writer.varint(last.events)
    writer.varint(last.data)
  }

  private static func readLast(_ reader: inout ByteReader) throws(MalformedBytes) -> Last? {
    guard try reader.fixed(UInt8.self) != 0 else { return nil }
    return Last(events: try reader.ordinal(), data: try reader.ordinal())
  }

  private static func readEnded(_ reader: inout ByteReader) throws(MalformedBytes) -> [Ended] {
    var list: [Ended] = []
    for _ in 0..<(try reader.count()) {
      let id = AckSet.EpochID(
        store: try reader.fixed(UInt64.self), epoch: try reader.fixed(UInt32.self))
      list.append(Ended(id: id, last: try readLast(&reader)))
    }
    return list
  }

  init(store: UInt64, epoch: UInt32, last: Last?, untold: [Ended]) {
    self.store = store
    self.epoch = epoch
    self.last = last
    self.untold = untold
  }

  init(_ payload: [UInt8]) throws {
    self = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var record = EpochRecord(
        store: try reader.fixed(UInt64.self), epoch: try reader.fixed(UInt32.self),
        last: try Self.readLast(&reader), untold: [])
      guard record.epoch < UInt32.max else {
        throw MalformedBytes(description: "epoch \(record.epoch), after which there is none")
      }
      record.untold = try Self.readEnded(&reader)
      // Earlier versions wrote no more.
      if reader.remaining > 0 { record.told = try Self.readEnded(&reader) }
      return record
    }
  }
}

extension EpochRecord.Ended {
  /// As it was told.
  init(_ summary: EpochSummary) {
    self.init(
      id: AckSet.EpochID(store: summary.store, epoch: summary.epoch),
      last: EpochRecord.Last(
        events: summary.last[.events] ?? 0, data: summary.last[.data] ?? 0))
  }
}
