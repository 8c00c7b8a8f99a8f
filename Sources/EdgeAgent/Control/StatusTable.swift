internal import Glibc
internal import Telemetry

extension StatusReport {
  /// The report for a human at a terminal.
  var lines: [String] {
    var sections = [summary]
    sections.append(
      contentsOf: [busTable, unitTable, deviceTable, lineTable, areaTable].map(\.lines))
    sections.append(destinationTable.lines + removedLines)
    sections.append(storeLines)
    sections.append(pointTable.lines)
    return Array(sections.filter { !$0.isEmpty }.joined(separator: [""]))
  }

  private var summary: [String] {
    let name = gatewayName.map { " (\($0))" } ?? ""
    var lines = [
      terminalSafe("gateway \(gateway)\(name), edge-agent \(agent), process \(process)"),
      "up \(span(uptime)), clock \(terminalSafe(clock)), \(dateText(time)) UTC",
    ]
    if let timeLine { lines.append(timeLine) }
    guard !isHealthy else { return lines + ["healthy"] }
    let count = faults.count == 1 ? "1 fault" : "\(faults.count) faults"
    lines.append("degraded: \(count)")
    var table = TextTable("FAULT", "WHAT", "FOR")
    for fault in faults { table.add(fault.part, fault.word, span(time - fault.since)) }
    return lines + table.lines
  }

  private var timeLine: String? {
    guard let names = timeState.realTimeClocks else { return nil }
    var line = TimeState.words(names)
    if let step = timeState.lastStep, let age = timeState.lastStepAge {
      let way = step < 0 ? "back" : "forward"
      line += "; the clock was set \(way) by \(span(abs(step))) \(span(age)) ago"
    }
    return terminalSafe(line)
  }

  private var removedLines: [String] {
    removed.map { removed in
      terminalSafe(
        "\(removed.name) is not configured any more: holds \(removed.unsent[.events] ?? 0) batches "
          + "of events and \(removed.unsent[.data] ?? 0) of data "
          + "for \(span(removed.remaining)) more"
      )
    }
  }

  private var busTable: TextTable {
    var table = TextTable(
      "BUS", "STATE", "FOR", "REQUESTS", "TIMEOUTS", "BAD", "CRC", "LATE", "CONNECTS", "USE")
    for bus in buses {
      table.add(
        bus.part.name, bus.part.state, bus.part.age(at: time), "\(bus.requests)",
        "\(bus.timeouts)", "\(bus.badAnswers)", "\(bus.wrongChecksums)", "\(bus.lateAnswers)",
        "\(bus.connects)", bus.use.map { "\($0)%" } ?? "-")
    }
    return table
  }

  private var deviceTable: TextTable {
    var table = TextTable("DEVICE", "BUS", "STATE", "FOR", "NEWEST VALUE")
    for device in devices {
      table.add(
        device.part.name, device.bus, device.part.state, device.part.age(at: time),
        device.age.map { "\(span($0)) ago" } ?? "none yet")
    }
    return table
  }

  private var destinationTable: TextTable {
    var table = TextTable(
      "DESTINATION", "STATE", "FOR", "CONNECTED", "UNSENT EVENTS", "UNSENT DATA", "HISTORY")
    for destination in destinations {
      let rate = destination.historyRate.map { "\(sizeWords($0))/s" } ?? "unlimited"
      let share = destination.historyShare.map { ", \($0)%" } ?? ""
      table.add(
        destination.part.name, destination.part.state, destination.part.age(at: time),
        destination.isConnected ? "yes" : "no", "\(destination.unsent[.events] ?? 0)",
        "\(destination.unsent[.data] ?? 0)", rate + share)
    }
    return table
  }

  private var storeLines: [String] {
    let state = store.fault ?? "ok"
    let place = store.isDurable ? store.directory : "in memory only"
    let head = terminalSafe(
      "store \(store.id), epoch \(store.epoch), \(place): \(state) for \(span(time - store.since))")
    var table = TextTable("STREAM", "USED", "OF", "NEWEST BATCH")
    for stream in store.streams {
      table.add(
        "\(stream.name)", sizeWords(stream.bytes), sizeWords(stream.cap),
        stream.newest ?? "none yet")
    }
    return [head] + table.lines
  }

  private var pointTable: TextTable {
    var table = TextTable("DEVICE", "POINT", "VALUE", "UNIT", "QUALITY", "AGE")
    for point in points {
      table.add(
        point.device, point.name, point.valueText,
        point.unit ?? "", point.quality ?? "none yet", point.age.map(span) ?? "-")
    }
    return table
  }
}

extension StatusReport.Point {
  fileprivate var valueText: String {
    guard let value else { return raw.map { "(\($0))" } ?? "-" }
    return meaning.map { "\(value) \($0)" } ?? value
  }
}

extension StatusReport.Part {
  var state: String { fault ?? "ok" }

  func age(at time: Int64) -> String { span(time - since) }
}

/// Milliseconds in words, ever coarser. By the wall clock, a span can end before it began: the
/// clock was set meanwhile.
func span(_ milliseconds: Int64) -> String {
  switch milliseconds {
  case ..<0: "?"
  case ..<10_000: "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
  case ..<120_000: "\(milliseconds / 1000) s"
  case ..<7_200_000: "\(milliseconds / 60_000) min"
  case ..<172_800_000: "\(milliseconds / 3_600_000) h"
  default: "\(milliseconds / 86_400_000) d"
  }
}

/// Bytes with one decimal.
private func sizeWords(_ bytes: Int64) -> String {
  let units: [(name: String, bytes: Int64)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
  ]
  guard let unit = units.first(where: { bytes >= $0.bytes }) else { return "\(bytes) B" }
  let (whole, rest) = bytes.quotientAndRemainder(dividingBy: unit.bytes)
  let tenths = rest * 10 / unit.bytes
  return tenths == 0 ? "\(whole) \(unit.name)" : "\(whole).\(tenths) \(unit.name)"
}

/// Unix milliseconds as date and time, UTC.
func dateText(_ milliseconds: Int64) -> String {
  var seconds = time_t(milliseconds / 1000)
  var parts = tm()
  gmtime_r(&seconds, &parts)
  var buffer = [CChar](repeating: 0, count: 64)
  let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S", &parts)
  return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
