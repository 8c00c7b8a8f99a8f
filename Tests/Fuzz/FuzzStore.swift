// Opens, reads and goes on with a store that is made of the fuzzer's bytes. libFuzzer has `main`.
// Built by scripts/fuzz; see docs/store-tests.md.
import LinuxSystem
import Telemetry

@testable import Buffering

/// What the input's first byte makes of the rest.
enum Target: UInt8, CaseIterable {
  /// A segment file of the stream, as it is.
  case data, events
  /// Bodies of frames, each with its kind and length before it, in a segment that is whole
  /// otherwise: past the checksums, where decoding begins.
  case dataBodies, eventBodies
  /// One of the two files of a record, as it is.
  case epoch, cursor
  /// What stands in a record that is whole otherwise.
  case epochPayload, cursorPayload
}

private let segmentBytes = 16 * 1024
private let store: UInt64 = 0x0102_0304_0506_0708

private struct StillClock: TimeSource {
  func now() -> Timestamp { Timestamp(monotonic: 1_000_000, offset: 1, clock: .synced) }
}

private var settings: JournalSettings {
  var settings = JournalSettings(
    directory: "s", dataBytes: 4 * segmentBytes, eventsBytes: 4 * segmentBytes,
    commitMilliseconds: 1000, destinations: [DestinationName("d")], definitions: [1],
    agentVersion: "fuzz", boot: BootID(rawValue: 1))
  settings.segmentBytes = segmentBytes
  return settings
}

private func put(_ bytes: [UInt8], _ path: String, into storage: MemoryStorage) throws {
  try storage.open(path, creating: true).write(bytes, at: 0)
}

private func put(bodies: ArraySlice<UInt8>, of stream: StreamName, into storage: MemoryStorage)
  throws
{
  let header = SegmentHeader(
    stream: stream, generation: 1, store: store, epoch: 1, firstSeq: 1, definitions: 0)
  var writer = ByteWriter()
  writer.raw(header.encoded())
  var rest = bodies
  var key = header.frameSeed
  while let kind = rest.popFirst(), let length = rest.popFirst(), length > 0, !rest.isEmpty {
    let kind = Frame.Kind(rawValue: kind % 3 + 1) ?? .key
    let body = rest.prefix(Int(length))
    rest = rest.dropFirst(Int(length))
    let seed = kind == .delta ? key : header.frameSeed
    let checksum = Frame.append(kind, to: &writer, seed: seed) { $0.raw(body) }
    if kind == .key { key = checksum }
  }
  guard writer.count <= segmentBytes else { return }
  writer.raw([UInt8](repeating: 0, count: segmentBytes - writer.count))
  try put(writer.bytes, "s/\(stream)/00000001.seg", into: storage)
}

private func lay(_ target: Target, _ bytes: ArraySlice<UInt8>, into storage: MemoryStorage) throws {
  let whole = Array(bytes)
  let padded = Array((whole + [UInt8](repeating: 0, count: segmentBytes)).prefix(segmentBytes))
  switch target {
  case .data: try put(padded, "s/data/00000001.seg", into: storage)
  case .events: try put(padded, "s/events/00000001.seg", into: storage)
  case .dataBodies: try put(bodies: bytes, of: .data, into: storage)
  case .eventBodies: try put(bodies: bytes, of: .events, into: storage)
  case .epoch: try put(whole, "s/epoch.0", into: storage)
  case .cursor: try put(whole, "s/cursors/d.1", into: storage)
  case .epochPayload:
    var record = DurableRecord(storage: storage, path: "s/epoch")
    try record.save(whole)
  case .cursorPayload:
    var record = DurableRecord(storage: storage, path: "s/cursors/d")
    try record.save(whole)
  }
}

/// Opens the store, reads all of it, and appends; twice.
private func exercise(_ storage: MemoryStorage) throws {
  let clock = StillClock()
  let device = DeviceSchema(name: "a", points: ["x"])
  for _ in 0..<2 {
    let store = try JournalStore(settings, storage: storage, clock: clock)
    for stream in StreamName.allCases {
      let reader = store.journal.reader(of: stream, for: DestinationName("d"), from: .start)
      var batches = 0
      while let batch = reader.next(before: nil)?.batch {
        if batches % 2 == 0 {
          store.journal.acknowledge(batch.identity, by: DestinationName("d"))
        }
        batches += 1
        // A segment holds no more: a reader that goes round would never end.
        precondition(batches < 10 * segmentBytes)
      }
    }
    try store.explainHoles()
    var appended = 0
    let sample = Sample(
      device: device, time: clock.now(),
      outcomes: [PointOutcome(point: 0, outcome: .good(.int(1)))])
    try store.append(
      [DefinedSample(sample, definitions: settings.definitionsDigest)], appended: &appended)
    precondition(appended == 1)
    try store.close(reason: "fuzz")
    try store.seal()
  }
}

/// One input: 0 always, or the end of the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  guard let first = input.first, let target = Target(rawValue: first % 8) else { return 0 }
  let storage = MemoryStorage()
  do {
    try lay(target, input.dropFirst(), into: storage)
  } catch {
    return 0
  }
  do {
    try exercise(storage)
  } catch {
    // The store on a disk that takes everything always opens, whatever it holds.
    fatalError("\(target): \(error)")
  }
  return 0
}

/// Writes one input of each kind, made by the store itself, into the directory.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
  guard let directory = arguments.pointee[1].map({ String(cString: $0) }),
    !directory.hasPrefix("-")
  else { return 0 }
  let storage = MemoryStorage()
  let disk = DiskStorage()
  // Inputs that are played again are files.
  guard (try? disk.list(directory)) != nil else { return 0 }
  do {
    try exercise(storage)
    let files: [(Target, String)] = [
      (.data, "s/data/00000001.seg"), (.events, "s/events/00000001.seg"), (.epoch, "s/epoch.0"),
      (.cursor, "s/cursors/d.1"),
    ]
    for (target, path) in files {
      let file = try storage.open(path, creating: false)
      let bytes = try file.read(file.size(), at: 0)
      try disk.open("\(directory)/seed-\(target)", creating: true)
        .write([target.rawValue] + bytes, at: 0)
      try seedBodies(of: target, bytes, disk, directory)
    }
  } catch {
    fatalError("no seeds: \(error)")
  }
  return 0
}

/// The same without what a checksum covers.
private func seedBodies(
  of target: Target, _ bytes: [UInt8], _ disk: DiskStorage, _ directory: String
) throws {
  var seed: [UInt8] = []
  switch target {
  case .data, .events:
    guard let header = try SegmentHeader.decode(Array(bytes.prefix(SegmentHeader.bytes))) else {
      return
    }
    seed = [target == .data ? Target.dataBodies.rawValue : Target.eventBodies.rawValue]
    bytes.withUnsafeBytes { bytes in
      var finder = FrameFinder(header)
      var offset = SegmentHeader.bytes
      while let (frame, start) = finder.next(bytes, from: offset) {
        if frame.body.count < 256 {
          seed += [frame.kind.rawValue - 1, UInt8(frame.body.count)] + bytes[frame.body]
        }
        offset = start + frame.bytes
      }
    }
  case .epoch, .cursor:
    let length = Int(bytes[16]) + Int(bytes[17]) << 8
    seed = [target == .epoch ? Target.epochPayload.rawValue : Target.cursorPayload.rawValue]
    seed += bytes[20..<min(20 + length, bytes.count)]
  default: return
  }
  try disk.open("\(directory)/seed-\(target)-inside", creating: true).write(seed, at: 0)
}
