import Foundation
import TestSupport
import Testing

@Suite("Reloading", .ownThread)
struct ReloadTests {
  @Test("50 reloads under load, valid and invalid in turn, lose nothing and leave nothing behind")
  func fifty() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    try rig.startAll()
    let agent = try #require(rig.agent)
    // All connections are open from then on.
    for number in 1...16 { try agent.waitUntilItPrints("device sensor-\(number): ok") }
    try agent.waitUntilItPrints("destination province: ok")
    let path = rig.path + "/agent.yaml"
    let original = text(of: path)
    // A device's period changes: its bus and the definitions' digest do too.
    let changed = original.replacingOccurrences(of: "location: x", with: "location: y")
      .replacingOccurrences(
        of: "ch4-1: { input: 0, type: float32",
        with: "ch4-1: { location: 总回风, input: 0, type: float32")
    try #require(changed != original)
    var before: Counts?
    for round in 1...50 {
      // The first round opens what stays open from then on, such as the cursor's files. Threads of
      // buses begin, and connect, a little later than "reloaded" is said.
      if round == 4 {
        try waitUntil("each bus has its thread and is connected, and so is the destination") {
          let now = try Counts(of: agent)
          return now.busThreads == 16 && now.sockets >= 17
        }
        before = try Counts(of: agent)
      }
      let configuration =
        switch round % 3 {
        case 0: original
        case 1: changed
        default: original + "\nnonsense: true\n"
        }
      try write(configuration, to: path)
      agent.send(SIGHUP)
      let wanted = (round + 1) * 2 / 3
      let word = round % 3 == 2 ? "is wrong; nothing changed" : "reloaded"
      let count = round % 3 == 2 ? (round + 1) / 3 : wanted
      try waitUntil("round \(round)") {
        agent.errors.components(separatedBy: word).count - 1 >= count
      }
    }
    let first = try #require(before)
    try waitUntil("no thread is left: \(first), \((try? Counts(of: agent)) as Any)") {
      let now = try Counts(of: agent)
      return now.busThreads == 16 && now.threads <= first.threads + 2
    }
    try waitUntil("no descriptor is left: \(first), \((try? Counts(of: agent)) as Any)") {
      // A segment more or less is open at any moment; 34 reloads that leak leave more.
      try Counts(of: agent).descriptors <= first.descriptors + 8
    }
    let after = try Counts(of: agent)
    print("open before: \(first), after: \(after)")
    // Sanitized programs keep memory of their own.
    if ProcessInfo.processInfo.environment["EDGE_PROGRAMS"] != nil {
      #expect(after.anonymousKiB < first.anonymousKiB + 2048)
    }
    let account = try rig.finish()
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.problems == [])
  }

  @Test(
    "A bus that is replaced while it hangs tells nothing more; a gap says what is missing"
  )
  func whileABusHangs() throws {
    let rig = try Rig(
      scenario: """
        seed: 5
        stations:
          station: { port: 15000, timeout: 12s }
        devices:
          sensor:
            { station: station, unit: 1, every: 1s,
              points: { door: { discrete: 0, signal: { duty: { period: 20s, on: 50% } } } } }
        faults:
          - { device: sensor, from: 8s, to: 10s, kind: silent }

        """, stations: 1)
    try rig.startAll()
    let agent = try #require(rig.agent)
    try agent.waitUntilItPrints("device sensor: ok")
    try waitUntil("it is asked and silent") { text(of: rig.truth).contains("silent") }
    let asked = ContinuousClock.now
    let path = rig.path + "/agent.yaml"
    let changed = text(of: path).replacingOccurrences(of: "timeout: 12s", with: "timeout: 13s")
    try #require(changed != text(of: path))
    try write(changed, to: path)
    agent.send(SIGHUP)
    try waitUntil("reloaded") { agent.errors.contains("reloaded") }
    // Until the old bus's time-out is over.
    reach(asked + .seconds(14))
    #expect(rig.health().contains("\"healthy\":true"), "\(rig.health())")
    let account = try rig.finish()
    #expect(account.problems == [])
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    let gaps = account.list("time-gaps").compactMap { $0["reason"] as? String }
    #expect(gaps == ["not-read"])
  }
}

/// What a process has open.
struct Counts {
  var threads: Int
  /// Those of them that read a bus.
  var busThreads: Int
  var descriptors: Int
  /// Those of them that are sockets.
  var sockets: Int
  var anonymousKiB: Int

  init(of program: ChildProcess) throws {
    let process = "/proc/\(program.id)"
    let status = text(of: process + "/status")
    func field(_ name: String) -> Int {
      let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
      return Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? -1
    }
    threads = field("Threads")
    anonymousKiB = field("RssAnon")
    let tasks = try FileManager.default.contentsOfDirectory(atPath: process + "/task")
    busThreads = tasks.count { text(of: process + "/task/\($0)/comm").hasPrefix("modbus ") }
    let open = try FileManager.default.contentsOfDirectory(atPath: process + "/fd")
    descriptors = open.count
    sockets = open.count {
      let link = try? FileManager.default.destinationOfSymbolicLink(atPath: process + "/fd/\($0)")
      return link?.hasPrefix("socket:") == true
    }
  }
}
