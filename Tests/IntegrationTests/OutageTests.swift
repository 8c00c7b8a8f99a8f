import Foundation
import TestSupport
import Testing

/// The store's disk fails and comes back under the running agent.
@Suite("A store that is lost and found", .ownThread)
struct OutageTests {
  private static let scenario = """
    seed: 5
    stations:
      station: { repeat: 2, port: 15000 }
    devices:
      sensor:
        repeat: 2
        station: station
        unit: 1
        every: 1s
        points:
          ch4:
            { repeat: 4, input: 0, type: float32, unit: "%CH4",
              signal: { methane: { base: 0.3, noise: 0.05 } } }

    """

  /// A small file system of its own at the store's place.
  private struct SmallDisk {
    static let isPossible =
      (try? ChildProcess.run("unshare", ["--mount", "mount", "-t", "tmpfs", "x", "/mnt"]))?.status
      == 0

    let path: String

    init(at path: String) throws {
      self.path = path
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let mount = try ChildProcess.run("mount", ["-t", "tmpfs", "-o", "size=12m", "store", path])
      try #require(mount.status == 0, "\(mount.errors)")
    }

    var filler: String { path + "/filler" }

    func fill() {
      _ = try? ChildProcess.run("dd", ["if=/dev/zero", "of=\(filler)", "bs=4096"])
    }

    func free() { unlink(filler) }

    func unmount() { _ = try? ChildProcess.run("umount", ["-l", path]) }
  }

  private func count(_ topic: String, _ rig: Rig) -> Int {
    let query =
      "select count(*) from message where topic like '%/\(topic)' "
      + "and cast(payload as text) like '%\"durable\":false%'"
    let output = (try? ChildProcess.run("sqlite3", ["-readonly", rig.received, query]))?.output
    return Int((output ?? "").trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
  }

  private func expectComplete(_ account: Account) {
    #expect(account.problems == [], "\(account.text)")
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("conflicts", "count") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("out-of-order", "count") == 0)
    #expect(account.number("truth", "served") > 40)
  }

  @Test(
    "With a full disk at the start it delivers from RAM, and keeps all of it when there is room",
    .enabled(if: SmallDisk.isPossible))
  func full() throws {
    let rig = try Rig(scenario: Self.scenario, stations: 2)
    let disk = try SmallDisk(at: rig.path + "/store")
    defer { disk.unmount() }
    disk.fill()
    try rig.startAll()
    let agent = try #require(rig.agent)
    try agent.waitUntilItPrints("No space left on device")
    try agent.waitUntilItPrints("destination province: ok")
    try waitUntil("values come and say so") { count("data", rig) > 3 }
    #expect(rig.health().contains("No space left"))
    // The backlog of an outage that outlasts a broker's has to get through as well.
    rig.broker.freeze()
    reach(.now + .seconds(3))
    rig.broker.thaw()
    disk.free()
    try agent.waitUntilItPrints("store: ok")
    reach(.now + .seconds(4))
    expectComplete(try rig.finish())
  }

  @Test("A store that is deleted is made anew, no second agent gets it, and nothing is missing")
  func deleted() throws {
    let rig = try Rig(scenario: Self.scenario, stations: 2)
    try rig.startAll()
    let agent = try #require(rig.agent)
    try agent.waitUntilItPrints("destination province: ok")
    reach(.now + .seconds(3))
    try FileManager.default.removeItem(atPath: rig.path + "/store")
    try agent.waitUntilItPrints("store: open")
    try agent.waitUntilItPrints("store: ok")
    let second = try ChildProcess(
      Programs.agent, ["run", "-c", rig.path + "/agent.yaml"],
      environment: ["EDGE_AGENT_BOARDS": Rig.boards])
    #expect(try second.waitForEnd(within: 30) == 75)
    reach(.now + .seconds(4))
    let files = try FileManager.default.contentsOfDirectory(atPath: rig.path + "/store/data")
    #expect(!files.isEmpty)
    expectComplete(try rig.finish())
  }
}
