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
  /// How many units were asked.
  var asked: Int
  /// Those for which something came.
  var units: [Unit]
  /// Why it could not be done to the end, or what became of the connection.
  var problem: String?
  /// Of units that answered; empty unless the bytes were to be shown.
  var transactions: [TracedTransaction]

  /// The report of a scan that is done.
  init(_ scan: BusScan, of bus: ModbusBusDefinition) {
    self.bus = bus.name
    asked = scan.units.count
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

extension ScanReport {
  /// The report for a human at a terminal.
  var lines: [String] {
    var table = TextTable("UNIT", "DEVICE", "ANSWER", "TIME")
    for unit in units {
      table.add(
        "\(unit.unit)", unit.devices.joined(separator: ", "), unit.words,
        "\(millisecondText(unit.microseconds)) ms")
    }
    let answers = units.count(where: \.isAnswer)
    let damages = units.count - answers
    var end = [
      "\(terminalSafe(bus)): of \(asked) unit\(asked == 1 ? "" : "s") "
        + "\(answers) answer\(answers == 1 ? "s" : "")"
        + (damages > 0 ? ", \(damages) damaged" : "")
    ]
    if damages > 0 {
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
    problem = try fields.optionalString("problem")
    units = []
    for object in try fields.objects("units") {
      units.append(
        Unit(
          unit: try object.integer("unit"), devices: try object.array("devices").map(\.text),
          answer: try object.string("answer"), words: try object.string("text"),
          microseconds: try object.integer("microseconds")))
    }
    transactions = []
    guard fields.members["transactions"] != nil else { return }
    for object in try fields.objects("transactions") {
      transactions.append(try TracedTransaction(object))
    }
  }
}
