internal import Buffering
internal import Telemetry

/// What `health` says of a stream beyond the store's own counts.
struct StreamDelivery: Sendable, Hashable {
  var summary: StreamSummary
  /// Batches set aside because the broker refuses them.
  var refused = 0
  /// Batches set aside because they exceed what the broker takes.
  var tooLarge = 0
  /// The broker said of the last batch that nobody subscribes to it.
  var lacksSubscriber = false
}

extension PayloadEncoder {
  /// The `health` payload: the agent's report, how far this destination is, and which retained
  /// topics its broker refused.
  mutating func health(
    _ report: HealthReport, store: UInt64, epoch: UInt32, streams: [StreamName: StreamDelivery],
    refused: [String: UplinkFault] = [:]
  ) -> [UInt8] {
    json.reset()
    json.beginObject()
    json.member("v", Self.version)
    json.member("gateway", gateway)
    json.member("destination", destination)
    json.member("time", report.time.wall)
    json.member("clock", report.time.clock.rawValue)
    json.member("healthy", report.isHealthy)
    writeFaults(of: report)
    for (kind, name) in Self.sections { writeParts(of: report, kind, name) }
    json.key("store")
    json.beginObject()
    json.member("id", hexadecimal(store, digits: 16))
    json.member("epoch", epoch)
    json.key("fault")
    json.stringOrNull(report.storeFault)
    json.endObject()
    json.key("streams")
    json.beginObject()
    for stream in StreamName.allCases {
      if let delivery = streams[stream] { write(delivery, of: stream, store: store) }
    }
    json.endObject()
    if !refused.isEmpty {
      json.key("refused-topics")
      json.beginObject()
      for (topic, fault) in refused.sorted(by: { $0.key < $1.key }) {
        json.member(topic, fault.rawValue)
      }
      json.endObject()
    }
    json.endObject()
    return json.bytes
  }

  private static let sections: [(HealthReport.Part.Kind, String)] = [
    (.bus, "buses"), (.device, "devices"), (.line, "lines"), (.area, "areas"),
    (.destination, "destinations"),
  ]

  private mutating func writeFaults(of report: HealthReport) {
    json.key("faults")
    json.beginObject()
    if let fault = report.storeFault { json.member("store", fault) }
    for part in report.parts {
      if let fault = part.fault { json.member("\(part.kind.rawValue)/\(part.name)", fault) }
    }
    json.endObject()
  }

  private mutating func writeParts(
    of report: HealthReport, _ kind: HealthReport.Part.Kind, _ name: String
  ) {
    json.key(name)
    json.beginObject()
    for part in report.parts where part.kind == kind {
      json.key(part.name)
      json.beginObject()
      json.key("fault")
      json.stringOrNull(part.fault)
      json.member("since", part.since)
      if kind != .destination {
        json.key("age")
        // By the clock that never steps: the wall clock of a board without a battery jumps by
        // years when it learns the time.
        json.intOrNull(part.newestValue.map { max(0, report.time.monotonic - $0.monotonic) })
      }
      json.endObject()
    }
    json.endObject()
  }

  private mutating func write(
    _ delivery: StreamDelivery, of stream: StreamName, store: UInt64
  ) {
    let summary = delivery.summary
    let own = summary.newest?.store ?? store
    json.key("\(stream)")
    json.beginObject()
    json.member("store", hexadecimal(own, digits: 16))
    for (name, identity) in [("newest", summary.newest), ("oldest", summary.oldest)] {
      json.key(name)
      guard let identity else {
        json.null()
        continue
      }
      json.beginObject()
      if identity.store != own { json.member("store", hexadecimal(identity.store, digits: 16)) }
      json.member("epoch", identity.epoch)
      json.member("seq", identity.seq)
      json.endObject()
    }
    json.member("unsent", summary.unsent)
    json.key("oldest-unsent")
    json.intOrNull(summary.oldestUnsent)
    json.member("refused", delivery.refused)
    json.member("too-large", delivery.tooLarge)
    if delivery.lacksSubscriber { json.member("no-subscriber", true) }
    json.endObject()
  }
}

extension JSONWriter {
  fileprivate mutating func stringOrNull(_ text: String?) {
    if let text { string(text) } else { null() }
  }

  fileprivate mutating func intOrNull(_ number: Int64?) {
    if let number { int(number) } else { null() }
  }
}
