internal import Telemetry

/// What a segment held whose header can't be read any more: its frames still prove themselves, by a
/// checksum that is seeded with store and generation. A pure value.
struct LostSegment {
  /// Places that look like a frame's start are tried with every generation that is missing; damage
  /// may stand before the first good one.
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
      for version in (1...SegmentHeader.currentVersion).reversed() {
        let candidates = Self.candidates(bytes, version)
        for store in Set(segments.map(\.header.store)) {
          for generation in (oldest...newest).reversed() where !known.contains(generation) {
            let header = SegmentHeader(
              version: version, stream: .data, generation: generation, store: store, epoch: 0,
              firstSeq: 0, definitions: 0)
            guard candidates.contains(where: { Self.isFrame(bytes, at: $0, of: header) })
            else { continue }
            let scan = SegmentScan(bytes, header)
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
  }

  /// Places where a frame may begin that the segment's seed alone proves.
  private static func candidates(_ bytes: UnsafeRawBufferPointer, _ version: UInt16) -> [Int] {
    var candidates: [Int] = []
    var offset = SegmentHeader.bytes
    while offset < bytes.count, candidates.count < mostCandidates {
      switch version {
      case 1:
        if FrameVersion1.mayBegin(bytes, at: offset) { candidates.append(offset) }
        offset += FrameVersion1.alignment
      default:
        if Frame.mayBeginAlone(bytes, at: offset) { candidates.append(offset) }
        offset += 1
      }
    }
    return candidates
  }

  private static func isFrame(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, of header: SegmentHeader
  ) -> Bool {
    var finder = FrameFinder(header)
    if case .frame = finder.read(bytes, at: offset) { return true }
    return false
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
