internal import Telemetry

extension StatusReport {
  /// A unit of a bus, as its questions went since the bus began.
  struct Unit: Equatable {
    var unit: Int
    var devices: [String]
    /// Answers with values.
    var answers: Int
    var timeouts: Int
    var wrongChecksums: Int
    var badAnswers: Int
    /// By code, the smallest first; codes that nobody knows last.
    var exceptions: [Exception]
    /// From the end of a request to its answer, in microseconds.
    var turnaround50: Int64?
    var turnaround99: Int64?
    /// The newest reason for which there were no values, and how long ago that was.
    var lastFailure: String?
    var lastFailureAge: Int64?
    /// Until it is asked again; `nil` while it is asked as often as its points are due.
    var askedAgainIn: Int64?
  }

  struct Exception: Equatable {
    var code: String
    var count: Int
  }
}

extension StatusReport.Unit {
  init(_ fields: JSONFields) throws(PayloadError) {
    unit = try fields.integer("unit")
    devices = try fields.array("devices").map(\.text)
    answers = try fields.integer("answers")
    timeouts = try fields.integer("timeouts")
    wrongChecksums = try fields.integer("wrong-checksums")
    badAnswers = try fields.integer("bad-answers")
    let counts = try fields.fields("exceptions")
    exceptions = []
    let codes = counts.members.keys.sorted { (Int($0) ?? .max) < (Int($1) ?? .max) }
    for code in codes {
      exceptions.append(StatusReport.Exception(code: code, count: try counts.integer(code)))
    }
    let turnaround = try fields.optionalFields("turnaround")
    turnaround50 = try turnaround.optionalInteger("p50")
    turnaround99 = try turnaround.optionalInteger("p99")
    let failure = try fields.optionalFields("last-failure")
    lastFailure = try failure.optionalString("reason")
    lastFailureAge = try failure.optionalInteger("age")
    if case .object = fields.members["back-off"] {
      askedAgainIn = try fields.fields("back-off").optionalInteger("again")
    }
  }
}

extension StatusReport {
  var unitTable: TextTable {
    var table = TextTable(
      "BUS", "UNIT", "DEVICES", "ANSWERS", "TIMEOUTS", "CRC", "BAD", "EXCEPTIONS", "P50", "P99",
      "LAST FAILURE", "ASKED AGAIN")
    for bus in buses {
      for unit in bus.units {
        let exceptions = unit.exceptions.map { "\($0.code): \($0.count)" }
        let failure = unit.lastFailure.map { reason in
          reason + (unit.lastFailureAge.map { " \(span($0)) ago" } ?? "")
        }
        table.add(
          bus.part.name, "\(unit.unit)", unit.devices.joined(separator: ", "), "\(unit.answers)",
          "\(unit.timeouts)", "\(unit.wrongChecksums)", "\(unit.badAnswers)",
          exceptions.isEmpty ? "0" : exceptions.joined(separator: ", "),
          unit.turnaround50.map(turnaroundText) ?? "-",
          unit.turnaround99.map(turnaroundText) ?? "-",
          failure ?? "-", unit.askedAgainIn.map { "in \(span($0))" } ?? "-")
      }
    }
    return table
  }
}

/// Microseconds as milliseconds, in two to three digits: the histogram knows no more.
private func turnaroundText(_ microseconds: Int64) -> String {
  guard microseconds < 10_000 else { return "\((microseconds + 500) / 1000) ms" }
  let hundredths = (microseconds + 5) / 10
  let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
  return "\(whole).\(rest < 10 ? "0" : "")\(rest) ms"
}
