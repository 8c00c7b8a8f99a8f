internal import Buffering
internal import Drivers
internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Errands that others have this agent do, asked for at the control socket. One that is begun has a
/// number; whoever began it asks by that until it is done. No answer waits for anything.
final class ErrandDesk: Sendable {
  /// At the same time; a technician has one.
  static let mostJobs = 8
  /// A job that nobody asks for is forgotten; its errand ends by itself then.
  private static let patience: Duration = VisitTicket.patience

  private enum Work {
    /// With the lines and areas whose newest readings are told at the end.
    case probe([(bus: ModbusBusDefinition, ticket: VisitTicket)], inputs: Set<String>)
    case scan(ModbusBusDefinition, VisitTicket)
    /// Members of the answer, once they are known.
    case deliveries(Monitor<[UInt8]?>)
  }

  private struct Job {
    var work: Work
    var lastLook = ContinuousClock.now
    /// Whoever began it has its answer.
    var isTold = false

    /// A thread of its own is at work, which ends in its own time.
    var holdsThread: Bool {
      if case .deliveries(let found) = work { found.withLock { $0 == nil } } else { false }
    }
  }

  private struct State {
    var jobs: [Int: Job] = [:]
    var last = 0
  }

  private let journal: Journal
  private let board: HealthBoard
  private let state = Monitor(State())

  init(journal: Journal, board: HealthBoard) {
    self.journal = journal
    self.board = board
  }

  /// The commands that begin a job or ask for one.
  static let commands = ["probe", "scan", "deliveries", "job"]

  /// Answers one of `commands`, `parts` being those that run.
  func answer(
    _ request: ControlRequest, _ parts: AgentStatus.Parts
  ) throws(ControlRefusal) -> [UInt8] {
    // Before anything is begun: what looks for deliveries has a thread.
    guard request.command == "job" || hasRoom() else {
      throw ControlRefusal(.tooManyJobs, "\(Self.mostJobs) others are under way")
    }
    let number: Int
    let work: Result<Work, ControlRefusal>?
    do throws(PayloadError) {
      switch request.command {
      case "probe": work = try probe(request.fields, parts)
      case "scan": work = try scan(request.fields, parts)
      case "deliveries": work = try deliveries(request.fields, parts)
      default: work = nil
      }
      number = work == nil ? try request.fields.integer("job") : 0
    } catch {
      throw ControlRefusal(.malformedRequest, error.description)
    }
    return if let work { try begin(work) } else { try look(number, parts) }
  }

  // MARK: Beginning

  /// Whether one more may begin. The control socket has one thread, so nobody comes between.
  private func hasRoom() -> Bool {
    state.withLock { state in
      let now = ContinuousClock.now
      state.jobs = state.jobs.filter {
        $0.value.holdsThread || $0.value.lastLook.duration(to: now) < Self.patience
      }
      // An answer may be asked for again, but not at the cost of a new job.
      if state.jobs.count >= Self.mostJobs { state.jobs = state.jobs.filter { !$0.value.isTold } }
      return state.jobs.count < Self.mostJobs
    }
  }

  private func begin(_ work: Result<Work, ControlRefusal>) throws(ControlRefusal) -> [UInt8] {
    let work = try work.get()
    let number = state.withLock { state in
      state.last += 1
      state.jobs[state.last] = Job(work: work)
      return state.last
    }
    var json = JSONWriter(capacity: 64)
    json.beginObject()
    json.member("v", ControlProtocol.version)
    json.member("job", number)
    json.member("process", getpid())
    json.endObject()
    return json.bytes
  }

