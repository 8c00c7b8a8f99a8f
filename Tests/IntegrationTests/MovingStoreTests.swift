import Foundation
import TestSupport
import Testing

/// A store that is looked into while the agent runs, and that is moved to another place.
@Suite("A store that is moved", .ownThread)
struct MovingStoreTests {
  private func journal(_ arguments: String...) throws -> (status: Int32, lines: [[String: Any]]) {
    let result = try ChildProcess.run(Programs.agent, ["journal"] + arguments)
    let lines = try result.output.split(separator: "\n").map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
    return (result.status, lines)
  }

  @Test("Looks beside a running agent find nothing wrong; its backlog is delivered from elsewhere")
  func moved() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    try rig.startAll()
    let start = ContinuousClock.now
    reach(start + .seconds(10))
    try rig.broker.stop()
    let old = rig.path + "/store"
    var looks = 0
    while ContinuousClock.now < start + .seconds(25) {
      let look = try journal("verify", old)
      #expect(look.status == 0, "\(look.lines)")
      looks += 1
    }
    #expect(looks > 3)
    #expect(try rig.agent?.stop() == 0)

    // As docs/moving-a-store.md has it.
    let new = rig.path + "/spare/edge-agent"
    let copy = try ChildProcess.run(
      "sh",
      [
        "-c", "mkdir \"$0\" && cp -a \"$1\" \"$2\" && mv \"$1\" \"$1.moved\"",
        rig.path + "/spare", old, new,
      ])
    #expect(copy.status == 0, "\(copy.errors)")
    let verified = try journal("verify", new)
    #expect(verified.status == 0, "\(verified.lines)")
    let unsent = try journal("stats", new).lines.first { $0["kind"] as? String == "destination" }
    let batches = (unsent?["unsent"] as? [String: Int])?["data"] ?? 0
    #expect(batches > 15)
    let file = rig.path + "/agent.yaml"
    let configuration = text(of: file).replacingOccurrences(of: old + "\n", with: new + "\n")
      .replacingOccurrences(of: "/control.sock", with: "/spare/control.sock")
    try write(configuration, to: file)
    try rig.startAgent()
    reach(start + .seconds(40))
    try rig.broker.start()
    reach(start + .seconds(60))
    let account = try rig.finish()

    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("conflicts", "count") == 0)
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.problems == [])
    // One store, two epochs: the receiver sees a restart.
    #expect(Set(account.list("streams").compactMap { $0["epoch"] as? Int }) == [1, 2])
    #expect(Set(account.list("streams").compactMap { $0["store"] as? String }).count == 1)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: rig.path).contains("store") == false)
  }
}
