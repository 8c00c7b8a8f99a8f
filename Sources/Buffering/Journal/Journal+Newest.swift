internal import LinuxSystem
public import Telemetry

extension Journal {
  /// How many segments are looked into, from the newest on: 128 MiB at the default size, the better
  /// part of a day of a gateway with 256 points a second, and 6 s of reading from a slow card. What
  /// is sampled all the time stands in the newest one or two; only a device that is new, or was
  /// away for so long, costs that much, and that once.
  static let mostSegmentsForNewest = 128

  /// The newest sample of each of the devices that the data stream holds, with its own times;
  /// devices that the newest segments do not hold are missing. Frames that are damaged are passed
  /// over. Reads the disk, so it is not for a thread that must not wait for it.
  public func newestSamples(of devices: Set<String>) -> [String: Sample] {
    newestSamples(of: devices, inNewest: Self.mostSegmentsForNewest)
  }

  func newestSamples(of devices: Set<String>, inNewest most: Int) -> [String: Sample] {
    guard !devices.isEmpty else { return [:] }
    let shared = index(of: .data)
    let segments = shared.withLock { Array($0.segments.suffix(most)) }
    var search = NewestSampleSearch(devices)
    for segment in segments.reversed() {
      // One that can't be read is passed over like a damaged frame.
      guard let file = try? shared.open(segment),
        let bytes = try? file.read(segment.end, at: 0)
      else { continue }
      bytes.withUnsafeBytes { search.look(into: $0, segment.header) }
      if search.isComplete { break }
    }
    return search.found
  }
}

/// Looks for the newest samples of some devices, segment by segment from the newest on. Pure.
struct NewestSampleSearch {
  private(set) var found: [String: Sample] = [:]
  /// Devices of which nothing was found yet.
  private var wanted: Set<String>

  init(_ devices: Set<String>) { wanted = devices }

  var isComplete: Bool { wanted.isEmpty }

  /// Looks into a segment that is older than those before. `bytes` begin with its header.
  mutating func look(into bytes: UnsafeRawBufferPointer, _ header: SegmentHeader) {
    // Values are read only behind the keys that matter, and the last ones usually do.
    let outline = SegmentOutline(bytes, header)
    let named = Set(outline.devices.compactMap { $0?.name })
    var end = outline.end
    for start in outline.keys.reversed() where !wanted.isDisjoint(with: named) {
      take(outline.batches(bytes, in: start..<end))
      end = start
    }
  }

  private mutating func take(_ batches: [BatchDecoder.Content]) {
    for batch in batches.reversed() {
      guard case .samples(let samples) = batch.body else { continue }
      for sample in samples.reversed() where wanted.remove(sample.device.name) != nil {
        let time = Timestamp(
          monotonic: sample.monotonic, offset: batch.context.offset, clock: batch.context.clock)
        found[sample.device.name] = Sample(
          device: sample.device, time: time, outcomes: sample.outcomes)
      }
    }
  }
}

/// Where the keys of a segment stand, and which devices it names. Pure.
struct SegmentOutline {
  /// Offsets, in order.
  private(set) var keys: [Int] = []
  /// Where the last valid frame ends.
  private(set) var end = SegmentHeader.bytes
  /// The segment's dictionary.
  var devices: [DeviceSchema?] { decoder.devices }
  private var decoder: BatchDecoder
  private let header: SegmentHeader

  /// Walks all of `bytes`, which begin with the segment's header. Values are not read.
  init(_ bytes: UnsafeRawBufferPointer, _ header: SegmentHeader) {
    self.header = header
    decoder = BatchDecoder(header)
    var finder = FrameFinder(header)
    while let (frame, start) = finder.next(bytes, from: end) {
      if frame.kind == .key { keys.append(start) }
      let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
      _ = decoder.take(frame.kind, body, isReading: false)
      end = start + frame.bytes
    }
  }

  /// The batches that can be read of those in `range`, which begins with a key.
  func batches(
    _ bytes: UnsafeRawBufferPointer, in range: Range<Int>
  ) -> [BatchDecoder.Content] {
    // With the whole dictionary.
    var decoder = decoder
    var finder = FrameFinder(header)
    var offset = range.lowerBound
    var read: [BatchDecoder.Content] = []
    while offset < range.upperBound, let found = finder.next(bytes, from: offset),
      found.start < range.upperBound
    {
      offset = found.start + found.frame.bytes
      let body = UnsafeRawBufferPointer(rebasing: bytes[found.frame.body])
      if case .success(let content)? = decoder.take(found.frame.kind, body)?.content {
        read.append(content)
      }
    }
    return read
  }
}
