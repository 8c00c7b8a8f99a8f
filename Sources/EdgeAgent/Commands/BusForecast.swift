internal import Drivers
internal import Telemetry

/// What a bus's plan takes of its time, and whether it can be kept, in words and as JSON. Pure.
struct BusForecast {
  let plan: BusPlan

  /// Lines for a terminal, none for a bus without points.
  var lines: [String] {
    guard plan.requestCount > 0 else { return [] }
    let requests = "\(plan.requestCount) request\(plan.requestCount == 1 ? "" : "s")"
    var lines = [
      "  \(requests), about \(plan.cycleMilliseconds) ms of bus time a cycle "
        + "(\(Self.percent(plan.load)) % load"
        + (plan.safetyLoad > 0 ? ", safety \(Self.percent(plan.safetyLoad)) %)" : ")"),
      "  when a device dies, up to \(plan.cycleMillisecondsWithOneDead) ms once, "
        + "then it is backed off (\(Self.percent(plan.loadWithOneDead)) % load)",
    ]
    if plan.reopeningMilliseconds > 0 {
      lines.insert(
        "  \(Self.milliseconds(plan.reopeningMilliseconds)) of it from opening the connection to "
          + "the first request: it is given back after each cycle", at: 1)
    }
    if plan.devices.count > 1 {
      lines.append(
        "  when all die, up to \(plan.cycleMillisecondsWithAllDead) ms once, "
          + "then they are backed off (\(Self.percent(plan.loadWithAllDead)) % load)")
    }
    return lines + warnings.map { "  WARNING: \($0)" }
  }

  /// Why the plan can't be kept, with numbers; empty if it can.
  var warnings: [String] {
    var warnings: [String] = []
    for (device, request) in plan.impossibleRequests.prefix(Self.namedRequests) {
      warnings.append(
        "\(device.name): \(Self.place(of: request)) takes "
          + "\(Self.milliseconds(device.milliseconds(of: request))) and is due every "
          + AgentPlan.duration(request.everyMilliseconds))
    }
    // Rounded first: a sum of tenths may lie a hair beside a whole.
    let percent = Self.percent(plan.load)
    if let every = plan.shortestEveryMilliseconds, plan.reopeningMilliseconds > 0,
      plan.cycleMilliseconds > every
    {
      warnings.append(lateOpening(every))
    } else if percent > 100 {
      warnings.append(overload(percent))
    } else if Self.percent(plan.loadWithOneDead) > 100 {
      warnings.append(
        "while a device is dead the bus can't keep this plan: "
          + "\(Self.percent(plan.loadWithOneDead)) % load; a shorter timeout or longer periods help"
      )
    }
    return warnings
  }

  /// A file with one wrong speed has as many as it has requests.
  private static let namedRequests = 3

  /// Safety points are no better off: the connection is made before anything is asked.
  private func lateOpening(_ every: Int64) -> String {
    let cycle = plan.cycleMilliseconds
    // What comes due while the bus waits to be ready finds it closed, and the first request after
    // that is the next that is due.
    let passed = Int(cycle / every)
    let lost = Self.share(passed, of: passed + 1)
    return
      "the bus can't keep this plan: a cycle takes \(cycle) ms with pause-after-connect and is "
      + "due every \(AgentPlan.duration(every)); about \(lost) "
      + "% of the readings will be bus-closed; periods of \(cycle) ms or more would do, or a "
      + "connection that stays open"
  }

  private func overload(_ percent: Int) -> String {
    let safety = Self.percent(plan.safetyLoad)
    let others = percent - safety
    let lost: String =
      if safety == 0 {
        "about \(Self.share(percent - 100, of: percent)) % of the readings will be not-read"
      } else if safety <= 100 {
        "safety points (\(safety) %) are kept, of the others about "
          + "\(Self.share(percent - 100, of: others)) % will be not-read"
      } else {
        "the safety points alone are \(safety) %, about "
          + "\(Self.share(safety - 100, of: safety)) % of them will be not-read"
      }
    let tenths = (percent + 9) / 10
    return "the bus can't keep this plan: its requests take \(percent * 10) ms of each second "
      + "(\(percent) % load); \(lost); periods \(tenths / 10).\(tenths % 10) times as long would do"
  }

  /// What a line about one request ends with.
  static func cost(of request: PlannedRequest, to device: BusPlan.Device) -> String {
    "(\(milliseconds(device.milliseconds(of: request))))"
  }

  private static func place(of request: PlannedRequest) -> String {
    "\(request.table.rawValue) \(request.address)…\(Int(request.address) + request.count - 1)"
  }

  private static func share(_ part: Int, of whole: Int) -> Int {
    min(100, (part * 100 + whole / 2) / max(1, whole))
  }

  private static func percent(_ share: Double) -> Int { Int((share * 100).rounded()) }

  /// To a tenth, without one where it is none.
  private static func milliseconds(_ milliseconds: Double) -> String {
    let tenths = Int((milliseconds * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10) ms" : "\(tenths / 10).\(tenths % 10) ms"
  }

  /// Members of the bus's object, with its other warnings first.
  func write(to json: inout JSONWriter, after others: [String]) {
    json.member("cycle-ms", plan.cycleMilliseconds)
    json.member("worst-cycle-ms", plan.cycleMillisecondsWithOneDead)
    json.member("all-dead-cycle-ms", plan.cycleMillisecondsWithAllDead)
    if plan.reopeningMilliseconds > 0 {
      json.member("reopening-ms", Int64(plan.reopeningMilliseconds))
    }
    json.member("load-percent", Self.percent(plan.load))
    json.member("safety-load-percent", Self.percent(plan.safetyLoad))
    json.member("one-dead-load-percent", Self.percent(plan.loadWithOneDead))
    json.member("all-dead-load-percent", Self.percent(plan.loadWithAllDead))
    json.key("warnings")
    json.beginArray()
    for warning in others + warnings { json.string(warning) }
    json.endArray()
  }
}