  private func probe(
    _ fields: JSONFields, _ parts: AgentStatus.Parts
  ) throws(PayloadError) -> Result<Work, ControlRefusal> {
    let known = Set(parts.configuration.deviceDescriptions.map(\.name))
    let names =
      fields.members["devices"] == nil
      ? known : Set(try fields.array("devices").map(\.text))
    let isTraced = try fields.optionalBool("trace") ?? false
    if let unknown = names.subtracting(known).min() {
      return .failure(Self.isUnknown("device \(unknown)"))
    }
    var visits: [(bus: ModbusBusDefinition, ticket: VisitTicket)] = []
    for bus in parts.buses where bus.definition.devices.contains(where: { names.contains($0.name) })
    {
      let probe = BusProbe(bus.definition, devices: names, isTraced: isTraced)
      guard let ticket = bus.visit(.probe(probe)) else {
        for visit in visits { visit.ticket.cancel() }
        return .failure(Self.hasNoTime(bus.definition.name))
      }
      visits.append((bus.definition, ticket))
    }
    let inputs = parts.configuration.lines.map(\.name) + parts.configuration.areas.map(\.name)
    return .success(.probe(visits, inputs: names.intersection(inputs)))
  }

  private func scan(
    _ fields: JSONFields, _ parts: AgentStatus.Parts
  ) throws(PayloadError) -> Result<Work, ControlRefusal> {
    let name = try fields.string("bus")
    let timeout: Int64? = try fields.optionalInteger("timeout")
    if let timeout, !UnitList.timeouts.contains(timeout) {
      throw fields.error("timeout", "\(UnitList.timeoutWords) is expected, not \(timeout)")
    }
    let isTraced = try fields.optionalBool("trace") ?? false
    let units = try units(fields)
    guard let bus = parts.buses.first(where: { $0.definition.name == name }) else {
      return .failure(Self.isUnknown("bus \(name)"))
    }
    let scan = BusScan(
      bus.definition, units: units, timeoutMilliseconds: timeout, isTraced: isTraced)
    guard let ticket = bus.visit(.scan(scan)) else { return .failure(Self.hasNoTime(name)) }
    return .success(.scan(bus.definition, ticket))
  }

  private func units(_ fields: JSONFields) throws(PayloadError) -> [UInt8] {
    let values = try fields.array("units")
    var units: [UInt8] = []
    for (index, value) in values.enumerated() {
      guard case .number(let text) = value, let unit = UInt8(text), UnitList.all.contains(unit),
        !units.contains(unit)
      else { throw fields.error("units[\(index)]", "one of 1…247, each once, is expected") }
      units.append(unit)
    }
    guard !units.isEmpty else { throw fields.error("units", "one at least is expected") }
    return units
  }

  private static func isUnknown(_ name: String) -> ControlRefusal {
    ControlRefusal(
      .unknownName, "the agent has no \(name); a change of its configuration counts once reloaded")
  }

  private static func hasNoTime(_ bus: String) -> ControlRefusal {
    ControlRefusal(
      .tooManyJobs,
      "the bus \(bus) takes no more: it has its most errands under way, or has just stopped")
  }

  // MARK: Looking

  private func look(
    _ number: Int, _ parts: AgentStatus.Parts
  ) throws(ControlRefusal) -> [UInt8] {
    let work: Work? = state.withLock { state in
      state.jobs[number]?.lastLook = .now
      return state.jobs[number]?.work
    }
    guard let work else {
      throw ControlRefusal(.unknownJob, "there is no job \(number), or nobody asked for it in time")
    }
    var json = JSONWriter(capacity: 16 << 10)
    json.beginObject()
    json.member("v", ControlProtocol.version)
    json.member("job", number)
    let isDone: Bool
    switch work {
    case .probe(let visits, let inputs):
      isDone = write(visits, into: &json) {
        ProbeReport.inputs(inputs, of: parts, board.snapshot())
      }
    case .scan(let bus, let ticket):
      let errand: BusErrand
      (errand, isDone) = ticket.look()
      write(errand.progress, isDone: isDone, into: &json)
      if isDone, case .scan(let scan) = errand {
        ScanReport(scan, of: bus).writeMembers(into: &json)
      }
    case .deliveries(let found):
      let members = found.withLock { $0 }
      isDone = members != nil
      json.member("done", isDone)
      if let members { json.raw(members) }
    }
    json.endObject()
    if isDone { state.update { $0.jobs[number]?.isTold = true } }
    return json.bytes
  }

