import Telemetry

extension AccountReport {
  /// The account as one JSON object, `"v":1`. Keys are stable: fields may be added.
  ///
  /// `complete`, `problems`; `messages` (counts); `malformed` [arrival, topic, problem]; `repeats`;
  /// `conflicts` {count, examples}; `clones`; `out-of-order` {count, examples}; `streams` [gateway,
  /// store, stream, epoch, held (ranges), batches, stated-newest, unsent, holes [from, to, tail,
  /// explanation or null]]; `missing-epochs`; `time-gaps`; `devices` [gateway, device, samples,
  /// good, bad {reason: count}]; `samples` by clock; `latency` {live, history} in ms;
  /// `first-fresh` [since, milliseconds or null]; with a truth `truth` {served, delivered,
  /// given-up, late, late-delivered, lost, lost-values, unreported, explained {reason: count},
  /// invented, invented-values, unchecked-devices, faults, malformed-lines}. Times are Unix ms,
  /// `mono` ms of CLOCK_BOOTTIME.
  var json: [UInt8] {
    var json = JSONWriter(capacity: 16 << 10)
    json.beginObject()
    json.member("v", 1)
    json.member("complete", isComplete)
    json.array("problems", problems) { json, problem in json.string(problem) }
    messages.write(to: &json)
    json.array("malformed", malformed) { $1.write(to: &$0) }
    json.member("repeats", repeats)
    json.examples("conflicts", conflictCount, conflicts) { $1.write(to: &$0) }
    json.array("clones", clones) { $1.write(to: &$0) }
    json.examples("out-of-order", outOfOrderCount, outOfOrder) { $1.write(to: &$0) }
    json.array("streams", streams) { $1.write(to: &$0) }
    json.array("missing-epochs", missingEpochs) { $1.write(to: &$0) }
    json.array("time-gaps", timeGaps) { $1.write(to: &$0) }
    json.array("devices", devices) { $1.write(to: &$0) }
    json.object("samples") { json in
      json.member("synced", dating.synced)
      json.member("corrected", dating.corrected)
      json.member("redated", dating.redated)
      json.member("undated", dating.undated)
    }
    json.object("latency") { json in
      json.latency("live", liveLatency)
      json.latency("history", historyLatency)
    }
    json.array("first-fresh", firstFresh) { json, fresh in
      json.object { json in
        json.member("since", fresh.since)
        json.key("milliseconds")
        if let milliseconds = fresh.milliseconds { json.int(milliseconds) } else { json.null() }
      }
    }
    truth?.write(to: &json)
    json.endObject()
    return json.bytes
  }
}

extension JSONWriter {
  fileprivate mutating func object(_ name: String? = nil, _ members: (inout JSONWriter) -> Void) {
    if let name { key(name) }
    beginObject()
    members(&self)
    endObject()
  }

  fileprivate mutating func array<Element>(
    _ name: String, _ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void
  ) {
    key(name)
    beginArray()
    for element in elements { write(&self, element) }
    endArray()
  }

  fileprivate mutating func examples<Element>(
    _ name: String, _ count: Int, _ examples: [Element],
    _ write: (inout JSONWriter, Element) -> Void
  ) {
    object(name) { json in
      json.member("count", count)
      json.array("examples", examples, write)
    }
  }

  fileprivate mutating func latency(_ name: String, _ summary: Latency.Summary?) {
    key(name)
    guard let summary else { return null() }
    object { json in
      json.member("count", summary.count)
      json.member("p50", summary.median)
      json.member("p99", summary.percentile99)
      json.member("max", summary.longest)
    }
  }

  fileprivate mutating func counts(_ name: String, _ counts: some Sequence<(String, Int)>) {
    object(name) { json in
      for (word, count) in counts.sorted(by: { $0.0 < $1.0 }) { json.member(word, count) }
    }
  }

  fileprivate mutating func epoch(_ epoch: EpochName) {
    member("gateway", epoch.gateway)
    member("store", hexadecimal(epoch.store, digits: 16))
    member("epoch", epoch.epoch)
  }

