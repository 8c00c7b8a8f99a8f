import Telemetry

/// What accounts for a batch that is not held.
enum Explanation: Sendable, Hashable {
  /// A gap event names its seq.
  case gap(GapReason)
  /// A gap event names a time that spans the hole from neighbour to neighbour.
  case timeGap(GapReason)
  /// The `start` of a later epoch says that this one ended without order before the seq.
  case uncleanEnd
}

extension Explanation: CustomStringConvertible {
  /// The words of the report.
  var description: String {
    switch self {
    case .gap(let reason): reason.rawValue
    case .timeGap(let reason): "\(reason.rawValue) (by time)"
    case .uncleanEnd: "unclean end"
    }
  }
}

/// Seqs that are not held though the stream has them, all with one explanation or none.
struct Hole: Sendable, Hashable {
  /// The missing seqs, both ends included.
  var seqs: ClosedRange<UInt64>
  /// Whether nothing newer of the stream is held: only `health` or a `start` knows of these.
  var isTail: Bool
  /// `nil` while nothing accounts for them.
  var explanation: Explanation?
}

/// What is known to account for holes of one stream in one epoch.
struct StreamStatements: Sendable, Hashable {
  /// A gap event that names seqs.
  struct Gap: Sendable, Hashable {
    var seqs: ClosedRange<UInt64>
    var reason: GapReason
  }

  /// Gap events by seq, in order of arrival.
  var gaps: [Gap] = []
  /// The last seq found after an end without order; later ones may be lost.
  var lastBeforeUncleanEnd: UInt64?
  /// The newest seq that `health` or a `start` event states.
  var statedNewest: UInt64 = 0
}

extension StreamStatements {
  /// The holes of a stream of which `held` is held, cut where the explanation changes.
  /// `timeGap` is asked last, for a stretch that nothing else explains.
  func holes(
    in held: SeqSet, timeGap: (ClosedRange<UInt64>) -> GapReason?
  ) -> [Hole] {
    let newestHeld = held.last ?? 0
    var holes: [Hole] = []
    for hole in held.holes(upTo: max(newestHeld, statedNewest)) {
      let isTail = hole.lowerBound > newestHeld
      var open = [hole]
      func explain(_ seqs: ClosedRange<UInt64>, by explanation: Explanation) {
        open = open.flatMap { range in
          let (inside, outside) = range.split(by: seqs)
          if let inside {
            holes.append(Hole(seqs: inside, isTail: isTail, explanation: explanation))
          }
          return outside
        }
      }
      for gap in gaps { explain(gap.seqs, by: .gap(gap.reason)) }
      if let last = lastBeforeUncleanEnd {
        explain((last + 1)...SeqSet.largest, by: .uncleanEnd)
      }
      let byTime = isTail || open.isEmpty ? nil : timeGap(hole).map(Explanation.timeGap)
      holes += open.map { Hole(seqs: $0, isTail: isTail, explanation: byTime) }
    }
    return holes.sorted { $0.seqs.lowerBound < $1.seqs.lowerBound }
  }
}

extension ClosedRange<UInt64> {
  /// What of the range lies within `other`, and what does not.
  func split(by other: ClosedRange<UInt64>) -> (inside: Self?, outside: [Self]) {
    guard overlaps(other) else { return (nil, [self]) }
    let inside = clamped(to: other)
    var outside: [Self] = []
    if lowerBound < inside.lowerBound { outside.append(lowerBound...(inside.lowerBound - 1)) }
    if inside.upperBound < upperBound { outside.append((inside.upperBound + 1)...upperBound) }
    return (inside, outside)
  }
}
