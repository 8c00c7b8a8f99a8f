internal import Drivers
internal import Telemetry

/// What an operator asks of the areas at the control socket: whoever may open it may set a count.
enum HeadcountDesk {
  /// Shows the areas, and sets one.
  static let commands = ["headcount", "headcount-set"]
  /// A name and a function, in any script.
  static let mostOperatorBytes = 128
  /// A sentence or two.
  static let mostReasonBytes = 512

  /// Answers one of `commands`.
  static func answer(
    _ request: ControlRequest, _ headcount: HeadcountPart?
  ) throws(ControlRefusal) -> [UInt8] {
    let order: SetOrder?
    let area: String?
    do throws(PayloadError) {
      order = request.command == "headcount-set" ? try SetOrder(request.fields) : nil
      area = try request.fields.optionalString("area")
    } catch {
      throw ControlRefusal(.malformedRequest, error.description)
    }
    guard let order else { return try show(headcount?.states ?? [], area) }
    let (state, previous): (AreaState, Int64)
    do throws(HeadcountRefusal) {
      guard let headcount else { throw .noArea(order.area) }
      (state, previous) = try headcount.set(
        area: order.area, to: order.count, operator: order.operator, reason: order.reason)
    } catch {
      throw ControlRefusal(error, areas: headcount?.states ?? [])
    }
    return object { json in
      json.key("area")
      write(state, into: &json) { $0.member("previous", previous) }
    }
  }

  private static func show(
    _ states: [AreaState], _ area: String?
  ) throws(ControlRefusal) -> [UInt8] {
    if let area, !states.contains(where: { $0.name == area }) {
      throw ControlRefusal(.noArea(area), areas: states)
    }
    return object { json in
      json.key("areas")
      json.beginArray()
      for state in states where area == nil || state.name == area {
        write(state, into: &json) { _ in }
      }
      json.endArray()
    }
  }

  private static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter(capacity: 1024)
    json.beginObject()
    json.member("v", ControlProtocol.version)
    members(&json)
    json.endObject()
    return json.bytes
  }

  private static func write(
    _ state: AreaState, into json: inout JSONWriter, _ more: (inout JSONWriter) -> Void
  ) {
    json.beginObject()
    json.member("name", state.name)
    json.writeMembers(of: state)
    more(&json)
    json.endObject()
  }
}

/// That an area's count is to be set: checked on both sides of the socket.
struct SetOrder: Equatable {
  var area: String
  var count: Int64
  var `operator`: String
  var reason: String

  init(_ fields: JSONFields) throws(PayloadError) {
    area = try fields.string("area")
    // Whatever is no such number is told what is expected.
    let value = fields.members["count"]
    guard case .number(let text)? = value, let number = Int64(text) else {
      throw fields.error("count", Self.countProblem(value?.text ?? "nothing"))
    }
    count = number
    `operator` = try fields.string("operator")
    reason = try fields.string("reason")
    if let problem { throw fields.error(problem.member, problem.text) }
  }

  init(area: String, count: Int64, operator: String, reason: String) {
    self.area = area
    self.count = count
    self.operator = `operator`
    self.reason = reason
  }

  /// What is wrong with it, if anything is, and where.
  var problem: (member: String, text: String)? {
    guard (0...Headcount.mostPersons).contains(count) else {
      return ("count", Self.countProblem("\(count)"))
    }
    let texts = [
      ("operator", `operator`, HeadcountDesk.mostOperatorBytes),
      ("reason", reason, HeadcountDesk.mostReasonBytes),
    ]
    for (member, text, most) in texts {
      if let problem = Self.problem(of: text, most: most) { return (member, problem) }
    }
    return nil
  }

  /// What is said of a count that can't be one.
  static func countProblem(_ text: String) -> String {
    "0…\(Headcount.mostPersons) is expected, not \(terminalSafe(String(text.prefix(40))))"
  }

  private static func problem(of text: String, most: Int) -> String? {
    if text.isEmpty { return "it is empty" }
    if text.unicodeScalars.allSatisfy(\.properties.isWhitespace) {
      return "there is nothing in it but blanks"
    }
    if text.utf8.count > most {
      return "it has \(text.utf8.count) bytes; \(most) at most are taken"
    }
    // Swift puts it where a program's argument is no UTF-8.
    if text.unicodeScalars.contains("\u{FFFD}") { return "it is not UTF-8" }
    if terminalSafe(text) != text { return "it has a line's end or a control character in it" }
    return nil
  }

  /// The request's members.
  func writeMembers(into json: inout JSONWriter) {
    json.member("area", area)
    json.member("count", count)
    json.member("operator", `operator`)
    json.member("reason", reason)
  }
}

extension ControlRefusal {
  fileprivate init(_ refusal: HeadcountRefusal, areas: [AreaState]) {
    switch refusal {
    case .noArea(let name):
      let names = areas.map(\.name).joined(separator: ", ")
      self.init(
        .unknownName,
        "the agent has no area \(name); it has \(names.isEmpty ? "none" : names); a change of its "
          + "configuration counts once reloaded")
    case .noGates(let name):
      self.init(
        .notSettable,
        "area \(name) has no gates: its count is what its devices say, and can't be set")
    case .outOfRange(let count):
      self.init(.malformedRequest, "count: \(SetOrder.countProblem("\(count)"))")
    }
  }
}