  /// Returns whether all is done.
  private func write(
    _ visits: [(bus: ModbusBusDefinition, ticket: VisitTicket)], into json: inout JSONWriter,
    inputs: () -> [ProbeReport.Input]
  ) -> Bool {
    let looks = visits.map { ($0.bus, $0.ticket.look()) }
    let isDone = looks.allSatisfy { $0.1.isDone }
    let progress = looks.reduce(BusErrand.Progress(done: 0, total: 0)) { sum, look in
      let progress = look.1.errand.progress
      return BusErrand.Progress(
        done: sum.done + progress.done, total: sum.total + progress.total)
    }
    write(progress, isDone: isDone, into: &json)
    guard isDone else { return false }
    let probes = looks.compactMap { bus, look in
      if case .probe(let probe) = look.errand { (bus: bus, probe: probe) } else { nil }
    }
    var report = ProbeReport(probes)
    report.inputs = inputs()
    report.writeMembers(into: &json)
    return true
  }

  private func write(
    _ progress: BusErrand.Progress, isDone: Bool, into json: inout JSONWriter
  ) {
    json.member("done", isDone)
    json.key("progress")
    json.beginObject()
    json.member("asked", progress.done)
    json.member("of", progress.total)
    json.endObject()
  }
}

// MARK: - What was delivered

extension ErrandDesk {
  /// An acknowledgement of what was read this moment may be on its way for so long.
  private static let acknowledgementSeconds = 3.0
  private static let lookSeconds = 0.1

  /// Finds the newest batch of each point and whether each destination has acknowledged it.
  private func deliveries(
    _ fields: JSONFields, _ parts: AgentStatus.Parts
  ) throws(PayloadError) -> Result<Work, ControlRefusal> {
    let known = parts.configuration.deviceDescriptions
    let names =
      fields.members["devices"] == nil
      ? Set(known.map(\.name)) : Set(try fields.array("devices").map(\.text))
    if let unknown = names.subtracting(known.map(\.name)).min() {
      return .failure(Self.isUnknown("device \(unknown)"))
    }
    var wanted: [String: Set<String>] = [:]
    for device in known where names.contains(device.name) {
      wanted[device.name] = Set(device.points.map(\.name))
    }
    let destinations = parts.configuration.uplinks.map { DestinationName($0.name) }
    let found: Monitor<[UInt8]?> = Monitor(nil)
    let (journal, points) = (journal, wanted)
    do throws(SystemError) {
      // It reads the disk and waits, which nobody else has to wait for.
      try Thread.start(named: "deliveries") {
        let members = Self.deliveries(of: points, to: destinations, in: journal)
        found.update { $0 = members }
      }
    } catch {
      return .failure(ControlRefusal(.tooManyJobs, error.description))
    }
    return .success(.deliveries(found))
  }

  private static func deliveries(
    of points: [String: Set<String>], to destinations: [DestinationName], in journal: Journal
  ) -> [UInt8] {
    let newest = journal.newestBatches(of: points)
    let batches = Set(newest.values.flatMap(\.values))
    let deadline = ContinuousClock.now + .seconds(acknowledgementSeconds)
    let nobody = Monitor(())
    while ContinuousClock.now < deadline,
      !destinations.allSatisfy({ destination in
        batches.allSatisfy { journal.isAcknowledged($0, by: destination) }
      })
    {
      let _: Void? = nobody.wait(atMost: lookSeconds) { _ in nil }
    }
    // The members of an object, without its braces.
    var json = JSONWriter(capacity: 4 << 10)
    json.key("destinations")
    json.beginArray()
    for destination in destinations { json.string(destination.description) }
    json.endArray()
    json.key("points")
    json.beginArray()
    for (device, names) in points.sorted(by: { $0.key < $1.key }) {
      for name in names.sorted() {
        json.beginObject()
        json.member("device", device)
        json.member("point", name)
        json.key("delivered")
        json.beginObject()
        let batch = newest[device]?[name]
        for destination in destinations {
          let isDelivered = batch.map { journal.isAcknowledged($0, by: destination) } ?? false
          json.member(destination.description, isDelivered)
        }
        json.endObject()
        json.endObject()
      }
    }
    json.endArray()
    return json.bytes
  }
}
