internal import Telemetry

/// What all samples or events of a batch share, besides its identity.
struct BatchContext: Hashable {
  var boot: BootID
  /// Wall time minus monotonic time, in milliseconds.
  var offset: Int64
  var clock: ClockState
}

/// Names of a batch that stand before everything else in its frame, so that a reader can pass over
/// a batch without decoding it.
struct BatchKey: Hashable {
  var epoch: UInt32
  var seq: UInt64
}

/// The devices that a segment's batches refer to by number. Each segment has its own, so that it
/// can be read alone, whatever the configuration has become since.
struct DeviceDictionary {
  /// By number.
  private(set) var devices: [DeviceSchema] = []
  private var numbers: [DeviceSchema: Int] = [:]

  func number(of device: DeviceSchema) -> Int? { numbers[device] }

  /// Gives the device the next number.
  mutating func add(_ device: DeviceSchema) -> Int {
    numbers[device] = devices.count
    devices.append(device)
    return devices.count - 1
  }

  /// Forgets the devices that were added last.
  mutating func truncate(to count: Int) {
    while devices.count > count { numbers[devices.removeLast()] = nil }
  }

  mutating func removeAll() {
    devices.removeAll()
    numbers.removeAll()
  }
}

/// The bodies of frames. FORMAT version 1.
enum BatchCodec {
  private static let syncedFlag: UInt8 = 1

  // MARK: Writing

  static func writeDevice(_ device: DeviceSchema, number: Int, to writer: inout ByteWriter) {
    writer.fixed(Frame.Kind.device.rawValue)
    writer.varint(UInt64(number))
    writer.string(device.name)
    writer.varint(UInt64(device.points.count))
    for point in device.points { writer.string(point) }
  }

  /// `devices` must hold every device of the samples.
  static func writeSamples(
    _ samples: ArraySlice<DefinedSample>, key: BatchKey, context: BatchContext,
    devices: DeviceDictionary,
    to writer: inout ByteWriter
  ) {
    writeStart(key, context, count: samples.count, to: &writer)
    var previous: Int64 = 0
    for sample in samples.lazy.map(\.sample) {
      writer.varint(UInt64(devices.number(of: sample.device) ?? 0))
      writer.zigzag(sample.time.monotonic - previous)
      previous = sample.time.monotonic
      writer.varint(UInt64(sample.outcomes.count))
      for outcome in sample.outcomes {
        writer.varint(UInt64(outcome.point))
        write(outcome.outcome, to: &writer)
      }
    }
  }

  static func writeEvents(
    _ events: ArraySlice<Event>, key: BatchKey, context: BatchContext, to writer: inout ByteWriter
  ) {
    writeStart(key, context, count: events.count, to: &writer)
    var previous: Int64 = 0
    for event in events {
      writer.fixed(event.id)
      writer.zigzag(event.time.monotonic - previous)
      previous = event.time.monotonic
      writer.fixed(UInt8(Severity.allCases.firstIndex(of: event.severity) ?? 0))
      writer.string(event.detail.type)
      writer.string(event.source)
      var json = JSONWriter(capacity: 128)
      event.detail.writeMembers(to: &json)
      writer.blob(json.bytes)
    }
  }

  private static func writeStart(
    _ key: BatchKey, _ context: BatchContext, count: Int, to writer: inout ByteWriter
  ) {
    writer.fixed(Frame.Kind.batch.rawValue)
    writer.varint(UInt64(key.epoch))
    writer.varint(key.seq)
    writer.fixed(context.boot.rawValue)
    writer.zigzag(context.offset)
    writer.fixed(context.clock == .synced ? syncedFlag : 0)
    writer.varint(UInt64(count))
  }

  // MARK: Reading

  static func readDevice(
    _ reader: inout ByteReader
  ) throws(MalformedBytes) -> (number: Int, device: DeviceSchema) {
    let number = Int(truncatingIfNeeded: try reader.varint())
    let name = try reader.string()
    var points: [String] = []
    for _ in 0..<(try reader.count()) { points.append(try reader.string()) }
    return (number, DeviceSchema(name: name, points: points))
  }

  static func readKey(_ reader: inout ByteReader) throws(MalformedBytes) -> BatchKey {
    BatchKey(epoch: UInt32(truncatingIfNeeded: try reader.varint()), seq: try reader.ordinal())
  }

  static func readContext(_ reader: inout ByteReader) throws(MalformedBytes) -> BatchContext {
    BatchContext(
      boot: BootID(rawValue: try reader.fixed(UInt32.self)), offset: try reader.zigzag(),
      clock: try reader.fixed(UInt8.self) & syncedFlag != 0 ? .synced : .unsynced)
  }

  static func readSamples(
    _ reader: inout ByteReader, devices: [DeviceSchema?]
  ) throws(MalformedBytes) -> [StoredSample] {
    var samples: [StoredSample] = []
    var time: Int64 = 0
    for _ in 0..<(try reader.count()) {
      let number = try reader.varint()
      guard number < UInt64(devices.count), let device = devices[Int(number)] else {
        throw MalformedBytes(description: "device number \(number) is not in the dictionary")
      }
      time &+= try reader.zigzag()
      var outcomes: [PointOutcome] = []
      let count = try reader.count()
      outcomes.reserveCapacity(count)
      for _ in 0..<count {
        let point = try reader.varint()
        guard point < UInt64(device.points.count) else {
          throw MalformedBytes(
            description: "point \(point) of \(device.name), which has \(device.points.count)")
        }
        outcomes.append(PointOutcome(point: Int(point), outcome: try readOutcome(&reader)))
      }
      samples.append(StoredSample(device: device, monotonic: time, outcomes: outcomes))
    }
    return samples
  }

  static func readEvents(_ reader: inout ByteReader) throws(MalformedBytes) -> [StoredEvent] {
    var events: [StoredEvent] = []
    var time: Int64 = 0
    for _ in 0..<(try reader.count()) {
      let id = try reader.fixed(UInt64.self)
      time &+= try reader.zigzag()
      let severity = Int(try reader.fixed(UInt8.self))
      guard severity < Severity.allCases.count else {
        throw MalformedBytes(description: "severity \(severity)")
      }
      events.append(
        StoredEvent(
          id: id, monotonic: time, severity: Severity.allCases[severity],
          type: try reader.string(), source: try reader.string(),
          details: Array(try reader.blob())))
    }
    return events
  }
}
