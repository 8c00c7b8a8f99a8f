import Telemetry

extension AccountReport {
  /// Lists in the text stop here; the JSON form says the rest.
  private static let listLimit = 20

  /// The account for a human, a line each; the last line is the verdict.
  var text: String {
    var lines: [String] = []
    lines.append(
      "messages: \(messages.total) (live \(messages.live), history \(messages.history), events "
        + "\(messages.events), retained \(messages.retained), other \(messages.other), malformed "
        + "\(messages.malformed)); repeats \(repeats)")
    list(malformed, into: &lines) { "malformed: \($0.topic): \($0.problem)" }
    list(streams, into: &lines, limit: .max, \.text)
    list(missingEpochs, into: &lines) {
      "\($0.gateway) \(hexadecimal($0.store, digits: 16)): epochs \($0.epochs.text) unknown"
    }
    list(timeGaps, into: &lines, \.text)
    list(conflicts, into: &lines) { "conflict: \($0.stream.text) seq \($0.seq)" }
    list(clones, into: &lines) {
      "cloned card: \($0.epoch.text) from the boots \($0.boots.map(\.description).joined(", "))"
    }
    list(outOfOrder, into: &lines) {
      "out of order: \($0.device).\($0.point) in \($0.stream.text) seq \($0.seq): "
        + "\($0.monotonic) ms after \($0.previous) ms"
    }
    list(devices, into: &lines, limit: .max, \.text)
    if let summary = liveLatency { lines.append("latency, live: \(summary.text)") }
    if let summary = historyLatency { lines.append("latency, history: \(summary.text)") }
    if dating.redated + dating.undated + dating.corrected > 0 {
      lines.append(
        "times: synced \(dating.synced), corrected \(dating.corrected), re-dated "
          + "\(dating.redated), undated \(dating.undated) samples")
    }
    for fresh in firstFresh {
      let words = fresh.milliseconds.map { "after \($0) ms" } ?? "never came"
      lines.append("first fresh sample since \(fresh.since): \(words)")
    }
    truth?.append(to: &lines)
    let verdict = problems.isEmpty ? "complete" : "NOT COMPLETE: " + problems.joined("; ")
    return (lines + [verdict]).joined("\n") + "\n"
  }

  private func list<Element>(
    _ elements: [Element], into lines: inout [String], limit: Int = listLimit,
    _ text: (Element) -> String
  ) {
    lines += elements.prefix(limit).map(text)
    if elements.count > limit { lines.append("  … \(elements.count - limit) more") }
  }
}

extension [String] {
  fileprivate func joined(_ separator: String) -> String { joined(separator: separator) }
}

extension ClosedRange where Bound: FixedWidthInteger {
  fileprivate var text: String {
    lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound)-\(upperBound)"
  }
}

extension EpochName {
  fileprivate var text: String { "\(gateway) \(hexadecimal(store, digits: 16)) epoch \(epoch)" }
}

extension StreamEpoch {
  fileprivate var text: String { "\(epoch.text) \(stream)" }
}

extension AccountReport.Stream {
  fileprivate var text: String {
    let ranges = held.ranges.isEmpty ? "nothing" : held.ranges.map(\.text).joined(", ")
    let missing = holes.map { hole in
      "; missing \(hole.seqs.text)\(hole.isTail ? " (tail)" : ""): "
        + (hole.explanation?.description ?? "UNEXPLAINED")
    }
    let waiting = unsent.map { $0 > 0 ? "; health says \($0) unsent" : "" } ?? ""
    return "\(name.text): held \(ranges)\(missing.joined())\(waiting)"
  }
}

extension Statements.TimeGap {
  fileprivate var text: String {
    let count = detail.count.map { ", \($0)" } ?? ""
    return "gap: \(gateway) \(detail.stream) \(time.text) (\(detail.reason.rawValue)\(count))"
  }
}

extension AccountReport.Device {
  fileprivate var text: String {
    let reasons = bad.map { "\($0) \($1)" }.sorted()
    let words = reasons.isEmpty ? "" : ", bad: " + reasons.joined(", ")
    return "\(gateway) \(device): \(samples) samples, \(good) good values\(words)"
  }
}

extension Latency.Summary {
  fileprivate var text: String {
    "p50 \(median) ms, p99 \(percentile99) ms, max \(longest) ms of \(count) samples"
  }
}

extension TruthReport {
  /// Examples in the text; the JSON form has up to `listLimit`.
  private static let exampleLimit = 20

  fileprivate func append(to lines: inout [String]) {
    lines.append(
      "truth: served \(served), delivered \(delivered), lost \(lostCount), invented "
        + "\(inventedCount); late \(late), of those delivered \(lateDelivered)")
    if givenUp > 0 { lines.append("  served when the agent had given up: \(givenUp)") }
    if unreported > 0 {
      lines.append("  not delivered, no change by the points' rules: \(unreported)")
    }
    for (reason, count) in explained.sorted(by: { $0.key < $1.key }) {
      lines.append("  not delivered, explained by \(reason): \(count)")
    }
    for missing in lost.prefix(Self.exampleLimit) {
      lines.append("  lost: \(missing.point.text) \(missing.value.text) at \(missing.value.time)")
    }
    for extra in invented.prefix(Self.exampleLimit) {
      lines.append("  invented: \(extra.point.text) \(extra.value.text) at \(extra.value.time)")
    }
    if !unchecked.isEmpty { lines.append("  not in the truth: \(unchecked.joined(", "))") }
    for line in malformedLines { lines.append("  truth file, \(line)") }
  }
}

extension DevicePoint {
  fileprivate var text: String { "\(device).\(point)" }
}
