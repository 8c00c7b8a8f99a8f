public import Telemetry

extension PayloadEncoder {
  /// The `points/<digest>` payload. The same descriptions give the same bytes for ever, because the
  /// digest is taken over them: devices and points stand in the order given.
  public static func definitions(of devices: [DeviceDescription]) -> [UInt8] {
    var json = JSONWriter(capacity: 4 * 1024)
    json.beginObject()
    json.member("v", version)
    json.key("devices")
    json.beginArray()
    for device in devices {
      json.beginObject()
      json.member("device", device.name)
      json.key("points")
      json.beginArray()
      for point in device.points { json.write(point) }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    json.endObject()
    return json.bytes
  }
}

extension JSONWriter {
  fileprivate mutating func write(_ point: PointDescription) {
    beginObject()
    member("point", point.name)
    member("type", point.type)
    if let unit = point.unit { member("unit", unit.rawValue) }
    if let range = point.range {
      key("range")
      beginArray()
      limit(range.lower)
      limit(range.upper)
      endArray()
    }
    if let location = point.location { member("location", location) }
    if let decimals = point.decimals { member("decimals", decimals) }
    if let states = point.enumeration {
      key("enum")
      beginObject()
      for (number, text) in states.sorted(by: { $0.key < $1.key }) { member("\(number)", text) }
      endObject()
    }
    if let rule = point.report { write(rule) }
    endObject()
  }

  private mutating func write(_ rule: ReportRule) {
    key("report")
    beginObject()
    if let deadband = rule.deadband {
      key("deadband")
      limit(deadband)
    }
    member("at-least", rule.atLeastMilliseconds)
    endObject()
  }

  /// A limit as a technician writes it: 4, not 4.0.
  private mutating func limit(_ value: Double) {
    if let whole = Int64(exactly: value), whole.magnitude <= Value.largestExactInteger {
      int(whole)
    } else {
      double(value)
    }
  }
}