  fileprivate mutating func stream(_ stream: StreamEpoch) {
    epoch(stream.epoch)
    member("stream", "\(stream.stream)")
  }
}

extension AccountReport.Messages {
  fileprivate func write(to json: inout JSONWriter) {
    json.object("messages") { json in
      json.member("total", total)
      json.member("live", live)
      json.member("history", history)
      json.member("events", events)
      json.member("retained", retained)
      json.member("other", other)
      json.member("malformed", malformed)
    }
  }
}

extension AccountReport.Malformed {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("arrival", arrival)
      json.member("topic", topic)
      json.member("problem", problem)
    }
  }
}

extension AccountReport.Conflict {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.stream(stream)
      json.member("seq", seq)
      json.member("arrival", arrival)
    }
  }
}

extension AccountReport.Clone {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.epoch(epoch)
      json.array("boots", boots) { $0.string("\($1)") }
    }
  }
}

extension SampleOrder.Violation {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.stream(stream)
      json.member("seq", seq)
      json.member("topic", lane.isHistory ? "data/history" : "data")
      json.member("boot", "\(lane.boot)")
      json.member("device", device)
      json.member("point", point)
      json.member("previous-mono", previous)
      json.member("mono", monotonic)
    }
  }
}

extension AccountReport.Stream {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.stream(name)
      json.array("held", held.ranges) { json, range in
        json.beginArray()
        json.int(range.lowerBound)
        json.int(range.upperBound)
        json.endArray()
      }
      json.member("batches", held.count)
      json.member("stated-newest", statedNewest)
      if let unsent { json.member("unsent", unsent) }
      json.array("holes", holes) { json, hole in
        json.object { json in
          json.member("from", hole.seqs.lowerBound)
          json.member("to", hole.seqs.upperBound)
          json.member("tail", hole.isTail)
          json.key("explanation")
          if let words = hole.explanation { json.string("\(words)") } else { json.null() }
        }
      }
    }
  }
}

extension AccountReport.MissingEpochs {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("gateway", gateway)
      json.member("store", hexadecimal(store, digits: 16))
      json.member("from", epochs.lowerBound)
      json.member("to", epochs.upperBound)
    }
  }
}

extension Statements.TimeGap {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("gateway", gateway)
      json.member("store", hexadecimal(store, digits: 16))
      json.member("stream", "\(detail.stream)")
      json.member("from", time.lowerBound)
      json.member("to", time.upperBound)
      if let count = detail.count { json.member("count", count) }
      json.member("reason", detail.reason.rawValue)
    }
  }
}

extension AccountReport.Device {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("gateway", gateway)
      json.member("device", device)
      json.member("samples", samples)
      json.member("good", good)
      json.counts("bad", bad.map { ("\($0)", $1) })
    }
  }
}

extension TruthReport {
  fileprivate func write(to json: inout JSONWriter) {
    json.object("truth") { json in
      json.member("served", served)
      json.member("delivered", delivered)
      json.member("given-up", givenUp)
      json.member("late", late)
      json.member("late-delivered", lateDelivered)
      json.member("lost", lostCount)
      json.array("lost-values", lost) { json, missing in
        json.value(missing.point, missing.value.monotonic, missing.value.time, missing.value.text)
      }
      json.member("unreported", unreported)
      json.counts("explained", explained.map { ($0, $1) })
      json.member("invented", inventedCount)
      json.array("invented-values", invented) { json, extra in
        json.value(extra.point, extra.value.monotonic, extra.value.time, extra.value.text)
      }
      json.array("unchecked-devices", unchecked) { $0.string($1) }
      json.counts("faults", faults.map { ($0, $1) })
      json.member("malformed-lines", malformedLineCount)
    }
  }
}

extension JSONWriter {
  fileprivate mutating func value(
    _ point: DevicePoint, _ monotonic: Int64, _ time: Int64, _ text: String
  ) {
    object { json in
      json.member("device", point.device)
      json.member("point", point.point)
      json.member("mono", monotonic)
      json.member("time", time)
      json.member("value", text)
    }
  }
}
