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
  private let seed: UInt32
  private var devices: [DeviceSchema?] = []
  /// A step that follows the damage before it.
  private var pending: Step?

  /// Walks `bytes`, which begin with the segment's header and must outlive the walk.
  init(_ bytes: UnsafeRawBufferPointer, header: SegmentHeader) {
    self.bytes = bytes
    self.header = header
    seed = header.frameSeed
  }

  /// The next step; `nil` at the end.
  mutating func next() -> Step? {
    if let step = pending {
      pending = nil
      return step
    }
    while let frame = SegmentScan.nextFrame(bytes, from: end, seed: seed) {
      let start = end + frame.skipped
      let damage = end..<start
      end = frame.end
      let step = take(frame.body, frame: start..<frame.end)
      if !damage.isEmpty {
        pending = step
        return .damage(damage)
      }
      if let step { return step }
    }
    return nil
  }

  /// `nil` for a frame that is no batch.
  private mutating func take(_ body: Range<Int>, frame: Range<Int>) -> Step? {
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[body]))
    switch Frame.Kind(rawValue: (try? reader.fixed(UInt8.self)) ?? 0) {
    case .device:
      guard let entry = try? BatchCodec.readDevice(&reader) else { return .damage(frame) }
      devices.define(entry.device, number: entry.number)
      return nil
    case .batch:
      guard let key = try? BatchCodec.readKey(&reader) else { return .damage(frame) }
      let batch = Result { () throws(MalformedBytes) in try decode(&reader, key) }
      return .batch(Found(frame: frame, key: key, batch: batch))
    case nil:
      return .damage(frame)
    }
  }

  private func decode(
    _ reader: inout ByteReader, _ key: BatchKey
  ) throws(MalformedBytes) -> Batch {
    let context = try BatchCodec.readContext(&reader)
    let body: Batch.Body =
      switch header.stream {
      case .data: .samples(try BatchCodec.readSamples(&reader, devices: devices))
      case .events: .events(try BatchCodec.readEvents(&reader))
      }
    return Batch(
      identity: BatchIdentity(
        store: header.store, stream: header.stream, epoch: key.epoch, seq: key.seq),
      boot: context.boot, offset: context.offset, clock: context.clock,
      definitions: header.definitions, isDurable: true, body: body)
  }
}
