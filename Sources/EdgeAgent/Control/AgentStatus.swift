internal import Buffering
internal import ConfigurationFile
internal import Drivers
internal import Glibc
internal import LinuxSystem
internal import Telemetry
internal import Uplink

/// What the control socket is answered from. Asked on its thread, told by the main thread what
/// runs.
final class AgentStatus: ControlResponder {
  /// The parts that run at present.
  struct Parts: Sendable {
    var configuration: AgentConfiguration
    var buses: [BusPart] = []
    var lines: LinesPart?
    var headcount: HeadcountPart?
    var uplinks: [Uplink] = []
  }

  private let start: Timestamp
  private let board: HealthBoard
  private let journal: Journal
  private let parts: Monitor<Parts>
  private let errands: ErrandDesk

  init(_ configuration: AgentConfiguration, board: HealthBoard, journal: Journal, start: Timestamp)
  {
    self.board = board
    self.journal = journal
    self.start = start
    parts = Monitor(Parts(configuration: configuration))
    errands = ErrandDesk(journal: journal, board: board)
  }

  /// From now on these are the ones that run.
  func use(_ parts: Parts) {
    self.parts.update { $0 = parts }
  }

  func answer(_ request: ControlRequest) throws(ControlRefusal) -> [UInt8] {
    let parts = parts.withLock { $0 }
    if ErrandDesk.commands.contains(request.command) {
      return try errands.answer(request, parts)
    }
    if HeadcountDesk.commands.contains(request.command) {
      return try HeadcountDesk.answer(request, parts.headcount)
    }
    guard request.command == "status" else {
      let known = (["status"] + HeadcountDesk.commands + ErrandDesk.commands).joined(
        separator: ", ")
      throw ControlRefusal(
        .unknownCommand, "\"\(request.command)\" is none of the commands: \(known)")
    }
    var json = JSONWriter(capacity: 16 << 10)
    let snapshot = board.snapshot()
    json.beginObject()
    json.member("v", ControlProtocol.version)
    writeAgent(parts.configuration, snapshot.report.time, into: &json)
    writeFaults(of: snapshot, into: &json)
    writeBuses(parts, snapshot, into: &json)
    writeDevices(parts, snapshot, into: &json)
    writeLines(parts, snapshot, into: &json)
    writeAreas(parts, snapshot, into: &json)
    writeDestinations(parts, snapshot, into: &json)
    writeRemoved(into: &json)
    writeStore(parts.configuration.storage, snapshot, into: &json)
    writePoints(parts, snapshot, into: &json)
    json.endObject()
    return json.bytes
  }

  // MARK: Sections

  private func writeAgent(
    _ configuration: AgentConfiguration, _ now: Timestamp, into json: inout JSONWriter
  ) {
    let gateway = configuration.gateway
    json.key("gateway")
    json.beginObject()
    json.member("id", gateway.id)
    json.member("mine", gateway.mine)
    json.member("region", gateway.region)
    if let name = gateway.name { json.member("name", name) }
    json.member("mode", gateway.mode.rawValue)
    json.endObject()
    json.member("agent", productVersion)
    json.member("process", getpid())
    json.member("time", now.wall)
    json.member("clock", now.clock.rawValue)
    writeTime(now, into: &json)
    // By the clock that never steps.
    json.member("uptime", max(0, now.monotonic - start.monotonic))
  }

  private func writeTime(_ now: Timestamp, into json: inout JSONWriter) {
    json.key("time-state")
    json.beginObject()
    json.member("offset", now.offset)
    TimeState.write(RealTimeClock.all(), into: &json)
    if let step = journal.lastClockStep {
      json.key("last-step")
      json.beginObject()
      json.member("milliseconds", step.milliseconds)
      // By the clock that never steps.
      json.member("age", max(0, now.monotonic - step.monotonic))
      json.endObject()
    }
    json.endObject()
  }

  private func writeFaults(of snapshot: HealthBoard.Snapshot, into json: inout JSONWriter) {
    let report = snapshot.report
    json.member("healthy", report.isHealthy)
    json.key("faults")
    json.beginArray()
    func write(_ part: String, _ fault: String, _ since: Int64) {
      json.beginObject()
      json.member("part", part)
      json.member("fault", fault)
      json.member("since", since)
      json.endObject()
    }
    if let fault = report.storeFault { write("store", fault, snapshot.storeSince) }
    for part in report.parts {
      if let fault = part.fault { write("\(part.kind.rawValue)/\(part.name)", fault, part.since) }
    }
    json.endArray()
  }

  /// Opens an object for each part of a kind, writes what all have, and lets `body` add to it.
  private func writeParts(
    _ kind: HealthReport.Part.Kind, as key: String, _ snapshot: HealthBoard.Snapshot,
    into json: inout JSONWriter, _ body: (HealthReport.Part, inout JSONWriter) -> Void
  ) {
    json.key(key)
    json.beginArray()
    for part in snapshot.report.parts where part.kind == kind {
      json.beginObject()
      json.member("name", part.name)
      json.key("fault")
      if let fault = part.fault { json.string(fault) } else { json.null() }
      json.member("since", part.since)
      body(part, &json)
      json.endObject()
    }
    json.endArray()
  }

