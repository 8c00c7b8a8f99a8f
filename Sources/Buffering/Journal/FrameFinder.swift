/// Finds the frames of one segment, in the order in which they stand. A pure value that has to see
/// every frame from the segment's start on.
struct FrameFinder {
  private let version: UInt16
  private let seed: UInt32
  /// Of the last key that was found.
  private var keyChecksum: UInt32?

  init(_ header: SegmentHeader) {
    version = header.version
    seed = header.frameSeed
  }

  /// What stands at `offset` of `bytes`. A frame that is found counts as seen.
  mutating func read(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Frame.Reading {
    let reading =
      version == 1
      ? FrameVersion1.read(bytes, at: offset, seed: seed)
      : Frame.read(bytes, at: offset, seed: seed, key: keyChecksum)
    if case .frame(let frame) = reading, frame.kind == .key { keyChecksum = frame.checksum }
    return reading
  }

  /// The first place after `offset` where a frame may begin; the end of `bytes` if there is none.
  func candidate(after offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
    if version == 1 { return offset + FrameVersion1.alignment }
    var place = offset + 1
    while place < bytes.count, !Frame.isMark(bytes[place]) { place += 1 }
    return place
  }

  /// The first frame at or after `offset`, and where it begins.
  mutating func next(
    _ bytes: UnsafeRawBufferPointer, from offset: Int
  ) -> (frame: Frame.Found, start: Int)? {
    var place = offset
    while place < bytes.count {
      if case .frame(let frame) = read(bytes, at: place) { return (frame, place) }
      place = candidate(after: place, in: bytes)
    }
    return nil
  }
}
