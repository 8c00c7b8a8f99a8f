internal import Drivers

extension ProbeReport {
  /// Registers that are shown of a point; a long text would push the table off the screen.
  private static let mostRegisters = 8

  /// The report for a human at a terminal.
  var lines: [String] {
    var table = TextTable(
      "DEVICE", "POINT", "UNIT", "ADDRESS", "RAW", "VALUE", "MEASURE", "QUALITY", "TIME")
    for point in points {
      table.add(
        point.device, point.name, "\(point.unit)", "\(point.table.rawValue) \(point.address)",
        point.registerWords(atMost: Self.mostRegisters), point.valueText, point.measure ?? "",
        point.quality, point.microseconds.map { "\(millisecondText($0)) ms" } ?? "-")
    }
    let tables = [points.isEmpty && !inputs.isEmpty ? [] : table.lines, inputTable.lines]
    var sections = [transactionLines] + tables + [problemLines + inputProblemLines, [countLine]]
    sections.removeAll(where: \.isEmpty)
    return Array(sections.joined(separator: [""]))
  }

  /// What went over the wire, transaction by transaction.
  var transactionLines: [String] {
    transactions.flatMap { traceLines($0.traced, bus: $0.bus) }
      + (isTraceCut ? ["what went over the wire then is not kept"] : [])
  }

  /// What went wrong, each thing once with the points that it concerns.
  private var problemLines: [String] {
    var order: [String] = []
    var names: [String: [String]] = [:]
    for point in points {
      guard let problem = point.problem else { continue }
      let line = "\(point.bus), unit \(point.unit): \(problem)"
      if names[line] == nil { order.append(line) }
      names[line, default: []].append("\(point.device).\(point.name)")
    }
    return order.map { line in
      let concerned = names[line] ?? []
      let shown = concerned.prefix(3).joined(separator: ", ")
      let more = concerned.count > 3 ? " and \(concerned.count - 3) more" : ""
      return terminalSafe("\(line) (\(shown)\(more))")
    }
  }

  /// How many are good.
  var countLine: String {
    let good = points.count(where: \.isGood) + inputs.count(where: \.isGood)
    let count = points.count + inputs.count
    let all = count == 1 ? "1 point" : "\(count) points"
    return "\(all): \(good) good, \(count - good) bad"
  }
}

extension ProbeReport.Point {
  /// With its meaning, if it has one; in brackets if it was read and is not trusted.
  var valueText: String {
    guard let value else { return raw.map { "(\($0.text))" } ?? "-" }
    return meaning.map { "\(value.text) \($0)" } ?? value.text
  }

  func registerWords(atMost most: Int) -> String {
    guard let registers else { return "-" }
    let words = registers.prefix(most).map { registerText($0, in: table) }
    return words.joined(separator: " ") + (registers.count > most ? " …" : "")
  }
}

/// Bytes in a line of a trace: a request or a short answer.
private let bytesPerLine = 24

/// A transaction as bytes with their times.
func traceLines(_ transaction: TracedTransaction, bus: String) -> [String] {
  let last = Int(transaction.address) + transaction.count - 1
  let addresses =
    transaction.count == 1 ? "\(transaction.address)" : "\(transaction.address)…\(last)"
  var lines = [
    terminalSafe(
      "\(bus), unit \(transaction.unit), \(transaction.table.rawValue) \(addresses): "
        + "\(transaction.outcome), \(millisecondText(transaction.microseconds)) ms")
  ]
  let times = transaction.events.map { event in
    (event.microseconds < 0 ? "-" : "+") + millisecondText(abs(event.microseconds))
  }
  let width = times.map(\.count).max() ?? 0
  for (event, time) in zip(transaction.events, times) {
    let begin = "  " + String(repeating: " ", count: width - time.count) + time
    var bytes = event.bytes[...]
    var arrow = " \(event.kind.arrow) "
    repeat {
      let end = bytes.count > bytesPerLine ? "" : event.kind.remark
      let indent = arrow == "   " ? String(repeating: " ", count: width + 2) : begin
      lines.append((indent + arrow + hexText(bytes.prefix(bytesPerLine)) + end).trimmedAtEnd)
      bytes = bytes.dropFirst(bytesPerLine)
      arrow = "   "
    } while !bytes.isEmpty
  }
  return lines
}

extension TraceEvent.Kind {
  fileprivate var arrow: String { self == .sent ? "→" : "←" }

  fileprivate var remark: String {
    switch self {
    case .sent, .received: ""
    case .drained: "  (was on the line before the request)"
    case .late: "  (a late answer to an earlier request)"
    }
  }
}

extension String {
  fileprivate var trimmedAtEnd: String {
    String(self[...(lastIndex { $0 != " " } ?? startIndex)])
  }
}

/// Microseconds as milliseconds with three decimals.
func millisecondText(_ microseconds: Int64) -> String {
  let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1000)
  let digits = String(rest)
  return "\(whole)." + String(repeating: "0", count: 3 - digits.count) + digits
}
