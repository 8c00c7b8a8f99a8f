internal import Telemetry

/// What an area's count is made of besides its gates: whether each source can be trusted, and since
/// when it can't.
struct CountSources: Sendable {
  /// What is known of a source.
  struct Source: Sendable {
    /// The line, or the device and its point.
    let name: String
    /// How long nothing may come of it; `nil` for a line, which tells when it is lost.
    let patienceMilliseconds: Int64?
    /// The point; `nil` for a line.
    let reference: PointReference?
    /// Whether it ever told anything.
    var isKnown = false
    /// Why it is not trusted, as it says itself.
    var fault: BadReason?
    /// The newest number that it stated.
    var number: Int64?
    /// When it was last known to be good, and when it last told anything.
    var good: Int64
    var seen: Int64
  }

  /// How long a line may take to be requested before it is told that it can't be read.
  static let lineMilliseconds: Int64 = 5000
  /// A point may miss three turns, and the time that a bus in trouble takes.
  static let missedTurns: Int64 = 3
  static let graceMilliseconds: Int64 = 5000

  private(set) var all: [Source] = []
  /// The loss of a source is told at most so often, and that all are back once for each: of a point
  /// that comes and goes with each reading that is an event each 5 s.
  static let quietMilliseconds: Int64 = 10_000

  /// Those that are lost, and of them those whose loss was told.
  private var lost: Set<String> = []
  private var told: Set<String> = []
  /// Whether a loss was told, and not yet that all are back.
  private var owesBack = false
  /// When the loss of a source was told last.
  private var toldLost: [String: Int64] = [:]
  private let start: Int64
  private var areLinesStuck = false

  init(_ definition: AreaDefinition, at start: Int64) {
    self.start = start
    var names: Set<String> = []
    for line in definition.gates.flatMap(\.sensors.lines) where names.insert(line).inserted {
      all.append(
        Source(
          name: line, patienceMilliseconds: nil, reference: nil, good: start, seen: start))
    }
    for point in definition.reported {
      let patience = Self.missedTurns * point.everyMilliseconds + Self.graceMilliseconds
      all.append(
        Source(
          name: "\(point.device).\(point.point)", patienceMilliseconds: patience,
          reference: point, good: start, seen: start))
    }
  }

  /// A line can't be read, or can.
  mutating func line(_ name: String, changedTo fault: BadReason?, at time: Int64) {
    for index in all.indices where all[index].name == name && all[index].reference == nil {
      // It was good until it was lost.
      if fault == nil || (all[index].isKnown && all[index].fault == nil) { all[index].good = time }
      all[index].isKnown = true
      all[index].fault = fault
    }
  }

  /// Nobody reads the lines, or somebody does again.
  mutating func lines(areStuck: Bool, at time: Int64) {
    guard areStuck != areLinesStuck else { return }
    for index in all.indices
    where all[index].reference == nil && fault(of: all[index], at: time) == nil {
      all[index].good = time
    }
    areLinesStuck = areStuck
  }

  /// A device's sample came.
  /// - Returns: whether it is a source.
  mutating func take(_ sample: Sample) -> Bool {
    var isSource = false
    for index in all.indices {
      guard let reference = all[index].reference, reference.device == sample.device.name,
        let point = sample.device.points.firstIndex(of: reference.point),
        let outcome = sample.outcomes.first(where: { $0.point == point })?.outcome
      else { continue }
      isSource = true
      all[index].isKnown = true
      all[index].seen = sample.time.monotonic
      switch Self.persons(in: outcome) {
      case .success(let number):
        all[index].number = number
        all[index].fault = nil
        all[index].good = sample.time.monotonic
      case .failure(let fault): all[index].fault = fault.reason
      }
    }
    return isSource
  }

  private struct Fault: Error { var reason: BadReason }

  /// A number of people: not below 0, and a part of one is one, because to miss one is dangerous.
  private static func persons(in outcome: Outcome) -> Result<Int64, Fault> {
    switch outcome {
    case .bad(let reason, _): return .failure(Fault(reason: reason))
    case .good(let value):
      let number = value.approximate.rounded(.up)
      guard !number.isNaN else { return .failure(Fault(reason: .notANumber)) }
      guard number >= 0, number <= Double(Headcount.mostPersons) else {
        return .failure(Fault(reason: .outOfRange))
      }
      return .success(Int64(number))
    }
  }

  /// Why the source is not trusted at that time; `nil`: it is.
  func fault(of source: Source, at now: Int64) -> BadReason? {
    if let fault = source.fault { return fault }
    guard source.isKnown else { return .notRead }
    guard let patience = source.patienceMilliseconds else {
      return areLinesStuck ? .notRead : nil
    }
    return now - source.seen > patience ? .notRead : nil
  }

  /// The first of the sources that is not trusted, of those lines or (`nil`) of the points.
  func fault(ofLines lines: [String]?, at now: Int64) -> BadReason? {
    for source in all where (source.reference == nil) == (lines != nil) {
      if let lines, !lines.contains(source.name) { continue }
      if let fault = fault(of: source, at: now) { return fault }
    }
    return nil
  }

  /// What the points state, in sum; `nil` if one of them never stated anything, or if there are
  /// none.
  var reported: Int64? {
    let points = all.filter { $0.reference != nil }
    let numbers = points.compactMap(\.number)
    return points.isEmpty || numbers.count < points.count ? nil : numbers.reduce(0, +)
  }

  /// Milliseconds since the source that is oldest was last known to be good.
  func age(at now: Int64) -> Int64 {
    let ages = all.map { source in
      source.reference == nil && fault(of: source, at: now) == nil ? 0 : now - source.good
    }
    return max(0, ages.max() ?? 0)
  }

  /// What changed since the last call.
  struct Changes {
    /// Sources whose loss is to be told now.
    var lost: [AreaState.Fault] = []
    /// Whether all are there again, after a loss that was told.
    var isBack = false
    /// Whether other sources are lost than before, told or not.
    var isChanged = false
  }

  /// What changed. A source that was not heard of yet has time to be; one whose loss was told a
  /// short while ago is told when that is over, if it is lost then.
  mutating func changes(at now: Int64) -> Changes {
    var changes = Changes()
    var missing: Set<String> = []
    for source in all {
      guard let fault = fault(of: source, at: now) else { continue }
      let patience = source.patienceMilliseconds ?? Self.lineMilliseconds
      guard source.isKnown || now - start > patience else { continue }
      missing.insert(source.name)
      if told.contains(source.name) { continue }
      if let last = toldLost[source.name], now - last < Self.quietMilliseconds { continue }
      told.insert(source.name)
      toldLost[source.name] = now
      owesBack = true
      changes.lost.append(AreaState.Fault(source: source.name, reason: fault))
    }
    changes.isChanged = missing != lost
    (lost, told) = (missing, told.intersection(missing))
    changes.isBack = owesBack && missing.isEmpty
    if changes.isBack { owesBack = false }
    return changes
  }

  /// When the next source will have been silent for too long, or its loss is to be told.
  var deadline: Int64? {
    all.compactMap { source -> Int64? in
      if told.contains(source.name) { return nil }
      let quiet = toldLost[source.name].map { $0 + Self.quietMilliseconds }
      if source.fault != nil, let quiet { return quiet }
      if let patience = source.patienceMilliseconds {
        return max(source.seen + patience + 1, quiet ?? .min)
      }
      return source.isKnown ? nil : start + Self.lineMilliseconds + 1
    }.min()
  }
}