  private func writeBuses(
    _ parts: Parts, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    writeParts(.bus, as: "buses", snapshot, into: &json) { part, json in
      json.member("connected", snapshot.connectedBuses.contains(part.name))
      let bus = parts.buses.first { $0.definition.name == part.name }
      let statistics = bus?.statistics
      let counters = statistics?.counters ?? ModbusBusCounters()
      json.key("counters")
      json.beginObject()
      json.member("requests", counters.requests)
      json.member("timeouts", counters.timeouts)
      json.member("bad-answers", counters.badAnswers)
      json.member("wrong-checksums", counters.wrongChecksums)
      json.member("late-answers", counters.lateAnswers)
      json.member("connects", counters.connects)
      json.endObject()
      if let statistics, let definition = bus?.definition {
        json.writeUnits(of: statistics, definition, at: snapshot.report.time)
      }
    }
  }

  private func writeDevices(
    _ parts: Parts, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    var buses: [String: String] = [:]
    for bus in parts.configuration.buses {
      for device in bus.devices { buses[device.name] = bus.name }
    }
    writeParts(.device, as: "devices", snapshot, into: &json) { part, json in
      json.member("bus", buses[part.name] ?? "")
      json.writeAge(of: part.newestValue, at: snapshot.report.time)
    }
  }

  private func writeLines(
    _ parts: Parts, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    let statistics = parts.lines?.statistics ?? [:]
    let lines = Dictionary(parts.configuration.lines.map { ($0.name, $0) }) { $1 }
    writeParts(.line, as: "lines", snapshot, into: &json) { part, json in
      guard let line = lines[part.name] else { return }
      json.writeMembers(
        of: line, statistics[part.name], newest: part.newestValue, at: snapshot.report.time)
    }
  }

  private func writeAreas(
    _ parts: Parts, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    let states = Dictionary((parts.headcount?.states ?? []).map { ($0.name, $0) }) { $1 }
    writeParts(.area, as: "areas", snapshot, into: &json) { part, json in
      json.writeAge(of: part.newestValue, at: snapshot.report.time)
      if let state = states[part.name] { json.writeMembers(of: state) }
    }
  }

  private func writeDestinations(
    _ parts: Parts, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    writeParts(.destination, as: "destinations", snapshot, into: &json) { part, json in
      let name = DestinationName(part.name)
      json.member("connected", parts.uplinks.first { $0.name == name }?.isConnected ?? false)
      json.key("unsent")
      json.beginObject()
      for stream in StreamName.allCases {
        json.member("\(stream)", journal.counts(of: stream, for: name).unsent)
      }
      json.endObject()
      guard let uplink = parts.configuration.uplinks.first(where: { $0.name == part.name }) else {
        return
      }
      json.key("history")
      json.beginObject()
      json.key("rate")
      switch uplink.historyRate {
      case .unlimited: json.null()
      case .bytesPerSecond(let bytes): json.int(bytes)
      }
      json.member("share", uplink.historySharePercent)
      json.endObject()
    }
  }

  private func writeRemoved(into json: inout JSONWriter) {
    json.key("removed-destinations")
    json.beginArray()
    for removed in journal.removedDestinations {
      json.beginObject()
      json.member("name", removed.name.description)
      json.member("remaining", removed.remainingMilliseconds)
      json.key("unsent")
      json.beginObject()
      for stream in StreamName.allCases {
        json.member("\(stream)", journal.counts(of: stream, for: removed.name).unsent)
      }
      json.endObject()
      json.endObject()
    }
    json.endArray()
  }

  private func writeStore(
    _ storage: StorageConfiguration, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    json.key("store")
    json.beginObject()
    json.member("id", hexadecimal(journal.store, digits: 16))
    json.member("epoch", journal.epoch)
    json.member("directory", storage.directory)
    json.member("durable", journal.isDurable)
    json.key("fault")
    if let fault = snapshot.report.storeFault { json.string(fault) } else { json.null() }
    json.member("since", snapshot.storeSince)
    json.key("streams")
    json.beginObject()
    for stream in StreamName.allCases {
      json.key("\(stream)")
      json.beginObject()
      json.member("bytes", journal.usedBytes(of: stream))
      // A store in memory has a cap of its own.
      let cap = stream == .events ? storage.eventBytes : storage.dataBytes
      json.member(
        "cap", journal.isDurable ? cap : Int64(JournalSettings.memoryBytes(for: stream)))
      if let newest = journal.newest(of: stream) {
        json.key("newest")
        json.beginObject()
        json.member("epoch", newest.epoch)
        json.member("seq", newest.seq)
        json.endObject()
      }
      json.endObject()
    }
    json.endObject()
    json.endObject()
  }

  private func writePoints(
    _ parts: Parts, _ snapshot: HealthBoard.Snapshot, into json: inout JSONWriter
  ) {
    json.key("points")
    json.beginArray()
    for device in parts.configuration.deviceDescriptions {
      let readings = snapshot.readings.readings(of: device.name)
      for point in device.points {
        json.beginObject()
        json.member("device", device.name)
        json.member("point", point.name)
        if let unit = point.unit { json.member("unit", unit.rawValue) }
        write(readings[point.name], at: snapshot.report.time, into: &json)
        if case .good(let value)? = readings[point.name]?.outcome,
          let meaning = point.meaning(of: value)
        {
          json.member("means", meaning)
        }
        json.endObject()
      }
    }
    json.endArray()
  }

  private func write(
    _ reading: NewestReadings.Reading?, at now: Timestamp, into json: inout JSONWriter
  ) {
    switch reading?.outcome {
    case .good(let value):
      json.member("quality", "good")
      json.key("value")
      json.value(value)
    case .bad(let reason, let raw):
      json.member("quality", "\(reason)")
      if let raw {
        json.key("raw")
        json.value(raw)
      }
    case nil:
      // Not due yet since the start.
      json.key("quality")
      json.null()
    }
    if let time = reading?.time { json.member("age", max(0, now.monotonic - time.monotonic)) }
  }
}
