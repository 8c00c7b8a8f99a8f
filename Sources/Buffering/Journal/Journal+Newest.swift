internal import LinuxSystem
public import Telemetry

/// The newest samples of devices that the data stream holds.
public struct NewestSamples: Sendable, Hashable {
  /// By the device's name, with its own times; devices that the newest segments do not hold are
  /// missing.
  public var samples: [String: Sample]
  /// Devices of which there may have been a newer sample: something behind the one that was found,
  /// or anything where none was found, can't be read any more.
  public var damaged: Set<String>

  /// Makes them.
  public init(samples: [String: Sample] = [:], damaged: Set<String> = []) {
    self.samples = samples
    self.damaged = damaged
  }
}

extension Journal {
  /// How many segments are looked into, from the newest on: 128 MiB at the default size, the better
  /// part of a day of a gateway with 256 points a second, and 6 s of reading from a slow card. What
  /// is sampled all the time stands in the newest one or two; only a device that is new, or was
  /// away for so long, costs that much, and that once.
  static let mostSegmentsForNewest = 128

  /// The newest sample of each of the devices that the data stream holds. What is damaged is passed
  /// over, and said. Reads the disk, so it is not for a thread that must not wait for it.
  public func newestSamples(of devices: Set<String>) -> NewestSamples {
    newestSamples(of: devices, inNewest: Self.mostSegmentsForNewest)
  }

  func newestSamples(of devices: Set<String>, inNewest most: Int) -> NewestSamples {
    guard !devices.isEmpty else { return NewestSamples() }
    let shared = index(of: .data)
    let segments = shared.withLock { Array($0.segments.suffix(most)) }
    var search = NewestSampleSearch(devices)
    var newer: Segment?
    var isOlderTail = false
    for segment in segments.reversed() {
      // Where an epoch ended without order, its last writes may stand in any order, or not at all:
      // that is what an unclean stop costs. What else was then is told in samples since.
      var mayBeTorn = false
      let last = segment.runs.last.map { BatchKey(epoch: $0.epoch.epoch, seq: $0.seqs.upperBound) }
      if newer?.header.epoch != segment.header.epoch,
        last?.epoch ?? segment.header.epoch != epoch
      {
        mayBeTorn = isOlderTail || !isAfterOrderlyStop
        isOlderTail = true
      }
      if segment.runs.contains(where: { $0.epoch.epoch != epoch }) { isOlderTail = true }
      newer = segment
      // One that can't be read is passed over like a damaged frame.
      guard let file = try? shared.open(segment),
        let bytes = try? file.read(segment.end, at: 0)
      else {
        search.skip()
        continue
      }
      bytes.withUnsafeBytes {
        search.look(into: $0, segment.header, last: last, mayBeTorn: mayBeTorn)
      }
      if search.isComplete { break }
    }
    return search.result
  }
}

/// Looks for the newest samples of some devices, segment by segment from the newest on. Pure.
struct NewestSampleSearch {
  private var found = NewestSamples()
  /// Devices of which nothing was found yet.
  private var wanted: Set<String>
  /// Whether something that can't be read was passed over.
  private var isDamaged = false
  /// Whether holes in the segment that is looked into are none of that.
  private var mayBeTorn = false

  init(_ devices: Set<String>) { wanted = devices }

  var isComplete: Bool { wanted.isEmpty }

  /// What was found.
  var result: NewestSamples {
    var result = found
    if isDamaged { result.damaged.formUnion(wanted) }
    return result
  }

  /// A segment can't be read.
  mutating func skip() { isDamaged = true }

  /// Looks into a segment that is older than those before. `bytes` begin with its header; `last` is
  /// the last batch that it is known to hold, and it `mayBeTorn` if what it lacks is no damage.
  mutating func look(
    into bytes: UnsafeRawBufferPointer, _ header: SegmentHeader, last: BatchKey?,
    mayBeTorn: Bool = false
  ) {
    self.mayBeTorn = mayBeTorn
    // Values are read only behind the keys that matter, and the last ones usually do.
    let outline = SegmentOutline(bytes, header)
    if let last, outline.last.map({ ($0.epoch, $0.seq) < (last.epoch, last.seq) }) ?? true {
      noteHole()
    }
    let named = Set(outline.devices.compactMap { $0?.name })
    var end = outline.end
    for start in outline.keys.reversed() where !wanted.isDisjoint(with: named) {
      take(outline.batches(bytes, in: start..<end))
      end = start
    }
    // What stood before the first key, or in keys that were not looked into.
    if outline.isDamaged { noteHole() }
  }

  private mutating func noteHole() { if !mayBeTorn { isDamaged = true } }

  private mutating func take(_ batches: [BatchDecoder.Content?]) {
    for batch in batches.reversed() {
      guard let batch else {
        noteHole()
        continue
      }
      guard case .samples(let samples) = batch.body else { continue }
      for sample in samples.reversed() where wanted.remove(sample.device.name) != nil {
        let time = Timestamp(
          monotonic: sample.monotonic, offset: batch.context.offset, clock: batch.context.clock)
        found.samples[sample.device.name] = Sample(
          device: sample.device, time: time, outcomes: sample.outcomes)
        if isDamaged { found.damaged.insert(sample.device.name) }
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
  /// The last batch.
  private(set) var last: BatchKey?
  /// Whether valid frames follow bytes that are none.
  private(set) var isDamaged = false
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
      if start > end { isDamaged = true }
      if frame.kind == .key { keys.append(start) }
      let body = UnsafeRawBufferPointer(rebasing: bytes[frame.body])
      if let taken = decoder.take(frame.kind, body, isReading: false) {
        last = taken.key
        if case .failure? = taken.content { isDamaged = true }
      }
      end = start + frame.bytes
    }
  }

  /// The batches in `range`, which begins with a key; `nil` where something can't be read.
  func batches(
    _ bytes: UnsafeRawBufferPointer, in range: Range<Int>
  ) -> [BatchDecoder.Content?] {
    // With the whole dictionary.
    var decoder = decoder
    var finder = FrameFinder(header)
    var offset = range.lowerBound
    var read: [BatchDecoder.Content?] = []
    while offset < range.upperBound {
      let found = finder.next(bytes, from: offset)
      if found?.start != offset { read.append(nil) }
      guard let found, found.start < range.upperBound else { break }
      offset = found.start + found.frame.bytes
      let body = UnsafeRawBufferPointer(rebasing: bytes[found.frame.body])
      switch decoder.take(found.frame.kind, body)?.content {
      case .success(let content): read.append(content)
      case .failure: read.append(nil)
      case nil: break
      }
    }
    return read
  }
}
