internal import Buffering
internal import Drivers
internal import Telemetry

/// What the configured sizes buy at the configured rate. Pure.
struct StorePlan {
  let storage: StorageConfiguration
  /// Outcomes of points a second, if every device answers in time.
  let valuesPerSecond: Double
  let forecast: StoreForecast
  /// What the store can take of its file system, its own files included; `nil` if not known.
  let roomBytes: Int64?

  /// What comes besides what buses read; changes of contacts come on top.
  struct Samples {
    var points: Int
    var everyMilliseconds: Int64

    init(_ line: LineDefinition) {
      points = line.points.count
      everyMilliseconds = line.everyMilliseconds
    }

    init(_ area: AreaDefinition) {
      points = area.points.count
      everyMilliseconds = area.everyMilliseconds
    }

    var perSecond: Double { 1000 / Double(everyMilliseconds) }
  }

  init(
    _ storage: StorageConfiguration, buses: [BusPlan], samples others: [Samples] = [],
    destinations: Int, roomBytes: Int64?
  ) {
    self.storage = storage
    self.roomBytes = roomBytes
    let requests = buses.flatMap(\.devices).flatMap(\.requests)
    let values =
      requests.reduce(0.0) { $0 + Double($1.points.count) * 1000 / Double($1.everyMilliseconds) }
      + others.reduce(0.0) { $0 + Double($1.points) * $1.perSecond }
    // A device's points of one period come in a sample.
    let ownSamples = others.reduce(0.0) { $0 + $1.perSecond }
    let samples = buses.flatMap(\.devices).reduce(ownSamples) { sum, device in
      Set(device.requests.map(\.everyMilliseconds)).reduce(sum) { $0 + 1000 / Double($1) }
    }
    valuesPerSecond = values
    // Nothing is synced before something was appended.
    let shortest = (requests.map(\.everyMilliseconds) + others.map(\.everyMilliseconds)).min() ?? 0
    forecast = StoreForecast(
      bytesPerSecond: StoreForecast.bytesPerSecond(values: values, samples: samples),
      commitSeconds: Double(max(storage.commitMilliseconds, shortest)) / 1000,
      destinations: destinations)
  }

  private static let daysAYear = 365.0

  /// What a value takes with its share of its sample; `nil` without points.
  var bytesPerValue: Double? {
    valuesPerSecond > 0 ? forecast.bytesPerSecond / valuesPerSecond : nil
  }
  /// For how many days without a link the data's size lasts; `nil` without points.
  var days: Double? { forecast.days(in: storage.dataBytes) }
  /// Bytes to flash a day once the store has its full size.
  var flashBytesPerDay: Double { forecast.flashBytesPerDay(isGrowing: false) }
  /// The same a year.
  var flashBytesPerYear: Double { flashBytesPerDay * Self.daysAYear }
  /// Whether the sizes are more than the file system has.
  var isTooLarge: Bool {
    roomBytes.map { $0 < storage.dataBytes + storage.eventBytes } ?? false
  }

  /// Lines for a terminal.
  var lines: [String] {
    var lines = [
      "  a power cut costs at most what was read in \(AgentPlan.duration(lossMilliseconds)), and "
        + "only what no destination has"
    ]
    if let days, let bytesPerValue {
      lines += [
        "  \(Self.number(valuesPerSecond)) values/s planned, "
          + "\(Self.number(bytesPerValue)) bytes each: data holds "
          + "\(Self.span(days)) without a link",
        "  flash: \(Self.size(flashBytesPerDay)) a day, \(Self.size(flashBytesPerYear)) a year; "
          + "ext4 adds 200 MiB a day unless it is mounted with lazytime",
      ]
    }
    if isTooLarge, let roomBytes {
      lines.append(
        "  WARNING: data and events take up to "
          + "\(Self.size(Double(storage.dataBytes + storage.eventBytes))); the file system has "
          + "\(Self.size(Double(roomBytes))) for them")
    }
    return lines
  }

  /// What a sync is behind at most.
  private var lossMilliseconds: Int64 { storage.commitMilliseconds }

  /// In the largest unit of which there are two at least.
  private static func span(_ days: Double) -> String {
    if days >= 2 { return "\(number(days)) days" }
    let hours = days * 24
    return hours >= 2 ? "\(number(hours)) hours" : "\(number(hours * 60)) minutes"
  }

  /// One decimal where it matters.
  private static func number(_ number: Double) -> String {
    guard number < 100 else { return "\(Int64(number.rounded()))" }
    let tenths = Int64((number * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  private static func size(_ bytes: Double) -> String {
    let units: [(bytes: Double, name: String)] = [
      (0x1p40, "TiB"), (0x1p30, "GiB"), (0x1p20, "MiB"), (0x1p10, "KiB"),
    ]
    guard let unit = units.first(where: { bytes >= $0.bytes }) else {
      return "\(Int64(bytes)) B"
    }
    return "\(number(bytes / unit.bytes)) \(unit.name)"
  }

  /// The member `storage`.
  func write(to json: inout JSONWriter) {
    json.key("storage")
    json.beginObject()
    json.member("data-bytes", storage.dataBytes)
    json.member("event-bytes", storage.eventBytes)
    json.member("loss-ms", lossMilliseconds)
    json.member("values-a-second", valuesPerSecond)
    json.member("bytes-a-value", bytesPerValue)
    json.member("days", days)
    json.member("flash-bytes-a-day", Int64(flashBytesPerDay))
    json.member("flash-bytes-a-year", Int64(flashBytesPerYear))
    json.member("fits", !isTooLarge)
    json.endObject()
  }
}
