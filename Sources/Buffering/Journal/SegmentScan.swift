internal import Telemetry

/// What a whole segment holds, found by walking its bytes. A pure value.
struct SegmentScan {
  /// Seqs of one epoch, as they follow each other in the segment.
  struct Run: Hashable {
    var epoch: UInt32
    var seqs: ClosedRange<UInt64>
  }

  /// Where the last valid frame ends: the next one belongs here.
  private(set) var end = SegmentHeader.bytes
  /// What batches were found that can be read, as far as that is known without reading them;
  /// neighbours of one epoch with a hole between are two runs.
  private(set) var runs: [Run] = []
  /// The last batch that builds on one that is missing.
  private(set) var lastUnreadable: BatchKey?
  /// Whether valid frames follow bytes that are none.
  private(set) var isDamaged = false
  /// The segment's dictionary.
  var devices: [DeviceSchema?] { decoder.devices }
  private var decoder: BatchDecoder
  /// Where the key stands that the last batch builds on, or that it is.
  private var lastKey = 0
  private let header: SegmentHeader

  /// Walks all of `bytes`, which begin with the segment's header. Values are not read.
  init(_ bytes: UnsafeRawBufferPointer, _ header: SegmentHeader) {
    self.header = header
    decoder = BatchDecoder(header)
    var finder = FrameFinder(header)
    while let (frame, start) = finder.next(bytes, from: end) {
      if start > end { isDamaged = true }
      take(frame, bytes, at: start)
      end = start + frame.bytes
    }
  }

  private mutating func take(_ frame: Frame.Found, _ bytes: UnsafeRawBufferPointer, at start: Int) {
    let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
    guard let taken = decoder.take(frame.kind, body, isReading: false) else { return }
    let key = taken.key
    if case .failure? = taken.content {
      lastUnreadable = key
      return
    }
    if frame.kind == .key { lastKey = start }
    if let last = runs.last, last.epoch == key.epoch, last.seqs.upperBound &+ 1 == key.seq {
      runs[runs.count - 1].seqs = last.seqs.lowerBound...key.seq
    } else {
      runs.append(Run(epoch: key.epoch, seqs: key.seq...key.seq))
    }
  }

  /// The last batch that can be read, of those that build on the last key or are it.
  func lastBatch(_ bytes: UnsafeRawBufferPointer) -> BatchDecoder.Content? {
    batches(bytes, from: lastKey).last
  }

  /// The first batch that can be read.
  func firstBatch(_ bytes: UnsafeRawBufferPointer) -> BatchDecoder.Content? {
    batches(bytes, from: SegmentHeader.bytes, most: 1).first
  }

  private func batches(
    _ bytes: UnsafeRawBufferPointer, from start: Int, most: Int = .max
  ) -> [BatchDecoder.Content] {
    guard !runs.isEmpty else { return [] }
    // With the whole dictionary.
    var decoder = decoder
    var finder = FrameFinder(header)
    var offset = start
    var read: [BatchDecoder.Content] = []
    while read.count < most, offset < end, let found = finder.next(bytes, from: offset) {
      offset = found.start + found.frame.bytes
      let body = UnsafeRawBufferPointer(rebasing: bytes[found.frame.body])
      if case .success(let content)? = decoder.take(found.frame.kind, body)?.content {
        read.append(content)
      }
    }
    return read
  }
}
