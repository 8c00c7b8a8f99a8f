internal import Telemetry

/// Reads the batches of one segment from its frames. A pure value that has to be given every frame
/// from the segment's start on, or from any later place at the cost of what builds on a key before
/// it.
struct BatchDecoder {
  /// What a batch says.
  struct Content {
    var context: BatchContext
    var body: Batch.Body

    /// Wall times of its items, as believed when they were written.
    var times: [Int64] {
      let monotonic =
        switch body {
        case .samples(let samples): samples.map(\.monotonic)
        case .events(let events): events.map(\.monotonic)
        }
      return monotonic.map { $0 &+ context.offset }
    }
  }

  /// A batch, with what it says if that was asked for: an error if it can't be read.
  struct Taken {
    var key: BatchKey
    var content: Result<Content, MalformedBytes>?
  }

  /// The segment's dictionary as far as it was seen.
  private(set) var devices: [DeviceSchema?] = []

  private let version: UInt16
  private let stream: StreamName
  private var samples = SampleDecoder()
  /// The last key, and the context of the batch before.
  private var key: BatchKey?
  private var context: BatchContext?
  /// How many batches since the key were read; `nil` if one of them, or the key, could not be.
  private var deltasRead: UInt8?

  init(_ header: SegmentHeader) {
    version = header.version
    stream = header.stream
  }

  /// Takes a frame's body; `nil` for what is no batch. Without `isReading` its values are left
  /// alone: it has no content, or an error where it builds on what is missing. All that build on
  /// the same key have to be taken in the same way.
  mutating func take(
    _ kind: Frame.Kind, _ body: UnsafeRawBufferPointer, isReading: Bool = true
  ) -> Taken? {
    var reader = ByteReader(body)
    switch kind {
    case .device:
      if let entry = try? BatchCodec.readDevice(&reader) {
        devices.define(entry.device, number: entry.number)
      }
      return nil
    case .key:
      key = nil
      guard let name = try? BatchCodec.readKey(&reader) else { return nil }
      key = name
      deltasRead = isReading ? nil : 0
      guard isReading else { return Taken(key: name, content: nil) }
      do throws(MalformedBytes) {
        return Taken(key: name, content: .success(try readKey(&reader)))
      } catch {
        return Taken(key: name, content: .failure(error))
      }
    case .delta:
      guard let key, let number = try? reader.fixed(UInt8.self) else { return nil }
      let name = BatchKey(epoch: key.epoch, seq: key.seq &+ UInt64(number))
      guard let read = deltasRead, Int(number) == Int(read) + 1 else {
        deltasRead = nil
        let error = MalformedBytes(description: "a batch that builds on one that can't be read")
        return Taken(key: name, content: .failure(error))
      }
      deltasRead = isReading ? nil : number
      guard isReading else { return Taken(key: name, content: nil) }
      do throws(MalformedBytes) {
        return Taken(key: name, content: .success(try readDelta(number, &reader)))
      } catch {
        return Taken(key: name, content: .failure(error))
      }
    }
  }

  private mutating func readKey(_ reader: inout ByteReader) throws(MalformedBytes) -> Content {
    let context = try BatchCodec.readContext(&reader)
    let body: Batch.Body
    switch stream {
    case .events: body = .events(try BatchCodec.readEvents(&reader))
    case .data where version == 1:
      body = .samples(try BatchCodec.readSamples(&reader, devices: devices))
    case .data:
      samples.beginKey()
      body = .samples(try readSamples(&reader, count: try reader.count()))
    }
    self.context = context
    deltasRead = 0
    return Content(context: context, body: body)
  }

  private mutating func readDelta(
    _ number: UInt8, _ reader: inout ByteReader
  ) throws(MalformedBytes) -> Content {
    guard var context else {
      throw MalformedBytes(description: "a batch that builds on no other")
    }
    let head = try reader.varint()
    guard head >> 1 <= UInt64(reader.remaining) else {
      throw MalformedBytes(description: "\(head >> 1) samples in \(reader.remaining) bytes")
    }
    if head & 1 != 0 { context.offset &+= try reader.zigzag() }
    let body = try readSamples(&reader, count: Int(head >> 1))
    self.context = context
    deltasRead = number
    return Content(context: context, body: .samples(body))
  }

  private mutating func readSamples(
    _ reader: inout ByteReader, count: Int
  ) throws(MalformedBytes) -> [StoredSample] {
    var read: [StoredSample] = []
    read.reserveCapacity(count)
    for _ in 0..<count { read.append(try samples.read(&reader, devices: devices)) }
    return read
  }
}

extension Array where Element == DeviceSchema? {
  /// More devices than one segment's dictionary can name; a larger number is damage.
  private static var mostDevices: Int { 1 << 16 }

  mutating func define(_ device: DeviceSchema, number: Int) {
    guard number >= 0, number < Self.mostDevices else { return }
    while count <= number { append(nil) }
    self[number] = device
  }
}
