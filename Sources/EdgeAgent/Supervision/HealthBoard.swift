internal import LinuxSystem
internal import Buffering
internal import Drivers
internal import Telemetry
internal import Uplink

/// Knows how every part is doing: samples, events and observers tell it, `health` asks it. What it
/// is told goes on into the ring.
final class HealthBoard: HealthSource, StoreObserver {
  let ring: SampleRing
  let clock: any TimeSource
  let state: Monitor<HealthState>

  init(configuration: AgentConfiguration, ring: SampleRing, clock: any TimeSource) {
    self.ring = ring
    self.clock = clock
    state = Monitor(HealthState(at: clock.now()))
    configure(configuration, renewing: ConfigurationDifference())
  }

  /// Takes over the parts of a configuration. Those that were there before keep what is known of
  /// them, unless they begin anew.
  func configure(_ configuration: AgentConfiguration, renewing difference: ConfigurationDifference)
  {
    let now = clock.now()
    let since = now.wall
    let renewedDevices = Set(
      configuration.buses.filter { difference.beginningBuses.contains($0.name) }
        .flatMap(\.devices).map(\.name))
    state.update { state in
      state.follow(now)
      for name in renewedDevices {
        state.devices[name] = nil
        state.readings.forget(name)
      }
      for name in difference.beginningLines.union(difference.beginningAreas) {
        state.inputs[name] = nil
        state.readings.forget(name)
      }
      let devices = configuration.buses.flatMap { bus in bus.devices.map { ($0.name, bus.name) } }
      state.busOfDevice = Dictionary(uniqueKeysWithValues: devices)
      state.devices = state.devices.filter { state.busOfDevice[$0.key] != nil }
      let inputs = Set(configuration.lines.map(\.name) + configuration.areas.map(\.name))
      state.inputs = state.inputs.filter { inputs.contains($0.key) }
      state.readings.keepOnly(inputs.union(state.busOfDevice.keys))
      func part(
        _ kind: HealthReport.Part.Kind, _ name: String, _ fault: String, isRenewed: Bool
      ) -> HealthReport.Part {
        let key = HealthState.PartKey(kind: kind, name: name)
        if !isRenewed, let place = state.places[key] { return state.parts[place] }
        return HealthReport.Part(
          kind: kind, name: name, fault: fault, since: since, newestValue: nil)
      }
      // Nothing counts as healthy before it has shown that it works.
      let starting = DeviceCondition.starting
      let connecting = UplinkFault.connecting.rawValue
      let parts =
        configuration.buses.map {
          part(.bus, $0.name, starting, isRenewed: difference.beginningBuses.contains($0.name))
        }
        + configuration.buses.flatMap(\.devices).map {
          part(.device, $0.name, starting, isRenewed: renewedDevices.contains($0.name))
        }
        + configuration.lines.map {
          part(.line, $0.name, starting, isRenewed: difference.beginningLines.contains($0.name))
        }
        + configuration.areas.map {
          part(.area, $0.name, starting, isRenewed: difference.beginningAreas.contains($0.name))
        }
        + configuration.uplinks.map {
          part(
            .destination, $0.name, connecting,
            isRenewed: difference.beginningUplinks.contains($0.name))
        }
        // The agent's own parts are no matter of the configuration.
        + state.parts.filter { $0.kind == .agent }
      state.parts = parts
      for name in difference.endingBuses { state.stuckBuses[name] = nil }
      let places = parts.enumerated().filter { $1.kind != .agent }
        .map { (HealthState.PartKey(kind: $1.kind, name: $1.name), $0) }
      state.places = Dictionary(uniqueKeysWithValues: places)
    }
    tellListener()
  }

  /// Calls `listener` after every change of a fault, on the thread that noticed it; in place of the
  /// one before.
  func onChange(_ listener: @escaping @Sendable () -> Void) {
    state.update { $0.listener = listener }
  }

  func report() -> HealthReport {
    let now = clock.now()
    return state.withLock { $0.report(at: now) }
  }

