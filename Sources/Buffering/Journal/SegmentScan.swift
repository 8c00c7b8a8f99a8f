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
  /// What batches were found, in order; neighbours of one epoch with a hole between are two runs.
  private(set) var runs: [Run] = []
  /// Whether valid frames follow bytes that are none.
  private(set) var isDamaged = false
  /// The segment's dictionary.
  private(set) var devices: [DeviceSchema?] = []
  /// The frame of the first batch.
  private(set) var firstBatch: Range<Int>?
  /// The frame of the last batch.
  private(set) var lastBatch: Range<Int>?

  /// Walks all of `bytes`, which begin with the segment's header.
  init(_ bytes: UnsafeRawBufferPointer, seed: UInt32) {
    var offset = SegmentHeader.bytes
    while let frame = Self.nextFrame(bytes, from: offset, seed: seed) {
      if frame.skipped > 0 { isDamaged = true }
      take(bytes, frame.body)
      offset = frame.end
      end = offset
    }
  }

  /// The first valid frame at or after `offset`, and how many bytes that are none lie before it.
  static func nextFrame(
    _ bytes: UnsafeRawBufferPointer, from offset: Int, seed: UInt32
  ) -> (body: Range<Int>, end: Int, skipped: Int)? {
    var candidate = offset
    while candidate + Frame.headerBytes <= bytes.count {
      if case .frame(let body, let length) = Frame.read(bytes, at: candidate, seed: seed) {
        return (body, candidate + length, candidate - offset)
      }
      candidate += Frame.alignment
    }
    return nil
  }

  private mutating func take(_ bytes: UnsafeRawBufferPointer, _ body: Range<Int>) {
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[body]))
    switch Frame.Kind(rawValue: (try? reader.fixed(UInt8.self)) ?? 0) {
    case .device:
      guard let entry = try? BatchCodec.readDevice(&reader) else { return }
      devices.define(entry.device, number: entry.number)
    case .batch:
      guard let key = try? BatchCodec.readKey(&reader) else { return }
      if firstBatch == nil { firstBatch = body }
      lastBatch = body
      if let last = runs.last, last.epoch == key.epoch, last.seqs.upperBound + 1 == key.seq {
        runs[runs.count - 1].seqs = last.seqs.lowerBound...key.seq
      } else {
        runs.append(Run(epoch: key.epoch, seqs: key.seq...key.seq))
      }
    case nil:
      return
    }
  }
}

extension Array where Element == DeviceSchema? {
  /// More devices than one segment's dictionary can name; a larger number is damage.
  private static var mostDevices: Int { Frame.largestBody }

  mutating func define(_ device: DeviceSchema, number: Int) {
    guard number >= 0, number < Self.mostDevices else { return }
    while count <= number { append(nil) }
    self[number] = device
  }
}
