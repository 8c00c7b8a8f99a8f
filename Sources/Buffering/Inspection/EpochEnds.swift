internal import Telemetry

/// The last seqs of epochs, as the epoch record and the `start` events behind them say.
struct EpochEnds {
  private var lasts: [StreamName: [AckSet.EpochID: UInt64]] = [:]

  mutating func note(_ epoch: AckSet.EpochID, _ stream: StreamName, last: UInt64) {
    lasts[stream, default: [:]][epoch] = last
  }

  /// Takes what a batch's `start` events say.
  mutating func note(_ batch: Batch) {
    guard case .events(let events) = batch.body else { return }
    for event in events where event.type == "start" {
      guard let fields = event.fields, let previous = try? fields.objects("previous") else {
        continue
      }
      for summary in previous { note(summary) }
    }
  }

  private mutating func note(_ summary: JSONFields) {
    guard let store = (try? summary.string("store")).flatMap({ UInt64($0, radix: 16) }),
      let epoch = try? summary.integer("epoch", UInt32.self),
      let last = try? summary.fields("last")
    else { return }
    for stream in StreamName.allCases {
      guard let seq = try? last.integer("\(stream)", UInt64.self) else { continue }
      note(AckSet.EpochID(store: store, epoch: epoch), stream, last: seq)
    }
  }

  /// The epochs of a store from `first` up to but not `end`, whose last seq is known.
  func between(
    _ first: AckSet.EpochID, and end: AckSet.EpochID, of stream: StreamName
  ) -> [(epoch: AckSet.EpochID, last: UInt64)] {
    (lasts[stream] ?? [:])
      .filter {
        $0.key.store == first.store && $0.key.epoch >= first.epoch && $0.key.epoch < end.epoch
      }
      .sorted { $0.key.epoch < $1.key.epoch }
      .map { ($0.key, $0.value) }
  }
}

extension StoredEvent {
  /// Its details; `nil` if they are no JSON.
  var fields: JSONFields? {
    let object = [UInt8(ascii: "{")] + details + [UInt8(ascii: "}")]
    return (try? JSONParser.parse(object)).flatMap { try? JSONFields($0) }
  }
}
