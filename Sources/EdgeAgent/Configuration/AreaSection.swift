internal import ConfigurationFile
internal import Drivers
internal import Telemetry

/// The `areas` section: places whose people are counted.
struct AreaSection {
  /// A mine has a handful of workings and openings.
  static let maximumAreas = 64
  /// A shaft's turnstile hall has less.
  private static let maximumGates = 32
  /// The workings that a positioning system tells apart, and more.
  private static let maximumPoints = 256
  /// What may be counted and set may be a quota.
  private static let quotas: ClosedRange<Int64> = 0...Headcount.mostPersons
  /// Changes come by themselves; an area that is silent for longer than a day looks dead.
  private static let intervals: ClosedRange<Int64> = 100...86_400_000
  /// A point that counts people says so, or has no unit.
  private static let units: [MeasurementUnit] = [.persons, .count, .dimensionless]

  /// What areas may name.
  struct Sources {
    /// All lines, also refused ones.
    var lines: LineSection
    /// All devices that are right.
    var devices: [PlacedDevice]
    /// All names in `devices`, also of refused ones.
    var deviceNames: [String]
  }

  private let sources: Sources
  private let linesByName: [String: LineDefinition]
  private let devicesByName: [String: PlacedDevice]
  /// Whose gate each line is, over all areas.
  private var gatesByLine: [String: String] = [:]
  /// Those that are right, in the file's order.
  private(set) var areas: [AreaDefinition] = []

  /// Decodes the section; without one there are no areas.
  init(_ section: ConfigurationValue?, sources: Sources) {
    self.sources = sources
    linesByName = Dictionary(sources.lines.lines.map { ($0.line.name, $0.line) }) { first, _ in
      first
    }
    devicesByName = Dictionary(sources.devices.map { ($0.name, $0) }) { first, _ in first }
    let entries = section?.mapping { $0.takeNamed() } ?? []
    if entries.count > Self.maximumAreas {
      section?.refuse("has \(entries.count) areas", "at most \(Self.maximumAreas) are expected")
      return
    }
    for (name, value) in entries {
      if let area = value.mapping({ read(name, $0) }) { areas.append(area) }
    }
  }

  private mutating func read(_ name: String, _ area: MappingReader) -> AreaDefinition? {
    let gatesPlace = area.take("gates")
    let pointsPlace = area.take("points")
    let gates = gatesPlace.map { readGates($0, of: name) } ?? []
    let reported = pointsPlace.map(readPoints) ?? []
    let quota = Setting(area.take("quota")) { $0.integer(in: Self.quotas) }
    let every = Setting(area.take("every")) { $0.duration(in: Self.intervals) }
    let location = Setting(area.take("location")) { $0.text("a place in the mine") }
    if gatesPlace == nil, pointsPlace == nil {
      area.value.refuse("has nothing to count by", "gates or points is expected")
      return nil
    }
    let isFound = gatesPlace == nil || Self.isFoundAtStart(every)
    guard let gates, let reported, isFound, !every.isRefused, !quota.isRefused,
      !location.isRefused
    else { return nil }
    return AreaDefinition(
      name: name, gates: gates, reported: reported, quota: quota.value,
      everyMilliseconds: every.value ?? 1000,
      points: AreaPoint.names(
        gates: gates, hasReported: !reported.isEmpty, hasQuota: quota.value != nil
      ).map { Self.description(of: $0, location.value) })
  }

  /// Whether a start finds the balance that it goes on from.
  private static func isFoundAtStart(_ every: Setting<Int64>) -> Bool {
    let longest = LineSection.longestCountInterval
    guard let milliseconds = every.value, milliseconds > longest else { return true }
    every.place?.refuse(
      "\(durationText(milliseconds: milliseconds)) is longer than a start looks back for a balance",
      "\(durationText(milliseconds: longest)) or less is expected with gates")
    return false
  }

  private static func description(of point: String, _ location: String?) -> PointDescription {
    let isAge = point == AreaPoint.age
    return PointDescription(
      name: point, type: (isAge ? PointType.float64 : .int64).rawValue,
      unit: isAge ? .second : .persons, location: location)
  }

  // MARK: Gates

  private mutating func readGates(
    _ place: ConfigurationValue, of area: String
  ) -> [GateDefinition]? {
    let most = Self.maximumGates
    guard let entries = place.list(1...most, of: "1 to \(most) gates") else { return nil }
    var gates: [GateDefinition] = []
    for (index, entry) in entries.enumerated() {
      let found = entry.mapping { readGate($0, number: index + 1, of: area, beside: gates) }
      if let found { gates.append(found) }
    }
    return gates.count == entries.count ? gates : nil
  }

