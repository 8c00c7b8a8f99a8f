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
      // The first round opens what stays open from then on, such as the cursor's files.
      if round == 4 { before = try Counts(of: agent) }
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
      try Counts(of: agent).threads <= first.threads + 2
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
}

/// What a process has open.
struct Counts {
  var threads: Int
  var descriptors: Int
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
    descriptors = try FileManager.default.contentsOfDirectory(atPath: process + "/fd").count
  }
}