  /// One moment of all that is known, for `edge-agent status`.
  func snapshot() -> Snapshot {
    let now = clock.now()
    return state.withLock {
      Snapshot(
        report: $0.report(at: now), connectedBuses: $0.connectedBuses,
        storeSince: $0.storeSinceAsSeen, readings: $0.readings)
    }
  }

  struct Snapshot: Sendable {
    var report: HealthReport
    /// Buses that have a connection, whether or not anything answers on it.
    var connectedBuses: Set<String>
    /// Unix milliseconds since when the store has had its fault, or none.
    var storeSince: Int64
    var readings: NewestReadings
  }

  // MARK: The field side

  /// Takes what was read of a device.
  /// - Parameter news: What of it goes on into the ring; `nil`: nothing.
  func accept(_ sample: Sample, news: Sample?, definitions: UInt32) {
    let isGood = sample.outcomes.contains { if case .good = $0.outcome { true } else { false } }
    let name = sample.device.name
    changeDevice(name) { state, place in
      if isGood { state.parts[place].newestValue = sample.time }
      state.readings.take(sample)
      let isBusOpen = state.isBusOpen(of: name)
      // In place: every cycle of every device comes through here.
      state.devices[name, default: DeviceCondition()].take(sample, isBusOpen: isBusOpen)
    }
    if let news { ring.accept(DefinedSample(news, definitions: definitions)) }
  }

  func accept(_ event: Event) {
    switch event.detail {
    case .bus(let detail):
      set(.bus, event.source, fault: detail.state == "open" ? nil : detail.reason ?? detail.state)
    case .device(let detail):
      changeDevice(event.source) { state, _ in
        var condition = state.devices[event.source] ?? DeviceCondition()
        if detail.state == "recovered" {
          condition.recover()
        } else {
          condition.lose(detail.reason ?? detail.state)
        }
        state.devices[event.source] = condition
      }
    default: break
    }
    ring.accept(event)
  }

  /// A bus that could not even be made.
  func bus(_ name: String, failed reason: String) {
    set(.bus, name, fault: reason)
  }

  /// Something of the agent's own, such as `control`. It is listed only while it has a fault.
  func own(_ name: String, changedTo fault: String?) {
    let now = clock.now()
    let isNew = state.withLock { state in
      state.follow(now)
      let place = state.parts.firstIndex { $0.kind == .agent && $0.name == name }
      guard place.map({ state.parts[$0].fault }) ?? nil != fault else { return false }
      // They stand behind all others, so that no other's place changes.
      if let place { state.parts.remove(at: place) }
      if let fault {
        state.parts.append(
          HealthReport.Part(
            kind: .agent, name: name, fault: fault, since: now.wall, newestValue: nil))
      }
      return true
    }
    if isNew { tell(.agent, name, fault: fault) }
  }

  /// A bus's loop got stuck in a call, or turns again.
  func bus(_ name: String, isStuck: Bool) {
    let now = clock.now()
    let isNew = state.withLock { state in
      state.follow(now)
      guard let place = state.places[HealthState.PartKey(kind: .bus, name: name)],
        (state.stuckBuses[name] != nil) != isStuck
      else { return false }
      state.stuckBuses[name] = isStuck ? now.wall : nil
      // A fault that it had before goes on; its health begins anew.
      if !isStuck, state.parts[place].fault == nil { state.parts[place].since = now.wall }
      return true
    }
    guard isNew else { return }
    Log.write(
      isStuck ? .warning : .notice, "bus \(name): \(isStuck ? "stuck" : "turns again")",
      of: .part("bus \(name)"))
    let detail = StateDetail(
      state: isStuck ? "stuck" : "recovered", reason: isStuck ? StuckFault.bus : nil)
    ring.accept(
      Event(
        time: now, severity: isStuck ? .warning : .info, source: name, detail: .bus(detail)))
    tellListener()
  }

