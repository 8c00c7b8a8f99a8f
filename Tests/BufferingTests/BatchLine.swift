import Telemetry

@testable import Buffering

/// A batch as one line of JSON with every bit of its values: what `Tests/Python/read_journal.py`
/// prints too.
enum BatchLine {
  static func text(_ batch: Batch) -> String {
    var json = JSONWriter()
    json.beginObject()
    json.member("stream", "\(batch.identity.stream)")
    json.member("store", hexadecimal(batch.identity.store, digits: 16))
    json.member("epoch", batch.identity.epoch)
    json.member("seq", batch.identity.seq)
    json.member("boot", batch.boot.description)
    json.member("offset", batch.offset)
    json.member("clock", batch.clock.rawValue)
    json.member("definitions", hexadecimal(UInt64(batch.definitions), digits: 8))
    json.key("items")
    json.beginArray()
    switch batch.body {
    case .samples(let samples): for sample in samples { write(sample, to: &json) }
    case .events(let events): for event in events { write(event, to: &json) }
    }
    json.endArray()
    json.endObject()
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private static func write(_ sample: StoredSample, to json: inout JSONWriter) {
    json.beginObject()
    json.member("device", sample.device.name)
    json.member("time", sample.monotonic)
    json.key("outcomes")
    json.beginArray()
    for outcome in sample.outcomes {
      json.string("\(sample.device.points[outcome.point]) \(text(outcome.outcome))")
    }
    json.endArray()
    json.endObject()
  }

  private static func write(_ event: StoredEvent, to json: inout JSONWriter) {
    json.beginObject()
    json.member("id", hexadecimal(event.id, digits: 16))
    json.member("time", event.monotonic)
    json.member("severity", event.severity.rawValue)
    json.member("type", event.type)
    json.member("source", event.source)
    json.member("details", String(decoding: event.details, as: UTF8.self))
    json.endObject()
  }

  static func text(_ outcome: Outcome) -> String {
    switch outcome {
    case .good(let value): text(value)
    case .bad(let reason, raw: nil): "bad \(reason)"
    case .bad(let reason, raw: .some(let value)): "bad \(reason) \(text(value))"
    }
  }

  private static func text(_ value: Value) -> String {
    switch value {
    case .bool(let value): "bool \(value)"
    case .int(let value): "int \(value)"
    case .uint(let value): "uint \(value)"
    case .float32(let value): "float32 \(hexadecimal(UInt64(value.bitPattern), digits: 8))"
    case .float64(let value): "float64 \(hexadecimal(value.bitPattern, digits: 16))"
    case .decimal(let mantissa, let decimals): "decimal \(mantissa) \(decimals)"
    case .text(let text): "text \(text)"
    }
  }
}
