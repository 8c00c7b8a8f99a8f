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
  /// The same for the objects in `devices`, which nobody else can become while they are there: most
  /// samples of a device name the same one, and a name takes longer to hash.
  private var numbersOfObjects: [ObjectIdentifier: Int] = [:]

  func number(of device: DeviceSchema) -> Int? {
    numbersOfObjects[ObjectIdentifier(device)] ?? numbers[device]
  }

  /// Gives the device the next number.
  mutating func add(_ device: DeviceSchema) -> Int {
    numbers[device] = devices.count
    numbersOfObjects[ObjectIdentifier(device)] = devices.count
    devices.append(device)
    return devices.count - 1
  }

  /// Forgets the devices that were added last.
  mutating func truncate(to count: Int) {
    while devices.count > count {
      let device = devices.removeLast()
      numbers[device] = nil
      numbersOfObjects[ObjectIdentifier(device)] = nil
    }
  }
}

/// The bodies of frames, as far as they do not build on others.
enum BatchCodec {
  private static let syncedFlag: UInt8 = 1

  // MARK: Writing

  static func writeDevice(_ device: DeviceSchema, number: Int, to writer: inout ByteWriter) {
    writer.varint(UInt64(number))
    writer.string(device.name)
    writer.varint(UInt64(device.points.count))
    for point in device.points { writer.string(point) }
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

  /// What a batch that needs no other begins with; `count` items follow.
  static func writeStart(
    _ key: BatchKey, _ context: BatchContext, count: Int, to writer: inout ByteWriter
  ) {
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
    let epoch = UInt32(truncatingIfNeeded: try reader.varint())
    let seq = try reader.ordinal()
    guard seq > 0 else { throw MalformedBytes(description: "seq 0; the first is 1") }
    return BatchKey(epoch: epoch, seq: seq)
  }

  static func readContext(_ reader: inout ByteReader) throws(MalformedBytes) -> BatchContext {
    BatchContext(
      boot: BootID(rawValue: try reader.fixed(UInt32.self)), offset: try reader.zigzag(),
      clock: try reader.fixed(UInt8.self) & syncedFlag != 0 ? .synced : .unsynced)
  }

  /// The samples of a batch of format version 1.
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