  /// The journal's loop got stuck in a call, or turns again. No event: it could not be kept.
  func store(isStuck: Bool) {
    let now = clock.now()
    state.withLock { state in
      state.follow(now)
      state.storeStuckSince = isStuck ? now.wall : nil
      if !isStuck { state.storeSince = now.wall }
    }
    tellListener()
  }

  // MARK: Observers

  func store(changedTo fault: String?) {
    let now = clock.now()
    let isNew = state.withLock { state in
      state.follow(now)
      guard state.storeFault != fault else { return false }
      state.storeFault = fault
      state.storeSince = now.wall
      return true
    }
    guard isNew else { return }
    Log.write(fault == nil ? .notice : .error, "store: \(fault ?? "ok")", of: .part("store"))
    tellListener()
  }

  /// What is wrong with a destination, or that nothing is.
  func destination(_ name: DestinationName, changedTo fault: String?) {
    guard set(.destination, name.description, fault: fault) else { return }
    let detail = StateDetail(state: fault == nil ? "ok" : "failed", reason: fault)
    ring.accept(
      Event(
        time: clock.now(), severity: fault == nil ? .info : .warning, source: name.description,
        detail: .destination(detail)))
  }

  // MARK: Changes

  /// Returns whether that was news.
  @discardableResult
  private func set(
    _ kind: HealthReport.Part.Kind, _ name: String, fault: String?
  ) -> Bool {
    let now = clock.now()
    let isNew = state.withLock { state in
      state.follow(now)
      guard let place = state.places[HealthState.PartKey(kind: kind, name: name)],
        state.parts[place].fault != fault
      else { return false }
      // A bus that is closed for another reason is closed since it was closed.
      let old = state.parts[place].fault
      let keepsSince =
        kind == .bus && fault != nil && old != nil && old != DeviceCondition.starting
      state.parts[place].fault = fault
      if !keepsSince { state.parts[place].since = now.wall }
      return true
    }
    if isNew { tell(kind, name, fault: fault) }
    return isNew
  }

  /// Makes a change to what is known of a device, told with its place among the parts, and to its
  /// fault by it. Devices that are not configured are passed over.
  private func changeDevice(_ name: String, _ change: (inout HealthState, Int) -> Void) {
    let now = clock.now()
    let condition: DeviceCondition? = state.withLock { state in
      state.follow(now)
      guard let place = state.places[HealthState.PartKey(kind: .device, name: name)] else {
        return nil
      }
      let wasLost = state.devices[name]?.lost != nil
      change(&state, place)
      guard let condition = state.devices[name], state.parts[place].fault != condition.fault else {
        return nil
      }
      // A device that is lost for another reason is lost since it was lost.
      state.setFault(
        ofDeviceAt: place, to: condition.fault, keepsSince: wasLost && condition.lost != nil,
        at: now.wall)
      return condition
    }
    if let condition { tell(.device, name, fault: condition.fault) }
  }

  func tell(_ kind: HealthReport.Part.Kind, _ name: String, fault: String?) {
    let part = "\(kind.rawValue) \(name)"
    // That a bus has a connection does not say that anybody answers on it.
    let isWell = kind == .bus ? "open" : "ok"
    Log.write(
      fault == nil ? .notice : .warning, "\(part): \(fault ?? isWell)", of: .part(part))
    tellListener()
  }

  func tellListener() {
    let listener: (@Sendable () -> Void)? = state.withLock { $0.listener }
    listener?()
  }
}

extension HealthReport {
  /// Faults that `summary` names; `systemctl status` shows one line.
  private static let summarisedFaults = 3

  /// A line for whoever looks at the service.
  var summary: String {
    var faults = storeFault.map { ["store: \($0)"] } ?? []
    faults += parts.compactMap { part in
      part.fault.map { "\(part.kind.rawValue) \(part.name): \($0)" }
    }
    guard !faults.isEmpty else { return "healthy" }
    let more = faults.count - Self.summarisedFaults
    return "degraded: " + faults.prefix(Self.summarisedFaults).joined(separator: ", ")
      + (more > 0 ? ", \(more) more" : "")
  }
}
