internal import Buffering
internal import Drivers
internal import Glibc
internal import LinuxSystem
internal import Telemetry
internal import Uplink

/// Why the agent could not start.
enum AgentError: Error, CustomStringConvertible {
  /// Another agent holds the store.
  case storeHeld(StoreLockError)
  /// The system refused what no agent can do without, such as a thread.
  case system(SystemError)

  var description: String {
    switch self {
    case .storeHeld(let error): error.description
    case .system(let error): error.description
    }
  }
}

/// The running parts: field side, journal, destinations. One direction: buses put into the ring,
/// the writer takes from it, destinations read the journal. The main thread's alone.
final class Agent {
  /// An orderly stop takes at most 2 s in all, also on a board that is busy. When each step is over
  /// at the latest, in seconds since the stop began; time that one leaves is the next one's.
  private static let busStopSeconds = 0.4
  private static let flushedBySeconds = 0.9
  private static let uplinksStoppedBySeconds = 1.5
  private static let sealedBySeconds = 1.8
  private static let lateSealSeconds = 0.3
  private static let controlEndedBySeconds = 1.9
  /// A broker that is silent for so long has no more to say.
  private static let uplinkStopMilliseconds = 700
  /// A reload waits so long for the store to keep the new definitions; then nothing is changed.
  private static let changeSeconds = 5.0
  /// A reload waits so long at most for an answer that a bus to be replaced has asked for.
  private static let busEndSeconds = 5.0
  /// How late a reload may notice that a stop was asked for.
  private static let stopLookMilliseconds = 50

  let clock: any TimeSource
  let board: HealthBoard
  private let ring: SampleRing
  let writer: JournalWriter
  private let boot: BootID
  private(set) var configuration: AgentConfiguration
  private(set) var buses: [BusPart] = []
  /// `nil` while no line is configured.
  var lines: LinesPart?
  let headcount: HeadcountPart
  private var uplinks: [Uplink] = []
  /// Of the uplinks that run.
  private var reports: [DestinationName: DestinationReports] = [:]
  private let status: AgentStatus
  private var control: ControlServer?

  /// Opens the store and recovers it; nothing runs yet.
  init(_ configuration: AgentConfiguration, clock: any TimeSource) throws(AgentError) {
    self.configuration = configuration
    self.clock = clock
    ring = SampleRing()
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
    headcount = HeadcountPart(board: board, clock: clock)
    boot = Self.bootID()
    let settings = JournalSettings(configuration, boot: boot)
    writer = try Self.openJournal(settings, ring: ring, clock: clock, board: board)
    status = AgentStatus(
      configuration, board: board, journal: writer.journal, start: clock.now())
  }

  /// Starts all parts.
  func start() throws(AgentError) {
    do throws(SystemError) {
      try writer.start()
    } catch {
      throw .system(error)
    }
    beginUplinks(Set(configuration.uplinks.map(\.name)))
    beginBuses(Set(configuration.buses.map(\.name)))
    // Last: what the journal knows of lines and areas may have to be looked for.
    beginInputs(past(of: configuration))
    tellStatus()
    beginControl()
    Log.notice(
      "store \(hexadecimal(writer.journal.store, digits: 16)), epoch \(writer.journal.epoch), "
        + "\(buses.count) buses, \(configuration.lines.count) lines, "
        + "\(configuration.areas.count) areas, \(uplinks.count) destinations")
  }

  /// Goes over to another configuration: replaces only the parts that changed. Returns what was
  /// wrong, `nil` if it was done. Either all of it is done or nothing.
  func reload(_ new: AgentConfiguration) -> String? {
    let difference = ConfigurationDifference(from: configuration, to: new)
    guard difference.needsRestart.isEmpty else {
      return "\(difference.needsRestart.joined(separator: ", ")) needs a restart"
    }
    let old = configuration
    let change = JournalChange(new)
    var bothChange = change
    bothChange.destinations += JournalChange(old).destinations.filter {
      !change.destinations.contains($0)
    }
    // First what can fail: from here on the store knows the new points and destinations as well.
    guard apply(bothChange) else { return "the store could not keep the new definitions" }
    // While all that goes on still does.
    let past = past(of: new, after: old)
    end(difference)
    guard !Signals.isStopPending else { return "the agent is to stop" }
    _ = apply(change)
    configuration = new
    board.configure(new, renewing: difference)
    renewLog(of: difference)
    beginUplinks(difference.beginningUplinks)
    beginBuses(difference.beginningBuses)
    beginInputs(past)
    tellStatus()
    board.accept(
      Event(
        time: clock.now(), severity: .info, source: "agent",
        detail: .configuration(
          ConfigurationDetail(
            old: hexadecimal(UInt64(JournalChange(old).definitionsDigest), digits: 8),
            new: hexadecimal(UInt64(change.definitionsDigest), digits: 8)))))
    return nil
  }

