internal import Telemetry

/// What a segment held whose header can't be read any more: its frames still prove themselves, by a
/// checksum that is seeded with store and generation. A pure value.
struct LostSegment {
  /// Places that look like a frame's start are tried with every generation that is missing; stale
  /// frames and damage may stand before the first good one.
  private static let mostCandidates = 8
  /// A store that was used again and again has gaps in its generations; the newest are tried.
  private static let mostGenerations: UInt64 = 4096

  /// The batches it held, as far as its frames can be read; they can't be delivered, because the
  /// definitions that they refer to are not known.
  private(set) var runs: [Segment.Run] = []
  /// Whether it may have held anything that `runs` does not name.
  private(set) var isUnknown: Bool

  /// Looks into `bytes`, the whole file, beside the segments that could be read.
  init(_ bytes: [UInt8], beside segments: [Segment]) {
    let frames = bytes.dropFirst(SegmentHeader.bytes)
    // A file that was prepared and not yet begun has lost nothing.
    isUnknown = bytes.count < SegmentHeader.bytes || frames.contains { $0 != 0 }
    guard isUnknown else { return }
    let known = Set(segments.map(\.generation))
    let newest = (known.max() ?? 0) + 1
    let oldest = newest > Self.mostGenerations ? newest - Self.mostGenerations : 1
    bytes.withUnsafeBytes { bytes in
      let candidates = Self.candidates(bytes)
      for store in Set(segments.map(\.header.store)) {
        for generation in (oldest...newest).reversed() where !known.contains(generation) {
          let seed = SegmentHeader(
            stream: .data, generation: generation, store: store, epoch: 0, firstSeq: 0,
            definitions: 0
          ).frameSeed
          guard candidates.contains(where: { Self.isFrame(bytes, at: $0, seed: seed) })
          else { continue }
          let scan = SegmentScan(bytes, seed: seed)
          runs = scan.runs.map {
            Segment.Run(
              epoch: AckSet.EpochID(store: store, epoch: $0.epoch), seqs: $0.seqs)
          }
          isUnknown = runs.isEmpty || scan.isDamaged
          return
        }
      }
    }
  }

  /// Places where a frame of any segment may begin.
  private static func candidates(_ bytes: UnsafeRawBufferPointer) -> [Int] {
    var candidates: [Int] = []
    var offset = SegmentHeader.bytes
    while offset + Frame.headerBytes <= bytes.count, candidates.count < mostCandidates {
      if Frame.mayBegin(bytes, at: offset) { candidates.append(offset) }
      offset += Frame.alignment
    }
    return candidates
  }

  private static func isFrame(_ bytes: UnsafeRawBufferPointer, at offset: Int, seed: UInt32) -> Bool
  {
    if case .frame = Frame.read(bytes, at: offset, seed: seed) { true } else { false }
  }
}

extension Frame {
  /// Whether the frame's mark stands here.
  fileprivate static func mayBegin(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    bytes[offset + 3] == markByte
  }
}

extension JournalStore.Missing {
  /// The same batches, each named once.
  static func united(_ all: [Self], _ reason: GapReason) -> [Self] {
    StreamName.allCases.flatMap { stream in
      var set = AckSet()
      for missing in all where missing.stream == stream {
        set.insert(missing.run.epoch, missing.run.seqs)
      }
      return set.epochs.sorted { $0.key.epoch < $1.key.epoch }.flatMap { epoch, ranges in
        ranges.map { Self(stream, Segment.Run(epoch: epoch, seqs: $0), reason) }
      }
    }
  }
}
