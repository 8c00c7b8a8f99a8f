internal import Telemetry

/// Walks a whole segment's batches in order, decoding them, and tells where bytes stand between
/// them that are none. The one place of an inspection that knows how batches are coded.
struct SegmentWalk {
  enum Step {
    case batch(Found)
    /// Bytes before a valid frame that belong to none.
    case damage(Range<Int>)
  }

  /// A frame of a batch whose checksum is right.
  struct Found {
    /// Where it stands in the segment, with its header and padding.
    var frame: Range<Int>
    var key: BatchKey
    /// The batch, or why it can't be decoded.
    var batch: Result<Batch, MalformedBytes>
  }

  /// Where the last valid frame ends; what follows was never written, is stale, or torn.
  private(set) var end = SegmentHeader.bytes

  private let header: SegmentHeader
  private let bytes: UnsafeRawBufferPointer
  private var finder: FrameFinder
  private var decoder: BatchDecoder
  /// A step that follows the damage before it.
  private var pending: Step?

  /// Walks `bytes`, which begin with the segment's header and must outlive the walk.
  init(_ bytes: UnsafeRawBufferPointer, header: SegmentHeader) {
    self.bytes = bytes
    self.header = header
    finder = FrameFinder(header)
    decoder = BatchDecoder(header)
  }

  /// The next step; `nil` at the end.
  mutating func next() -> Step? {
    if let step = pending {
      pending = nil
      return step
    }
    while let (frame, start) = finder.next(bytes, from: end) {
      let damage = end..<start
      end = start + frame.bytes
      let step = take(frame, at: start)
      if !damage.isEmpty {
        pending = step
        return .damage(damage)
      }
      if let step { return step }
    }
    return nil
  }

  /// `nil` for a frame that is no batch.
  private mutating func take(_ frame: Frame.Found, at start: Int) -> Step? {
    let place = start..<start + frame.bytes
    let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
    guard let taken = decoder.take(frame.kind, body) else {
      return frame.kind == .device ? nil : .damage(place)
    }
    let key = taken.key
    let missing = Result<BatchDecoder.Content, MalformedBytes>.failure(
      MalformedBytes(description: "a batch without content"))
    let batch = (taken.content ?? missing).map { content in
      Batch(
        identity: BatchIdentity(
          store: header.store, stream: header.stream, epoch: key.epoch, seq: key.seq),
        boot: content.context.boot, offset: content.context.offset, clock: content.context.clock,
        definitions: header.definitions, isDurable: true, body: content.body)
    }
    return .batch(Found(frame: place, key: key, batch: batch))
  }
}
