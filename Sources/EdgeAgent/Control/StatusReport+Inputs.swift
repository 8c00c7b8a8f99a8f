internal import Telemetry

extension StatusReport {
  struct Line: Equatable {
    var part: Part
    /// Of its newest good value.
    var age: Int64?
    /// The name on the case.
    var label: String?
    /// As configured.
    var address: String
    /// Where it was found.
    var place: String?
    var isActive: Bool?
    /// How long ago its level changed.
    var lastEdge: Int64?
    var edges: Int
    /// Whether it counts.
    var isCount: Bool
    /// As it was printed.
    var count: String?
    var suspects: Int
    /// Who else holds it.
    var consumer: String?
  }

  struct Area: Equatable {
    struct Gate: Equatable {
      var name: String
      var balance: Int64
    }

    struct Lost: Equatable {
      var source: String
      var reason: String
    }

    var name: String
    /// `good` or a reason.
    var quality: String
    /// The count, or what it was when it was last good.
    var count: Int64?
    var quota: Int64?
    var balance: Int64?
    var reported: Int64?
    var gates: [Gate]
    /// Since its oldest source was last known to be good.
    var sourceAge: Int64
    var lost: [Lost]
    /// What the balance was before it was set.
    var previous: Int64?
  }

  /// An area with how long it has been well, or not.
  struct AreaPart: Equatable {
    var part: Part
    /// `nil` for one whose count has not begun.
    var area: Area?
  }
}

extension StatusReport.Line {
  init(_ fields: JSONFields) throws(PayloadError) {
    part = try StatusReport.Part(fields)
    age = try fields.optionalInteger("age")
    label = try fields.optionalString("label")
    address = try fields.string("address")
    place = try fields.optionalString("place")
    if case .bool(let flag)? = fields.members["active"] { isActive = flag }
    lastEdge = try fields.optionalInteger("last-edge")
    edges = try fields.integer("edges")
    isCount = fields.members["suspects"] != nil
    if let value = fields.members["count"], value != .null { count = value.text }
    suspects = try fields.optionalInteger("suspects") ?? 0
    consumer = try fields.optionalString("consumer")
  }
}

extension StatusReport.Area {
  init(_ fields: JSONFields) throws(PayloadError) {
    name = try fields.string("name")
    quality = try fields.string("quality")
    let last: Int64? = try fields.optionalInteger("raw")
    count = try fields.optionalInteger("count") ?? last
    quota = try fields.optionalInteger("quota")
    balance = try fields.optionalInteger("balance")
    reported = try fields.optionalInteger("reported")
    sourceAge = try fields.milliseconds("source-age")
    gates = []
    for gate in try fields.objects("gates") {
      gates.append(Gate(name: try gate.string("name"), balance: try gate.integer("balance")))
    }
    lost = []
    for source in try fields.objects("lost") {
      lost.append(
        Lost(source: try source.string("source"), reason: try source.string("reason")))
    }
    previous = try fields.optionalInteger("previous")
  }
}

extension StatusReport.AreaPart {
  init(_ fields: JSONFields) throws(PayloadError) {
    part = try StatusReport.Part(fields)
    area = fields.members["quality"] == nil ? nil : try StatusReport.Area(fields)
  }
}

// MARK: - For a human

extension StatusReport {
  var lineTable: TextTable {
    var table = TextTable(
      "LINE", "PLACE", "STATE", "FOR", "LEVEL", "LAST EDGE", "COUNT", "SUSPECT", "HELD BY")
    for line in inputLines {
      let label = line.label.map { "\($0): " } ?? ""
      table.add(
        line.part.name, label + (line.place ?? line.address), line.part.state,
        line.part.age(at: time), line.isActive.map { $0 ? "active" : "inactive" } ?? "-",
        line.lastEdge.map { "\(span($0)) ago" } ?? "none yet",
        line.isCount ? line.count ?? "none yet" : "-", line.isCount ? "\(line.suspects)" : "-",
        line.consumer ?? "")
    }
    return table
  }

  var areaTable: TextTable {
    var table = TextTable(
      "AREA", "STATE", "FOR", "PERSONS", "QUOTA", "GATES SAY", "DEVICES SAY", "OLDEST SOURCE")
    for entry in areas {
      let area = entry.area
      table.add(
        entry.part.name, entry.part.state, entry.part.age(at: time), area?.countText ?? "-",
        area?.quota.map { "\($0)" } ?? "-", area?.gatesText ?? "-",
        area?.reported.map { "\($0)" } ?? "-", area.map { "\(span($0.sourceAge)) ago" } ?? "-")
    }
    return table
  }
}

extension StatusReport.Area {
  /// In brackets if it is the last that was known.
  var countText: String {
    guard let count else { return "-" }
    return quality == "good" ? "\(count)" : "(\(count))"
  }

  /// The balance, with that of each gate where there are several.
  var gatesText: String {
    guard let balance else { return "-" }
    guard gates.count > 1 else { return "\(balance)" }
    return "\(balance) (" + gates.map { "\($0.name) \($0.balance)" }.joined(separator: ", ") + ")"
  }
}