  /// Stops in order: no new readings, everything appended and synced, what is fresh delivered,
  /// cursors saved. Blocks for 2 s at most; returns whether every step was done in its time.
  func stop(reason: String) -> Bool {
    let start = ContinuousClock.now
    func left(until seconds: Double) -> Double {
      max(0, (start + .seconds(seconds) - .now) / .seconds(1))
    }
    control?.cancel()
    for bus in buses { bus.cancel() }
    lines?.cancel()
    for bus in buses { bus.waitForEnd(atMost: left(until: Self.busStopSeconds)) }
    lines?.waitForEnd(atMost: left(until: Self.busStopSeconds))
    headcount.end()
    let isFlushed = writer.flush(within: left(until: Self.flushedBySeconds), reason: reason)
    let uplinkMilliseconds = Int(left(until: Self.uplinksStoppedBySeconds) * 1000)
    for uplink in uplinks {
      uplink.stop(withinMilliseconds: min(Self.uplinkStopMilliseconds, uplinkMilliseconds))
    }
    // Longer than they take by themselves: on a busy board the last of it takes its time. One
    // deadline for all: several that hang must not add up.
    let areStopped = uplinks.map { uplink in
      uplink.waitForEnd(
        atMostMilliseconds: Int(left(until: Self.uplinksStoppedBySeconds) * 1000))
    }.allSatisfy { $0 }
    // A disk that took nothing before is not given all the time that is left.
    let isSealed = writer.seal(
      within: isFlushed ? left(until: Self.sealedBySeconds) : Self.lateSealSeconds)
    let isSilent = control?.waitForEnd(atMost: left(until: Self.controlEndedBySeconds)) ?? true
    return isFlushed && isSealed && areStopped && isSilent
  }

  // MARK: Parts

  private func beginBuses(_ names: Set<String>) {
    let digest = JournalChange(configuration).definitionsDigest
    for definition in configuration.buses where names.contains(definition.name) {
      buses.append(BusPart(definition, board: board, clock: clock, definitions: digest))
    }
  }

  private func beginUplinks(_ names: Set<String>) {
    for destination in configuration.uplinks where names.contains(destination.name) {
      let settings = UplinkSettings(destination, gateway: configuration.gateway.id)
      let reports = DestinationReports(board: board)
      do throws(SystemError) {
        let uplink = try Uplink(
          settings: settings, log: writer.journal, health: board, clock: clock, boot: boot,
          observer: reports)
        try uplink.start()
        uplinks.append(uplink)
        self.reports[settings.name] = reports
      } catch {
        // The rest goes on; a board so short of threads or descriptors needs a restart anyway.
        board.destination(settings.name, changedTo: "\(error)")
      }
    }
    let running = uplinks
    board.onChange {
      for uplink in running { uplink.healthChanged() }
    }
  }

  private func renewLog(of difference: ConfigurationDifference) {
    let buses = configuration.buses.filter { difference.beginningBuses.contains($0.name) }
    Log.renew(
      buses.map { .part("bus \($0.name)") }
        + buses.flatMap(\.devices).map { .part("device \($0.name)") }
        + difference.beginningLines.map { .part("line \($0)") }
        + difference.beginningAreas.map { .part("area \($0)") }
        + difference.beginningUplinks.map { .part("destination \($0)") })
  }

  private func tellStatus() {
    status.use(
      AgentStatus.Parts(
        configuration: configuration, buses: buses, lines: lines, headcount: headcount,
        uplinks: uplinks))
  }

