import Foundation
import TestSupport
import Testing

/// An orderly stop takes at most 2 s whatever a call of the system or of a library is doing, and
/// costs nothing that was appended: told by the account over the stop and a restart.
@Suite("Stopping while something hangs", .ownThread)
struct StopTests {
  /// What hangs when the agent is told to stop.
  enum Fault: String, CaseIterable {
    /// One broker whose host takes no connection, one that takes it and never answers.
    case blackHole
    /// The broker that is delivered to freezes in the middle.
    case frozenBroker
    /// Names of a broker and of a station are being looked up.
    case resolver
    /// A device on TCP and a unit on a serial line are being asked and say nothing for 5 s.
    case slaves
    /// A sync does not return.
    case store
  }

  /// What hangs does so for 5 s at least, most of it for ever.
  private static let limit: Duration = .seconds(2 + Programs.slack)

  private static func scenario(link: String, isSilent: Bool) -> String {
    var text = """
      seed: 11
      stations:
        line: { rtu: { baud: 19200, link: \(link) }, timeout: 5s }
        station: { repeat: 2, port: 15000, timeout: 5s }
      devices:
        unit:
          repeat: 2
          station: line
          unit: 1
          every: 1s
          points:
            ch4:
              { input: 0, type: float32, unit: "%CH4", signal: { methane: { base: 0.3 } } }
        sensor:
          repeat: 2
          station: station
          unit: 1
          every: 1s
          points:
            ch4:
              { repeat: 16, input: 0, type: float32, unit: "%CH4",
                signal: { methane: { base: 0.3, noise: 0.05 } } }

      """
    if isSilent {
      text += """
        faults:
          - { device: unit-2, from: 3s, to: 1h, kind: silent }
          - { device: sensor-2, from: 3s, to: 1h, kind: silent }

        """
    }
    return text
  }

