internal import ArgumentParser
internal import Buffering
internal import Telemetry

/// `edge-agent journal stats`.
struct JournalStatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "Figures of each stream, each destination and the store.",
    discussion: """
      What a destination has acknowledged is known as of its cursor, which a running agent saves \
      up to 10 s late. The sizes that data may take and `commit` stand in the configuration; \
      without one the days that are left are null, and flash is reckoned with a commit of 1 s.
      """)

  /// Epochs that a line names; an agent that restarts every minute has thousands.
  private static let mostEpochs = 100
  private static let defaultCommitMilliseconds: Int64 = 1000

  @OptionGroup var arguments: StoreArguments
  @OptionGroup var owner: StoreOwner

  func run() throws {
    let inspection = try arguments.open()
    let configuration = try owner.configuration(of: arguments.directory)
    let output = OutputLines()
    var all: [StreamStatistics] = []
    for stream in arguments.streams {
      let statistics = inspection.statistics(of: stream)
      output.add(Self.line(statistics, cap: configuration?.storage.cap(of: stream)))
      all.append(statistics)
    }
    for destination in inspection.destinations {
      output.add(Self.line(destination, all))
    }
    output.add(line(inspection, all, configuration))
    output.flush()
  }

  private static func line(_ statistics: StreamStatistics, cap: Int64?) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.member("kind", "stream")
    json.member("stream", "\(statistics.stream)")
    json.member("files", statistics.files)
    json.member("segments", statistics.segments)
    json.member("put-aside", statistics.putAside)
    json.member("bytes", statistics.fileBytes)
    json.member("used", statistics.usedBytes)
    json.member("cap", cap)
    json.member("batches", statistics.batches)
    if statistics.stream == .events {
      json.member("events", statistics.items)
    } else {
      json.member("samples", statistics.items)
      json.member("values", statistics.values)
      json.member("bytes-a-value", statistics.bytesPerValue)
    }
    json.member("oldest", statistics.oldest)
    json.member("newest", statistics.newest)
    json.key("epochs")
    json.beginArray()
    for epoch in statistics.epochs.suffix(mostEpochs) {
      json.beginObject()
      json.members(of: epoch)
      json.endObject()
    }
    json.endArray()
    let leftOut = statistics.epochs.count - mostEpochs
    if leftOut > 0 { json.member("epochs-left-out", leftOut) }
    json.key("damage")
    json.beginObject()
    json.member("findings", statistics.findings)
    json.member("lost", statistics.lost)
    json.endObject()
    json.endObject()
    return json.bytes
  }

  private static func line(_ destination: String, _ all: [StreamStatistics]) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.member("kind", "destination")
    json.member("destination", destination)
    json.key("unsent")
    json.beginObject()
    for statistics in all {
      json.member("\(statistics.stream)", statistics.unsent[destination]?.batches ?? 0)
    }
    json.endObject()
    json.key("oldest-unsent")
    json.beginObject()
    for statistics in all {
      json.member("\(statistics.stream)", statistics.unsent[destination]?.oldest)
    }
    json.endObject()
    json.endObject()
    return json.bytes
  }

  private func line(
    _ inspection: StoreInspection, _ all: [StreamStatistics],
    _ configuration: AgentConfiguration?
  ) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.member("kind", "store")
    json.writeStore(inspection)
    json.member("ended", inspection.hasEnded)
    json.key("format-versions")
    json.beginArray()
    for version in Set(all.flatMap(\.formatVersions)).sorted() { json.int(version) }
    json.endArray()
    let free = (try? DiskStorage().freeBytes(arguments.directory)).map { Int64($0) }
    json.member("free", free)
    if let data = all.first(where: { $0.stream == .data }) {
      write(data, free: free, inspection, configuration, to: &json)
    }
    json.endObject()
    return json.bytes
  }

  /// What the present rate makes of the room.
  private func write(
    _ data: StreamStatistics, free: Int64?, _ inspection: StoreInspection,
    _ configuration: AgentConfiguration?, to json: inout JSONWriter
  ) {
    let commit = configuration?.storage.commitMilliseconds ?? Self.defaultCommitMilliseconds
    json.key("rate")
    json.beginObject()
    json.member("over-seconds", data.recent.seconds)
    json.member("values-a-second", data.recent.valuesPerSecond)
    json.member("bytes-a-second", data.recent.bytesPerSecond)
    json.endObject()
    let forecast = data.recent.bytesPerSecond.map {
      StoreForecast(
        bytesPerSecond: $0, commitSeconds: Double(commit) / 1000,
        destinations: inspection.destinations.count)
    }
    let cap = configuration?.storage.dataBytes
    let keepFree = configuration?.storage.keepFreeBytes ?? 0
    let room = cap.map { cap in
      let free = max(0, (free ?? cap) - keepFree)
      return min(cap, Int64(data.fileBytes) + min(cap, free)) - Int64(data.heldBytes)
    }
    let isGrowing = cap.map { data.fileBytes < $0 } ?? true
    json.member("days-left", room.flatMap { forecast?.days(in: max(0, $0)) })
    json.member("commit-ms", commit)
    json.member(
      "flash-bytes-a-day", forecast.map { Int64($0.flashBytesPerDay(isGrowing: isGrowing)) })
  }
}

extension StorageConfiguration {
  /// The most bytes that a stream keeps.
  func cap(of stream: StreamName) -> Int64 {
    switch stream {
    case .events: eventBytes
    case .data: dataBytes
    }
  }
}
