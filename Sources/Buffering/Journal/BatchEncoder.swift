internal import Telemetry

/// Writes the frames of one segment's batches: dictionary entries, keys, and what builds on them.
/// A pure value; what it wrote last must be forgotten if it does not get into the segment.
struct BatchEncoder {
  /// After so many bytes a key follows. What damage in the middle costs besides what it hit: a page
  /// of flash is damaged as a whole anyway.
  private static let keyBytes = 4096
  /// Batches are numbered from their key on in a byte.
  private static let mostDeltas = 255
  /// The dictionary is repeated, with a key, when this many bytes and this many times its own
  /// length were written since: damage to an entry costs at most what lies between, and repeating
  /// them a sixty-fourth of the room.
  private static let dictionaryBytes = 64 * 1024
  private static let dictionaryShare = 64

  /// A key that batches can build on.
  private struct Key {
    var checksum: UInt32
    var epoch: UInt32
    var context: BatchContext
    /// Batches that build on it.
    var deltas: UInt8 = 0
    /// Bytes of its frame and all since.
    var bytes = 0
  }

  private let seed: UInt32
  private var dictionary = DeviceDictionary()
  private var samples = SampleEncoder()
  private var key: Key?
  /// Of the entries when they were written last, and of all frames since.
  private var entryBytes = 0
  private var bytesSinceEntries = 0
  /// How many devices stood in the dictionary before the last batch.
  private var knownDevices = 0

  /// Writes to the segment of this seed that holds entries for `devices`. Its first batch is a key.
  init(seed: UInt32, continuing devices: [DeviceSchema] = []) {
    self.seed = seed
    for device in devices { _ = dictionary.add(device) }
  }

  /// Adds the frames of a batch.
  mutating func write(
    _ batch: ArraySlice<DefinedSample>, key name: BatchKey, context: BatchContext,
    to writer: inout ByteWriter
  ) {
    let start = writer.count
    knownDevices = dictionary.devices.count
    if mustBeginKey(name, context) {
      key = nil
      repeatEntries(to: &writer)
    }
    for sample in batch where dictionary.number(of: sample.sample.device) == nil {
      let number = dictionary.add(sample.sample.device)
      entryBytes += writeEntry(sample.sample.device, number, to: &writer)
    }
    if key == nil {
      writeKey(batch, name, context, to: &writer)
    } else {
      writeDelta(batch, context, to: &writer)
    }
    key?.bytes += writer.count - start
    bytesSinceEntries += writer.count - start
  }

  /// Adds the frame of a batch of events.
  mutating func write(
    _ events: ArraySlice<Event>, key name: BatchKey, context: BatchContext,
    to writer: inout ByteWriter
  ) {
    Frame.append(.key, to: &writer, seed: seed) { writer in
      BatchCodec.writeEvents(events, key: name, context: context, to: &writer)
    }
  }

  /// The last batch was not written to the segment.
  mutating func forgetLast() {
    key = nil
    dictionary.truncate(to: knownDevices)
  }

  private func mustBeginKey(_ name: BatchKey, _ context: BatchContext) -> Bool {
    guard let key else { return true }
    return key.epoch != name.epoch || key.context.boot != context.boot
      || key.context.clock != context.clock || key.deltas == Self.mostDeltas
      || key.bytes >= Self.keyBytes
  }

  private mutating func repeatEntries(to writer: inout ByteWriter) {
    guard bytesSinceEntries >= max(Self.dictionaryBytes, Self.dictionaryShare * entryBytes) else {
      return
    }
    entryBytes = 0
    bytesSinceEntries = 0
    for (number, device) in dictionary.devices.enumerated() {
      entryBytes += writeEntry(device, number, to: &writer)
    }
  }

  private func writeEntry(
    _ device: DeviceSchema, _ number: Int, to writer: inout ByteWriter
  ) -> Int {
    let start = writer.count
    Frame.append(.device, to: &writer, seed: seed) { writer in
      BatchCodec.writeDevice(device, number: number, to: &writer)
    }
    return writer.count - start
  }

  private mutating func writeKey(
    _ batch: ArraySlice<DefinedSample>, _ name: BatchKey, _ context: BatchContext,
    to writer: inout ByteWriter
  ) {
    samples.beginKey()
    let checksum = Frame.append(.key, to: &writer, seed: seed) { writer in
      BatchCodec.writeStart(name, context, count: batch.count, to: &writer)
      write(batch, to: &writer)
    }
    key = Key(checksum: checksum, epoch: name.epoch, context: context)
  }

  private mutating func writeDelta(
    _ batch: ArraySlice<DefinedSample>, _ context: BatchContext, to writer: inout ByteWriter
  ) {
    guard var key else { return }
    key.deltas += 1
    let change = context.offset &- key.context.offset
    key.context.offset = context.offset
    Frame.append(.delta, to: &writer, seed: key.checksum) { writer in
      writer.fixed(key.deltas)
      writer.varint(UInt64(batch.count) << 1 | (change == 0 ? 0 : 1))
      if change != 0 { writer.zigzag(change) }
      write(batch, to: &writer)
    }
    self.key = key
  }

  private mutating func write(_ batch: ArraySlice<DefinedSample>, to writer: inout ByteWriter) {
    for sample in batch.lazy.map(\.sample) {
      samples.write(sample, device: dictionary.number(of: sample.device) ?? 0, to: &writer)
    }
  }
}
