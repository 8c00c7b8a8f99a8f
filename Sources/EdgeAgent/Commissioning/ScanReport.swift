internal import Drivers
internal import Telemetry

/// What a scan found, the same whether this program asked the units or a running agent did.
struct ScanReport: Equatable {
  struct Unit: Equatable {
    var unit: UInt8
    /// Names of configured devices with this unit.
    var devices: [String]
    /// `register`, `exception-2` and the like, or `damaged`.
    var answer: String
    /// The same for a human.
    var words: String
    var microseconds: Int64

    /// What is damaged is no answer.
    var isAnswer: Bool { answer != ScanReport.damaged }
  }

  private static let damaged = "damaged"

  var bus: String
  /// What came in place of answers.
  struct Hint: Equatable {
    /// `exception-10`, `exception-11`, `echo` or `noise`.
    var heard: String
    /// The same for a human.
    var words: String
    /// For these units.
    var units: [UInt8]
  }

  /// How many units were asked.
  var asked: Int
  /// How many were to be asked.
  var wanted: Int
  /// How many of those asked were silent and not asked the second time.
  var askedOnce: Int
  /// Whether all were asked, the silent ones twice.
  var isComplete: Bool
  /// Of units that are not among `units`.
  var hints: [Hint]
  /// Those for which something came.
  var units: [Unit]
  /// Why it could not be done to the end, or what became of the connection.
  var problem: String?
  /// Of units that answered; empty unless the bytes were to be shown.
  var transactions: [TracedTransaction]

  /// The report of a scan that is done.
  init(_ scan: BusScan, of bus: ModbusBusDefinition) {
    self.bus = bus.name
    asked = scan.asked
    wanted = scan.units.count
    askedOnce = scan.askedOnce
    isComplete = !scan.isBrokenOff
    let heard = Dictionary(grouping: scan.hints.keys.sorted()) { scan.hints[$0] }
    hints = heard.compactMap { hint, units in hint.map { Hint($0, for: units) } }
      .sorted { $0.heard < $1.heard }
    problem = scan.problem
    transactions = scan.transactions
    units = scan.found.map { found in
      let (answer, words) = Self.words(found.answer)
      return Unit(
        unit: found.unit, devices: bus.devices.filter { $0.unit == found.unit }.map(\.name),
        answer: answer, words: words, microseconds: found.microseconds)
    }
  }

  private static func words(_ answer: BusScan.Answer) -> (String, String) {
    switch answer {
    case .register(let table, let word):
      ("register", "\(table.rawValue) 0 is \(registerText(word, in: table))")
    case .exception(let code): ("exception-\(code)", exceptionWords(code))
    case .damaged(let words): (damaged, "damaged: \(words)")
    }
  }
}

extension ScanReport.Hint {
  fileprivate init(_ hint: BusScan.Hint, for units: [UInt8]) {
    self.units = units
    let list = "unit\(units.count == 1 ? "" : "s") \(UnitList.text(units))"
    switch hint {
    case .gateway(let code):
      heard = "exception-\(code)"
      words = "a gateway answers for \(list): \(exceptionWords(code))"
    case .echo: (heard, words) = ("echo", "only the request's own echo came for \(list)")
    case .noise: (heard, words) = ("noise", "only bytes that are no answer came for \(list)")
    }
  }
}

extension ScanReport {
  /// Whether a unit answers, and nothing was left out.
  var isGood: Bool { isComplete && units.contains(where: \.isAnswer) }

  /// How many answer, of how many.
  private var sum: String {
    let answers = units.count(where: \.isAnswer)
    let damages = units.count - answers
    let answered =
      "\(answers) answer\(answers == 1 ? "s" : "")" + (damages > 0 ? ", \(damages) damaged" : "")
    let all = "of \(wanted) unit\(wanted == 1 ? "" : "s") "
    guard !isComplete else { return all + answered }
    return all + "\(asked) asked"
      + (askedOnce > 0 ? ", \(askedOnce) of them only the first time" : "") + ": " + answered
  }

  /// The report for a human at a terminal.
  var lines: [String] {
    var table = TextTable("UNIT", "DEVICE", "ANSWER", "TIME")
    for unit in units {
      table.add(
        "\(unit.unit)", unit.devices.joined(separator: ", "), unit.words,
        "\(millisecondText(unit.microseconds)) ms")
    }
    var end = ["\(terminalSafe(bus)): \(sum)"] + hints.map { terminalSafe($0.words) }
    if !units.allSatisfy(\.isAnswer) {
      end.append(
        "damaged is what came and is no answer; on a line two units with one number, a wrong speed "
          + "or parity look like that, over TCP something else than Modbus at that port")
    }
    if let problem { end.append(terminalSafe(problem)) }
    var sections = [transactions.flatMap { traceLines($0, bus: bus) }, table.lines, end]
    sections.removeAll(where: \.isEmpty)
    return Array(sections.joined(separator: [""]))
  }

  /// Writes the members of an object.
  func writeMembers(into json: inout JSONWriter) {
    json.member("bus", bus)
    json.member("asked", asked)
    json.member("of", wanted)
    json.member("askedOnce", askedOnce)
    json.member("complete", isComplete)
    json.key("problem")
    if let problem { json.string(problem) } else { json.null() }
    json.key("units")
    json.beginArray()
    for unit in units {
      json.beginObject()
      json.member("unit", unit.unit)
      json.key("devices")
      json.beginArray()
      for device in unit.devices { json.string(device) }
      json.endArray()
      json.member("answer", unit.answer)
      json.member("text", unit.words)
      json.member("microseconds", unit.microseconds)
      json.endObject()
    }
    json.endArray()
    json.key("hints")
    json.beginArray()
    for hint in hints {
      json.beginObject()
      json.member("heard", hint.heard)
      json.member("text", hint.words)
      json.key("units")
      json.beginArray()
      for unit in hint.units { json.int(unit) }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    guard !transactions.isEmpty else { return }
    json.key("transactions")
    json.beginArray()
    for transaction in transactions {
      json.beginObject()
      transaction.writeMembers(into: &json)
      json.endObject()
    }
    json.endArray()
  }

  /// Reads what `writeMembers` wrote.
  init(_ fields: JSONFields) throws(PayloadError) {
    bus = try fields.string("bus")
    asked = try fields.integer("asked")
    wanted = try fields.integer("of")
    askedOnce = try fields.integer("askedOnce")
    isComplete = try fields.bool("complete")
    problem = try fields.optionalString("problem")
    units = []
    for object in try fields.objects("units") {
      units.append(
        Unit(
          unit: try object.integer("unit"), devices: try object.array("devices").map(\.text),
          answer: try object.string("answer"), words: try object.string("text"),
          microseconds: try object.integer("microseconds")))
    }
    hints = []
    for object in try fields.objects("hints") {
      hints.append(
        Hint(
          heard: try object.string("heard"), words: try object.string("text"),
          units: try object.array("units").compactMap { UInt8($0.text) }))
    }
    transactions = []
    guard fields.members["transactions"] != nil else { return }
    for object in try fields.objects("transactions") {
      transactions.append(try TracedTransaction(object))
    }
  }
}
