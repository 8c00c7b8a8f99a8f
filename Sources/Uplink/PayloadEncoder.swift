public import Buffering
internal import Telemetry

/// Encodes what is published, exactly as docs/payloads.md says. Reuses one buffer, so it belongs to
/// one thread.
public struct PayloadEncoder {
  /// The version of the contract that every payload names.
  static let version = 1

  let gateway: String
  let destination: String
  let agentVersion: String
  var json = JSONWriter(capacity: 16 * 1024)

  /// An encoder for one destination of a gateway.
  public init(gateway: String, destination: String, agentVersion: String) {
    self.gateway = gateway
    self.destination = destination
    self.agentVersion = agentVersion
  }

  /// The `data` or `events` payload of a batch.
  public mutating func encode(_ batch: Batch) -> [UInt8] {
    json.reset()
    json.beginObject()
    json.member("v", Self.version)
    json.member("gateway", gateway)
    json.member("store", hexadecimal(batch.identity.store, digits: 16))
    json.member("stream", "\(batch.identity.stream)")
    json.member("epoch", batch.identity.epoch)
    json.member("seq", batch.identity.seq)
    json.member("boot", batch.boot.description)
    json.member("offset", batch.offset)
    json.member("clock", batch.isCorrected ? "corrected" : batch.clock.rawValue)
    if batch.identity.stream == .data {
      json.member("points", hexadecimal(UInt64(batch.definitions), digits: 8))
    }
    if !batch.isDurable { json.member("durable", false) }
    switch batch.body {
    case .samples(let samples):
      json.key("samples")
      json.beginArray()
      for sample in samples { write(sample, offset: batch.offset) }
      json.endArray()
    case .events(let events):
      json.key("events")
      json.beginArray()
      for event in events { write(event, offset: batch.offset) }
      json.endArray()
    }
    json.endObject()
    return json.bytes
  }

  /// The `state` payload. `since` is in Unix milliseconds.
  mutating func state(isOnline: Bool, store: UInt64, epoch: UInt32, since: Int64) -> [UInt8] {
    json.reset()
    json.beginObject()
    json.member("v", Self.version)
    json.member("state", isOnline ? "online" : "offline")
    json.member("gateway", gateway)
    json.member("destination", destination)
    json.member("agent", agentVersion)
    json.member("store", hexadecimal(store, digits: 16))
    json.member("epoch", epoch)
    json.member("since", since)
    json.endObject()
    return json.bytes
  }
}

extension PayloadEncoder {
  private mutating func write(_ sample: StoredSample, offset: Int64) {
    json.beginObject()
    json.member("device", sample.device.name)
    json.member("time", sample.monotonic + offset)
    json.key("values")
    json.beginObject()
    var hasBad = false
    var hasRaw = false
    for entry in sample.outcomes {
      switch Verdict(entry.outcome) {
      case .good(let value):
        json.key(sample.device.name(ofPoint: entry.point))
        json.value(value)
      case .bad(_, let raw):
        hasBad = true
        hasRaw = hasRaw || raw != nil
      }
    }
    json.endObject()
    if hasBad { writeBad(sample) }
    if hasRaw { writeRaw(sample) }
    json.endObject()
  }

  private mutating func writeBad(_ sample: StoredSample) {
    json.key("bad")
    json.beginObject()
    for entry in sample.outcomes {
      guard case .bad(let reason, _) = Verdict(entry.outcome) else { continue }
      json.member(sample.device.name(ofPoint: entry.point), reason.description)
    }
    json.endObject()
  }

  private mutating func writeRaw(_ sample: StoredSample) {
    json.key("raw")
    json.beginObject()
    for entry in sample.outcomes {
      guard case .bad(_, let raw?) = Verdict(entry.outcome) else { continue }
      json.key(sample.device.name(ofPoint: entry.point))
      json.value(raw)
    }
    json.endObject()
  }

  private mutating func write(_ event: StoredEvent, offset: Int64) {
    json.beginObject()
    // A string: a reader that keeps numbers as doubles would round it.
    json.member("id", hexadecimal(event.id, digits: 16))
    json.member("time", event.monotonic + offset)
    json.member("type", event.type)
    json.member("severity", event.severity.rawValue)
    json.member("source", event.source)
    if !event.details.isEmpty { json.raw(event.details) }
    json.endObject()
  }
}

/// An outcome as JSON can carry it: a number that is none has no JSON form, so it is no value.
private enum Verdict {
  case good(Value)
  case bad(BadReason, raw: Value?)

  init(_ outcome: Outcome) {
    switch outcome {
    case .good(let value): self = value.isNumber ? .good(value) : .bad(.notANumber, raw: nil)
    case .bad(let reason, let raw):
      self = .bad(reason, raw: raw.flatMap { $0.isNumber ? $0 : nil })
    }
  }
}

extension Value {
  fileprivate var isNumber: Bool {
    switch self {
    case .float32(let value): value.isFinite
    case .float64(let value): value.isFinite
    case .bool, .int, .uint, .decimal, .text: true
    }
  }
}

extension DeviceSchema {
  /// A point's name; its index for one that the schema lacks, so that nothing is left out silently.
  fileprivate func name(ofPoint index: Int) -> String {
    points.indices.contains(index) ? points[index] : "#\(index)"
  }
}
