internal import ArgumentParser
internal import Drivers
internal import Telemetry

/// `edge-agent headcount`.
struct HeadcountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "headcount", abstract: "Show or set how many people are in an area.",
    discussion: """
      Asks the running agent. Whoever may open its control socket may set a count: root and the \
      members of the socket's group. Exits with 0, 64 if that can't be asked for, 69 if no agent \
      answers.
      """,
    subcommands: [HeadcountShow.self, HeadcountSet.self])
}

/// `edge-agent headcount show`.
struct HeadcountShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show the counts.")

  @OptionGroup var agent: ControlSocketOptions
  @Argument(help: "The area; all of them without a name.") var area: String?
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let question = HeadcountQuestion(path: agent.path)
    let answer = try question.ask(
      ControlProtocol.request("headcount") { json in
        if let area { json.member("area", area) }
      })
    let areas = try question.understood { () throws(PayloadError) in
      var areas: [StatusReport.Area] = []
      for area in try answer.fields.objects("areas") { areas.append(try StatusReport.Area(area)) }
      return areas
    }
    OutputLines.write(json ? [String(decoding: answer.line, as: UTF8.self)] : lines(areas))
  }

  private func lines(_ areas: [StatusReport.Area]) -> [String] {
    guard !areas.isEmpty else { return ["no area is configured"] }
    var table = TextTable(
      "AREA", "PERSONS", "QUOTA", "QUALITY", "GATES SAY", "DEVICES SAY", "OLDEST SOURCE")
    for area in areas {
      table.add(
        area.name, area.countText, area.quota.map { "\($0)" } ?? "-", area.quality,
        area.gatesText, area.reported.map { "\($0)" } ?? "-", "\(span(area.sourceAge)) ago")
    }
    let lost = areas.flatMap { area in
      area.lost.map { terminalSafe("\(area.name): \($0.source): \($0.reason)") }
    }
    return table.lines + lost
  }
}

/// `edge-agent headcount set`.
struct HeadcountSet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Say how many people are in an area.",
    usage: "edge-agent headcount set <area> <count> --operator <operator> --reason <reason>",
    discussion: """
      What the gates say is that number from now on, and an event tells every destination who set \
      it and why. Set it when everybody is out, or was counted by hand.
      """)

  @OptionGroup var agent: ControlSocketOptions
  @Argument(help: "The area.") var area: String
  // Taken as it stands, so that -3 is told what is expected rather than taken for an option.
  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("How many people are there.", valueName: "count"))
  var counts: [String]
  @Option(help: "Who sets it.") var `operator`: String
  @Option(help: "Why.") var reason: String

  private func order() throws -> SetOrder {
    let text = counts.first ?? ""
    guard let count = Int64(text) else {
      throw ValidationError("count: \(SetOrder.countProblem(text))")
    }
    if counts.count > 1 {
      throw ValidationError("\(terminalSafe(counts[1])) is not expected behind the count")
    }
    let order = SetOrder(area: area, count: count, operator: `operator`, reason: reason)
    guard let problem = order.problem else { return order }
    throw ValidationError("\(problem.member): \(problem.text)")
  }

  func validate() throws { _ = try order() }

  func run() throws {
    let order = try order()
    let question = HeadcountQuestion(path: agent.path)
    let request = ControlProtocol.request("headcount-set") { order.writeMembers(into: &$0) }
    let answer = try question.ask(request)
    let area = try question.understood { () throws(PayloadError) in
      try StatusReport.Area(try answer.fields.fields("area"))
    }
    let previous = area.previous.map { " (was \($0))" } ?? ""
    let remark = area.quality == "good" ? "" : "; the count is not good: \(area.quality)"
    OutputLines.write([
      terminalSafe("\(area.name): the gates say \(area.gatesText)\(previous)\(remark)")
    ])
  }
}

/// A question about areas to a running agent.
private struct HeadcountQuestion {
  /// Refusals of what was asked, not of who asked.
  private static let ofUsage = [
    ControlRefusal.Word.unknownName, .notSettable, .malformedRequest,
  ].map(\.rawValue)

  let path: String

  /// - Throws: exit 69, or 64 for what can't be asked, with the reason on standard error.
  func ask(_ request: [UInt8]) throws -> (line: [UInt8], fields: JSONFields) {
    let line: [UInt8]
    do throws(ControlFailure) {
      line = try ControlClient(path: path).ask(request)
    } catch {
      Log.error(error.description)
      throw ExitStatus.notRunning
    }
    let fields = try understood { () throws(PayloadError) in
      let value: JSONValue
      do throws(JSONError) {
        value = try JSONParser.parse(line)
      } catch {
        throw PayloadError(path: "", problem: "the answer is no JSON: \(error)")
      }
      return try JSONFields(value)
    }
    guard let word = try fields.optionalString("error") else { return (line, fields) }
    let text = try fields.optionalString("text") ?? word
    // The command was written as it should be, so its usage would say nothing.
    if Self.ofUsage.contains(word) {
      Log.error(terminalSafe(text))
      throw ExitCode.validationFailure
    }
    Log.error("\(word): \(text)")
    throw ExitStatus.notRunning
  }

  func understood<Answer>(_ read: () throws(PayloadError) -> Answer) throws -> Answer {
    do throws(PayloadError) {
      return try read()
    } catch {
      Log.error(ControlFailure.notUnderstood(path: path, reason: error.description).description)
      throw ExitStatus.notRunning
    }
  }
}