  private func beginControl() {
    let board = board
    do throws(SystemError) {
      let control = try ControlServer(path: configuration.controlSocket, responder: status) {
        board.own("control", changedTo: $0)
      }
      try control.start()
      self.control = control
    } catch {
      // Nobody can ask how the agent is doing; what it is for goes on.
      board.own("control", changedTo: "\(error)")
    }
  }

  private func end(_ difference: ConfigurationDifference) {
    let endingBuses = buses.filter { difference.endingBuses.contains($0.definition.name) }
    buses.removeAll { difference.endingBuses.contains($0.definition.name) }
    for bus in endingBuses { bus.cancel() }
    let endingUplinks = uplinks.filter { difference.endingUplinks.contains($0.name.description) }
    for uplink in endingUplinks { reports.removeValue(forKey: uplink.name)?.end() }
    for uplink in endingUplinks { uplink.stop(withinMilliseconds: Self.uplinkStopMilliseconds) }
    Self.wait(atMost: Double(Self.uplinkStopMilliseconds) / 1000) { milliseconds in
      endingUplinks.allSatisfy { $0.waitForEnd(atMostMilliseconds: milliseconds) }
    }
    let timeout = endingBuses.map(\.definition.timeoutMilliseconds).max() ?? 0
    let busSeconds = min(Self.busStopSeconds + Double(timeout) / 1000, Self.busEndSeconds)
    Self.wait(atMost: busSeconds) { milliseconds in
      endingBuses.allSatisfy { $0.waitForEnd(atMost: Double(milliseconds) / 1000) }
    }
    for bus in endingBuses where !bus.waitForEnd(atMost: 0) { bus.intake.close(at: clock.now()) }
    // Where a stop was asked for meanwhile, it waits for those that have not ended.
    let isStopping = Signals.isStopPending
    uplinks.removeAll { uplink in
      endingUplinks.contains { $0 === uplink && ($0.hasEnded || !isStopping) }
    }
  }

  /// Waits for parts in a reload: at most `seconds`, and only while nobody wants the agent to stop.
  private static func wait(atMost seconds: Double, _ haveEnded: (_ milliseconds: Int) -> Bool) {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !haveEnded(stopLookMilliseconds), .now < deadline, !Signals.isStopPending {}
  }

  private func apply(_ change: JournalChange) -> Bool {
    writer.apply(change, within: Self.changeSeconds, unless: { Signals.isStopPending })
  }

  // MARK: Opening

  private static func openJournal(
    _ settings: JournalSettings, ring: SampleRing, clock: any TimeSource, board: HealthBoard
  ) throws(AgentError) -> JournalWriter {
    do throws(JournalError) {
      return try JournalWriter.open(settings, ring: ring, clock: clock, observer: board)
    } catch {
      if case .lock(let held) = error { throw .storeHeld(held) }
      throw .system(SystemError(call: "open", subject: "\(error)", code: ENOMEM))
    }
  }

  /// The kernel's id of this boot; a random one where /proc is not mounted.
  private static func bootID() -> BootID {
    guard let file = fopen("/proc/sys/kernel/random/boot_id", "re") else {
      return BootID(rawValue: .random(in: .min ... .max))
    }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 8)
    guard fread(&text, 1, text.count, file) == text.count,
      let number = UInt32(String(decoding: text, as: UTF8.self), radix: 16)
    else { return BootID(rawValue: .random(in: .min ... .max)) }
    return BootID(rawValue: number)
  }
}

extension Agent: Supervised {
  var vitalLoops: [Heartbeat] { [writer.heartbeat] + uplinks.map(\.heartbeat) }
  var busLoops: [Heartbeat] { buses.map(\.heartbeat) }
  var lineLoops: [Heartbeat] { lines.map { [$0.heartbeat] } ?? [] }
  var statusLine: String { board.report().summary }

  func vitalLoop(_ name: String, isStuck: Bool) {
    if name == writer.heartbeat.name { board.store(isStuck: isStuck) }
  }

  func bus(_ name: String, isStuck: Bool) { board.bus(name, isStuck: isStuck) }

  func lines(areStuck: Bool) {
    board.lines(areStuck: areStuck)
    headcount.lines(areStuck: areStuck)
  }
}