  @Test(
    "It stops in time, and what was appended is delivered after the next start",
    .enabled(if: SilentResolver.isPossible),
    arguments: Fault.allCases.map { [$0] } + [Fault.allCases])
  func stops(faults: [Fault]) throws {
    let place = try TemporaryDirectory()
    let rig = try Rig(
      scenario: Self.scenario(link: place.path + "/COM1", isSilent: faults.contains(.slaves)),
      stations: 3)
    let resolver = try SilentResolver(in: place)
    let sync = try BlockedSync(in: place)
    let (plugged, mute) = (try BlackHole(isPlugged: true), try BlackHole())
    if faults.contains(.blackHole) {
      try rig.configure("uplinks", "  hole: { url: mqtt://127.0.0.1:\(plugged.port) }")
      try rig.configure("uplinks", "  mute: { url: mqtt://127.0.0.1:\(mute.port) }")
    }
    if faults.contains(.resolver) {
      try rig.configure("uplinks", "  far: { url: mqtt://broker.example }")
      try rig.configure("buses", "  far: { tcp: { host: station.example } }")
      try rig.configure(
        "devices", "  far: { bus: far, unit: 1, points: { door: { discrete: 0 } } }")
    }
    try rig.broker.start()
    try rig.startReceiver()
    try rig.startSimulator()
    func start() throws -> ChildProcess {
      try rig.startAgent(
        through: faults.contains(.resolver) ? resolver.launcher : [], environment: sync.environment)
    }
    let agent = try start()
    // Until all parts have got to where they hang.
    if !faults.contains(.slaves) { try agent.waitUntilItPrints("device sensor-2: ok") }
    try agent.waitUntilItPrints("device unit-1: ok")
    try agent.waitUntilItPrints("destination province: ok")
    if faults.contains(.resolver) { try waitUntil("a name is asked for") { resolver.isAsked } }
    if faults.contains(.blackHole) {
      try waitUntil("the agent waits for an answer") { !mute.received.isEmpty }
    }
    if faults.contains(.slaves) {
      for name in ["unit-2", "sensor-2"] {
        try waitUntil("\(name) is being asked") {
          lines(of: rig.truth).contains { $0.contains(name) && $0.contains("silent") }
        }
      }
    }
    let hung = unixMilliseconds()
    if faults.contains(.frozenBroker) { rig.broker.freeze() }
    if faults.contains(.store) {
      try sync.block()
      try sync.waitUntilReached()
    }
    // So that something is in flight, within the time-out of the slaves.
    if faults.contains(.frozenBroker) || faults.contains(.store) { reach(.now + .seconds(1.2)) }

    let began = ContinuousClock.now
    agent.send(SIGTERM)
    let status = try agent.waitForEnd(within: 30)
    let time = ContinuousClock.now - began
    let stopped = unixMilliseconds()
    let last = agent.errors.split(separator: "\n").last ?? ""
    print("stop with \(faults.map(\.rawValue)): \(status) after \(time): \(last)")
    #expect(status == 0)
    #expect(time <= Self.limit, "\(agent.errors)")

    rig.broker.thaw()
    sync.release()
    let next = try start()
    try next.waitUntilItPrints("destination province: ok")
    reach(.now + .seconds(4))
    let account = try rig.finish()
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("conflicts", "count") == 0)
    #expect(account.number("out-of-order", "count") == 0)
    // Half of what sanitized programs were seen to read until the stop.
    #expect(account.number("truth", "served") > 50)
    let lost = account.list("truth", "lost-values").compactMap { $0["time"] as? Int64 }
    #expect(account.number("truth", "lost") == lost.count)
    if faults.contains(.store) {
      // What was read while the store hung was never appended, and the next start says so.
      #expect(lost.allSatisfy { $0 > hung - 500 && $0 <= stopped }, "\(lost) \(hung) \(stopped)")
      let gaps = account.list("time-gaps").compactMap { $0["reason"] as? String }
      #expect(gaps == ["unclean-stop"])
    } else {
      #expect(lost == [])
      #expect(account.problems == [])
    }
  }

  @Test("A second signal ends it at once, whatever the first one began")
  func secondSignal() throws {
    let (rig, agent, sync) = try withBlockedStore()
    agent.send(SIGTERM)
    // While it waits for signals they count as not blocked.
    try waitUntil("it stops") { try agent.hasTaken(SIGTERM) }
    agent.send(SIGTERM)
    // The first one alone would end it with 0.
    #expect(try agent.waitForEnd(within: 30) == 128 + SIGTERM)
    sync.release()
    try rig.broker.stop()
  }

  @Test("A reload that is asked for while it stops does not end it before the time")
  func hangUp() throws {
    let (rig, agent, sync) = try withBlockedStore()
    agent.send(SIGTERM)
    try waitUntil("it stops") { try agent.hasTaken(SIGTERM) }
    agent.send(SIGHUP)
    #expect(try agent.waitForEnd(within: 30) == 0, "\(agent.errors)")
    sync.release()
    try rig.broker.stop()
  }

  @Test("A reload that waits for the store does not hold up a stop")
  func reloading() throws {
    let (rig, agent, sync) = try withBlockedStore()
    let path = rig.path + "/agent.yaml"
    let old = text(of: path)
    let new = old.replacingOccurrences(
      of: "ch4-1: { input: 0,", with: "ch4-1: { location: x, input: 0,")
    try #require(new != old)
    try write(new, to: path)
    agent.send(SIGHUP)
    try waitUntil("the reload is under way") { !agent.isPending(SIGHUP) }
    let began = ContinuousClock.now
    agent.send(SIGTERM)
    #expect(try agent.waitForEnd(within: 30) == 0)
    let time = ContinuousClock.now - began
    print("stop in a reload: \(time)")
    #expect(time <= Self.limit, "\(agent.errors)")
    // Blocked until here: the rig's directory, and with it what blocks, goes with its last use.
    sync.release()
    try rig.broker.stop()
  }

  @Test("A start that waits for the store is stopped too", arguments: [SIGTERM, SIGINT])
  func starting(signal: Int32) throws {
    let place = try TemporaryDirectory()
    let rig = try Rig(
      scenario: Self.scenario(link: place.path + "/COM1", isSilent: false), stations: 3)
    let sync = try BlockedSync(in: place)
    try sync.block()
    let agent = try rig.startAgent(environment: sync.environment)
    try sync.waitUntilReached()
    let began = ContinuousClock.now
    agent.send(signal)
    #expect(try agent.waitForEnd(within: 30) == 0)
    let time = ContinuousClock.now - began
    print("stop in a start: \(time)")
    #expect(time <= Self.limit, "\(agent.errors)")
    sync.release()
    let next = try rig.startAgent(environment: sync.environment)
    try next.waitUntilItPrints("runs as gw-test")
    #expect(try next.stop() == 0)
  }

  private func withBlockedStore() throws -> (rig: Rig, agent: ChildProcess, sync: BlockedSync) {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    let sync = try BlockedSync(in: rig.directory)
    try rig.broker.start()
    try rig.startSimulator()
    let agent = try rig.startAgent(environment: sync.environment)
    try agent.waitUntilItPrints("device sensor-16: ok")
    try sync.block()
    try sync.waitUntilReached()
    return (rig, agent, sync)
  }
}
