internal import Telemetry

/// The batches that gap events of a store name as missing, whatever the reason.
struct KnownGaps {
  private struct Key: Hashable {
    var stream: String
    var epoch: AckSet.EpochID
  }

  /// Not an `AckSet`: that forgets the smallest ranges where there are many.
  private var gaps: [Key: [ClosedRange<UInt64>]] = [:]

  mutating func note(_ batch: Batch) {
    guard case .events(let events) = batch.body else { return }
    for event in events where event.type == "gap" { note(event) }
  }

  private mutating func note(_ event: StoredEvent) {
    guard let fields = event.fields, let stream = try? fields.string("stream"),
      let store = (try? fields.string("store")).flatMap({ UInt64($0, radix: 16) }),
      let epoch = try? fields.integer("epoch", UInt32.self),
      let from = try? fields.integer("from-seq", UInt64.self),
      let to = try? fields.integer("to-seq", UInt64.self), from <= to
    else { return }
    let key = Key(stream: stream, epoch: AckSet.EpochID(store: store, epoch: epoch))
    gaps[key, default: []].append(from...to)
  }

  /// All are noted: sorts and merges them.
  mutating func finish() {
    gaps = gaps.mapValues { ranges in
      var merged: [ClosedRange<UInt64>] = []
      for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
        if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
          merged[merged.count - 1] =
            last.lowerBound...max(last.upperBound, range.upperBound)
        } else {
          merged.append(range)
        }
      }
      return merged
    }
  }

  /// The finding, with whether all that it lost is named.
  func explaining(_ finding: StoreFinding) -> StoreFinding {
    guard let lost = finding.lost, let stream = finding.stream else { return finding }
    let epoch = AckSet.EpochID(store: lost.store, epoch: lost.epoch)
    let ranges = gaps[Key(stream: "\(stream)", epoch: epoch)] ?? []
    var explained = finding
    explained.isExplained = ranges.contains {
      $0.lowerBound <= lost.seqs.lowerBound && $0.upperBound >= lost.seqs.upperBound
    }
    return explained
  }
}
