internal import ConfigurationFile
internal import Drivers
internal import Telemetry

/// The types a point may name, as the configuration spells them.
enum PointType: String, CaseIterable {
  case bool, bit, int16, uint16, int32, uint32, int64, uint64
  case float32, float64, float16, bcd16, bcd32, bcd64, string
}

/// A place in one of the four tables.
struct PointAddress {
  /// The table.
  var table: ModbusTable
  /// The address on the wire, from 0.
  var address: UInt16
}

/// What one file says of one point. A device's settings lie over its profile's, key by key.
struct PointSettings {
  /// The point itself, for problems of the whole.
  var place: ConfigurationValue
  var address: Setting<PointAddress>
  var type: Setting<PointType>
  var bit: Setting<Int64>
  var order: Setting<ByteOrder>
  var scale: Setting<ExactDecimal>
  var offset: Setting<ExactDecimal>
  var unit: Setting<MeasurementUnit>
  var range: Setting<ValueRange>
  var location: Setting<String>
  var every: Setting<Int64>
  var length: Setting<UInt8>
  var bits: Setting<ClosedRange<UInt8>>
  var enumeration: Setting<[Int64: String]>
  var errorValues: Setting<[BitsOrNumber]>
  var unsupportedValues: Setting<[BitsOrNumber]>
  var decimals: Setting<UInt8>
  var report: Setting<ReportChoice>
  var polling: PollingSettings

  /// How often a point may be read: times are whole milliseconds, and a slower point than once a
  /// day is no monitoring.
  static let intervals: ClosedRange<Int64> = 1...86_400_000

  /// Decodes a point.
  /// - Parameter addressBase: What the file's first address is, 0 or 1.
  static func read(_ value: ConfigurationValue, addressBase: Int64) -> PointSettings? {
    value.mapping { point in
      return PointSettings(
        place: value,
        address: address(point, addressBase),
        type: Setting(point.take("type")) { $0.choice(PointType.self, "a type") },
        bit: Setting(point.take("bit")) { $0.integer(in: 0...15) },
        order: Setting(point.take("order")) { $0.choice(ByteOrder.self, "an order of bytes") },
        scale: Setting(point.take("scale"), scale),
        offset: Setting(point.take("offset")) { $0.decimal() },
        unit: Setting(point.take("unit")) { $0.measurementUnit() },
        range: Setting(point.take("range"), range),
        location: Setting(point.take("location")) { $0.text("a place in the mine") },
        every: Setting(point.take("every")) { $0.duration(in: intervals) },
        length: Setting(point.take("length")) {
          $0.integer(in: 1...Int64(RegisterType.longestText)).map { UInt8($0) }
        },
        bits: Setting(point.take("bits"), bits),
        enumeration: Setting(point.take("enum"), enumeration),
        errorValues: Setting(point.take("error-value"), specialValues),
        unsupportedValues: Setting(point.take("unsupported-value"), specialValues),
        decimals: Setting(point.take("decimals")) {
          $0.integer(in: 0...Int64(PointDescription.mostDecimals)).map { UInt8($0) }
        },
        report: Setting(point.take("report"), ReportChoice.read),
        polling: PollingSettings.read(point))
    }
  }

  private static func address(_ point: MappingReader, _ base: Int64) -> Setting<PointAddress> {
    let given = ModbusTable.allCases.compactMap { table in
      point.take(table.rawValue).map { (table, $0) }
    }
    guard let (table, place) = given.first else { return .absent }
    guard given.count == 1 else {
      let names = given.map(\.0.rawValue).joined(separator: " and ")
      point.value.refuse("stands in \(names)", "one table is expected")
      return .refused
    }
    return Setting(place) {
      $0.integer(in: base...base + 65_535).map {
        PointAddress(table: table, address: UInt16($0 - base))
      }
    }
  }

  private static func scale(_ value: ConfigurationValue) -> ExactDecimal? {
    guard let scale = value.decimal() else { return nil }
    guard scale.mantissa != 0 else {
      value.refuse("is 0", "a scale that keeps the reading is expected")
      return nil
    }
    return scale
  }

  static func range(_ value: ConfigurationValue) -> ValueRange? {
    range(value, of: "two limits such as [0, 4]")
  }

  /// As above, of something else.
  static func range(_ value: ConfigurationValue, of expected: String) -> ValueRange? {
    guard let limits = value.list(2...2, of: expected) else { return nil }
    let numbers = limits.compactMap { $0.decimal()?.approximate }
    guard numbers.count == 2 else { return nil }
    guard numbers[0] < numbers[1] else {
      let isEqual = numbers[0] == numbers[1]
      let what = isEqual ? "both limits are the same" : "the lower limit is above the upper"
      value.refuse(what, "[lower, upper] is expected")
      return nil
    }
    return ValueRange(lower: numbers[0], upper: numbers[1])
  }

  /// These settings over a profile's.
  func over(_ profile: PointSettings) -> PointSettings {
    PointSettings(
      place: place, address: address.or(profile.address), type: type.or(profile.type),
      bit: bit.or(profile.bit),
      order: order.or(profile.order), scale: scale.or(profile.scale),
      offset: offset.or(profile.offset), unit: unit.or(profile.unit),
      range: range.or(profile.range), location: location.or(profile.location),
      every: every.or(profile.every), length: length.or(profile.length),
      bits: bits.or(profile.bits),
      enumeration: enumeration.or(profile.enumeration),
      errorValues: errorValues.or(profile.errorValues),
      unsupportedValues: unsupportedValues.or(profile.unsupportedValues),
      decimals: decimals.or(profile.decimals), report: report.or(profile.report),
      polling: polling.over(profile.polling))
  }
}

extension ConfigurationValue {
  /// A unit of measure. Input methods offer characters that look like a unit and are another.
  func measurementUnit() -> MeasurementUnit? {
    if case .scalar(let text, _) = node.content, let meant = MeasurementUnit(lookalike: text) {
      refuse("\"\(text)\" is not a unit of measure", "did you mean \(meant.rawValue)?")
      return nil
    }
    return choice(MeasurementUnit.self, "a unit of measure")
  }
}

extension MeasurementUnit {
  /// What the characters of a look-alike stand for.
  private static let lookalikes: [Character: String] = [
    "℃": "°C", "º": "°", "˚": "°", "％": "%", "³": "3", "㎥": "m3", "㎜": "mm", "㎎": "mg",
    "／": "/", "㎩": "Pa", "㎪": "kPa", "㎫": "MPa", "㎧": "m/s", "㎾": "kW", "㎐": "Hz", "㎃": "mA",
  ]

  /// The unit that `text` looks like without being it.
  fileprivate init?(lookalike text: String) {
    let plain = text.map { Self.lookalikes[$0] ?? String($0) }.joined()
    guard plain != text else { return nil }
    self.init(rawValue: plain)
  }
}
