import Telemetry

/// The newest value of each point and the state of each gateway, for a human to watch.
struct LiveTable: Sendable {
  /// A gateway reads at most some thousand points; a publisher that invents names must not fill
  /// the memory.
  static let largestPointCount = 10_000
  /// As many gateways as a demonstration has, with room.
  static let largestGatewayCount = 1000

  private struct Row {
    var time: Int64
    var outcome: PointReading.Outcome
  }

  private struct Gateway {
    var state = "unknown"
    var faults: [String] = []
  }

  private var rows: [DevicePoint: Row] = [:]
  private var units: [DevicePoint: String] = [:]
  private var gateways: [String: Gateway] = [:]
  private var live = 0
  private var history = 0
  private var bad = 0
  private var repeats = 0
  private var malformed = 0

  /// Takes a message in.
  mutating func add(_ content: Content, isRepeat: Bool) {
    switch content {
    case .batch(let batch, let isHistory):
      if isRepeat { repeats += 1 } else { add(batch, isHistory: isHistory) }
    case .state(let state):
      change(state.gateway) { $0.state = state.isOnline ? "online" : "offline" }
    case .health(let health, let gateway): change(gateway) { $0.faults = health.faults }
    case .definitions(let definitions):
      for (point, unit) in definitions.units where hasRoom(for: point, in: units) {
        units[point] = unit
      }
    case .malformed: malformed += 1
    case .cleared, .other: break
    }
  }

  private mutating func add(_ batch: ReceivedBatch, isHistory: Bool) {
    guard case .samples(let samples) = batch.body else { return }
    for sample in samples {
      for reading in sample.readings {
        if isHistory { history += 1 } else { live += 1 }
        if case .bad = reading.outcome { bad += 1 }
        let point = DevicePoint(device: sample.device, point: reading.point)
        let time = sample.monotonic + batch.offset
        guard rows[point].map({ $0.time <= time }) ?? hasRoom(for: point, in: rows) else {
          continue
        }
        rows[point] = Row(time: time, outcome: reading.outcome)
      }
    }
  }

  private func hasRoom<Value>(for point: DevicePoint, in table: [DevicePoint: Value]) -> Bool {
    table.count < Self.largestPointCount || table[point] != nil
  }

  private mutating func change(_ name: String, _ body: (inout Gateway) -> Void) {
    guard gateways.count < Self.largestGatewayCount || gateways[name] != nil else { return }
    body(&gateways[name, default: Gateway()])
  }

  // MARK: Text

  /// One line for a log: counters, states and faults.
  var summary: String {
    let states = gateways.sorted { $0.key < $1.key }.map { name, gateway in
      let faults = gateway.faults.isEmpty ? "" : " [\(gateway.faults.joined(separator: "; "))]"
      return "\(name) \(gateway.state)\(faults)"
    }
    return "points \(rows.count) live \(live) history \(history) bad \(bad) repeats \(repeats)"
      + " malformed \(malformed) gateways: \(states.joined(separator: ", "))"
  }

  /// The table at the moment `now` (Unix ms), cut to a terminal's size.
  func lines(now: Int64, rows height: Int, columns: Int) -> [String] {
    var cells = [["DEVICE", "POINT", "VALUE", "UNIT", "AGE", "QUALITY"]]
    for (point, row) in rows.sorted(by: { $0.key < $1.key }) {
      let (value, quality) = row.outcome.words
      cells.append([
        point.device, point.point, value, units[point] ?? "", age(now - row.time), quality,
      ])
    }
    let widths = (0..<6).map { column in cells.map { $0[column].count }.max() ?? 0 }
    let table = cells.map { cells in
      zip(cells, widths).map { $0.padded(to: $1) }.joined(separator: "  ")
    }
    // The summary stays in sight however many points there are.
    let room = max(1, height - 2)
    var shown = Array(table.prefix(room))
    if table.count > room { shown[room - 1] = "… \(table.count - room + 1) more" }
    return ([summary] + shown).map { String($0.prefix(columns)) }
  }

  /// Tenths of a second below a minute, then coarser.
  private func age(_ milliseconds: Int64) -> String {
    switch milliseconds {
    case ..<0: "future"
    case ..<60_000: "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    case ..<3_600_000: "\(milliseconds / 60_000) min"
    default: "\(milliseconds / 3_600_000) h"
    }
  }
}

extension PointReading.Outcome {
  fileprivate var words: (value: String, quality: String) {
    switch self {
    case .good(let text): (text, "good")
    case .bad(let reason, let raw): (raw.map { "(\($0))" } ?? "-", "\(reason)")
    }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