  private mutating func readGate(
    _ gate: MappingReader, number: Int, of area: String, beside gates: [GateDefinition]
  ) -> GateDefinition? {
    let namePlace = gate.take("name")
    let given = Setting(namePlace) { $0.name() }
    let name = given.value ?? "gate-\(number)"
    let enterPlace = gate.take("in")
    let leavePlace = gate.take("out")
    let beamsPlace = gate.take("beams")
    let owner = "\(area).\(name)"
    let enter = Setting(enterPlace) { line($0, of: owner) }
    let leave = Setting(leavePlace) { line($0, of: owner) }
    let beams = Setting(beamsPlace) { place -> [String]? in
      let lines = place.list(2...2, of: "two lines [OUTER, INNER]")
      let names = lines?.compactMap { line($0, of: owner) }
      return names?.count == 2 ? names : nil
    }
    let isFree = isFree(name, given, gate.value, beside: gates)
    switch (enter.isAbsent && leave.isAbsent, beams.isAbsent) {
    case (true, true):
      gate.value.refuse(
        "has no line", "in and out, one of them, or beams: [OUTER, INNER] is expected")
      return nil
    case (false, false):
      (beams.place ?? gate.value).refuse(
        "stands beside in or out", "one of beams, and in and out, is expected")
      return nil
    default: break
    }
    guard isFree, !given.isRefused, !enter.isRefused, !leave.isRefused, !beams.isRefused else {
      return nil
    }
    if let beams = beams.value {
      guard areAlike(beams, place: beamsPlace) else { return nil }
      return GateDefinition(name: name, sensors: .beams(outer: beams[0], inner: beams[1]))
    }
    return GateDefinition(
      name: name, sensors: .turnstile(enter: enter.value, leave: leave.value))
  }

  /// Who passes interrupts both within moments: a beam that settles later seems the second one.
  private func areAlike(_ beams: [String], place: ConfigurationValue?) -> Bool {
    let times = beams.compactMap { linesByName[$0]?.debounceMilliseconds }
    guard times.count == 2, times[0] != times[1] else { return true }
    let words = times.map { durationText(milliseconds: $0) }
    place?.refuse(
      "\(beams[0]) has a debounce of \(words[0]) and \(beams[1]) of \(words[1]): the directions "
        + "would be mistaken", "the same debounce of both is expected")
    return false
  }

  private func isFree(
    _ name: String, _ given: Setting<String>, _ gate: ConfigurationValue,
    beside gates: [GateDefinition]
  ) -> Bool {
    let own = [
      AreaPoint.count, AreaPoint.quota, AreaPoint.age, AreaPoint.balance, AreaPoint.reported,
    ]
    let place = given.place ?? gate
    if own.contains(name) {
      place.refuse("\(name) is a point of the area itself", "another name is expected")
      return false
    }
    if gates.contains(where: { $0.name == name }) {
      place.refuse("\(name) is the name of another gate here", "another name is expected")
      return false
    }
    return true
  }

  /// A gate's line: one that is there, is a contact, and is no other gate's.
  private mutating func line(_ place: ConfigurationValue, of gate: String) -> String? {
    guard let name = place.text("the name of a line") else { return nil }
    guard sources.lines.names.contains(name) else {
      place.refuse(
        "there is no line of this name", Self.hint(for: name, sources.lines.names, "lines"))
      return nil
    }
    if case .frequency? = linesByName[name]?.purpose {
      place.refuse("\(name) gives a frequency", "a contact that people move is expected")
      return nil
    }
    if case .count(_, meter: .some)? = linesByName[name]?.purpose {
      place.refuse("\(name) is a meter", "a contact that people move is expected")
      return nil
    }
    if let other = gatesByLine[name] {
      place.refuse("\(name) is a line of \(other)", "one gate a line is expected")
      return nil
    }
    gatesByLine[name] = gate
    return name
  }

  // MARK: Points

  private func readPoints(_ place: ConfigurationValue) -> [PointReference]? {
    let most = Self.maximumPoints
    guard let entries = place.list(1...most, of: "1 to \(most) points DEVICE.POINT") else {
      return nil
    }
    var points: [PointReference] = []
    for entry in entries {
      guard let point = reference(entry) else { continue }
      if points.contains(where: { $0.device == point.device && $0.point == point.point }) {
        entry.refuse(
          "\(point.device).\(point.point) stands here already", "each point once is expected")
        continue
      }
      points.append(point)
    }
    return points.count == entries.count ? points : nil
  }

  private func reference(_ place: ConfigurationValue) -> PointReference? {
    guard let text = place.text("a point, DEVICE.POINT") else { return nil }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy({ isName($0) }) else {
      place.refuse("is not DEVICE.POINT", "a device's name, a dot and its point's is expected")
      return nil
    }
    guard sources.deviceNames.contains(parts[0]) else {
      place.refuse(
        "there is no device \(parts[0])", Self.hint(for: parts[0], sources.deviceNames, "devices"))
      return nil
    }
    // One that is there and refused is reported in its own place.
    guard let device = devicesByName[parts[0]]?.device else { return nil }
    guard let point = device.points.first(where: { $0.description.name == parts[1] }) else {
      place.refuse(
        "\(parts[0]) has no point \(parts[1])",
        Self.hint(for: parts[1], device.points.map(\.description.name), "points"))
      return nil
    }
    guard point.type.isNumber, point.description.enumeration == nil else {
      place.refuse("is no number", "a point that states how many people are there is expected")
      return nil
    }
    if let unit = point.description.unit, !Self.units.contains(unit) {
      place.refuse("is measured in \(unit.rawValue)", "persons, count or none is expected")
      return nil
    }
    return PointReference(
      device: parts[0], point: parts[1], everyMilliseconds: point.everyMilliseconds)
  }

  private static func hint(for name: String, _ known: [String], _ kind: String) -> String {
    // A terminal's screen of them.
    let most = 40
    guard !known.isEmpty else { return "there are no \(kind)" }
    return nearest(to: name, among: known).map { "did you mean \($0)?" }
      ?? "known here: " + known.prefix(most).joined(separator: ", ")
  }
}
