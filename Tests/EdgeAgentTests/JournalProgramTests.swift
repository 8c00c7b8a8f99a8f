import Buffering
import Foundation
import LinuxSystem
import Telemetry
import TestSupport
import Testing
import Uplink

@testable import EdgeAgent

private struct Unobserved: StoreObserver {
  func store(changedTo fault: String?) {}
}

/// `edge-agent journal` on a store that the journal's writer made, as users run it.
@Suite("The program edge-agent journal", .ownThread)
struct JournalProgramTests {
  private let directory: TemporaryDirectory
  private let store: String
  /// When the first sample was measured; the others follow a second apart.
  private static let start: Int64 = 1_790_000_000_000
  private static let count = 200

  init() throws {
    directory = try TemporaryDirectory()
    store = directory.file("store")
    let settings = JournalSettings(
      directory: store, dataBytes: 8 << 20, eventsBytes: 4 << 20, commitMilliseconds: 1000,
      destinations: [DestinationName("province")], definitions: Array(#"{"v":1}"#.utf8),
      agentVersion: "test", boot: BootID(rawValue: 7))
    let ring = SampleRing()
    let writer = try JournalWriter.open(
      settings, ring: ring, clock: KernelClock(), observer: Unobserved())
    let device = DeviceSchema(name: "gas", points: ["ch4", "co"])
    for number in 0..<Self.count {
      let time = Timestamp(
        monotonic: Int64(number) * 1000, offset: Self.start, clock: .synced)
      let outcomes: [Outcome] = [.good(.float32(Float(number) / 7)), .bad(.timeout)]
      let sample = Sample(
        device: device, time: time,
        outcomes: outcomes.enumerated().map { PointOutcome(point: $0, outcome: $1) })
      ring.accept(DefinedSample(sample, definitions: settings.definitionsDigest))
      // A batch each.
      writer.turn()
    }
    try writer.start()
    try #require(writer.flush(within: 20, reason: "test") && writer.seal(within: 20))
  }

  private func journal(
    _ arguments: String...
  ) throws -> (status: Int32, output: String, errors: String) {
    try ChildProcess.run(Programs.agent, ["journal"] + arguments)
  }

  private func objects(_ output: String) throws -> [[String: Any]] {
    try output.split(separator: "\n").map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }
  }

  @Test("verify: 0 and a summary where all is well, 1 and a line for each finding where not")
  func verify() throws {
    let well = try journal("verify", store)
    #expect(well.status == 0 && well.errors == "")
    let summary = try objects(well.output)
    #expect(summary.count == 1)
    #expect(summary[0]["kind"] as? String == "summary")
    #expect(summary[0]["values"] as? Int == 2 * Self.count)

    let segment = store + "/data/00000001.seg"
    var bytes = contents(of: segment)
    bytes[5000] ^= 1
    try Data(bytes).write(to: URL(filePath: segment))
    let damaged = try journal("verify", "--stream", "data", store)
    #expect(damaged.status == 1)
    let lines = try objects(damaged.output)
    #expect(lines.dropLast().allSatisfy { $0["kind"] as? String == "finding" })
    #expect(lines[0]["what"] as? String == "damaged-bytes")
    #expect(lines[0]["file"] as? String == "data/00000001.seg")
    #expect(lines[0]["explained"] as? Bool == false)
    let all = lines.dropLast().compactMap { ($0["lost"] as? [String: Any])?["count"] as? Int }
    let lost = all.reduce(0, +)
    #expect(lines.last?["lost"] as? Int == lost && lost > 0)
    #expect(try journal("verify", "--stream", "events", store).status == 0)
    let dump = try journal("dump", "--stream", "data", store)
    #expect(dump.status == 1)
    #expect(
      dump.errors.hasSuffix("not all can be read: see edge-agent journal verify \(store)\n"))
    #expect(dump.output.split(separator: "\n").count == Self.count - lost)
  }

  @Test("stats: a line for each stream, each destination, and the store")
  func stats() throws {
    let result = try journal("stats", store)
    #expect(result.status == 0 && result.errors == "")
    let lines = try objects(result.output)
    #expect(
      lines.map { $0["kind"] as? String } == ["stream", "stream", "destination", "store"])
    let data = lines[1]
    #expect(data["stream"] as? String == "data" && data["values"] as? Int == 2 * Self.count)
    #expect(data["oldest"] as? Int64 == Self.start)
    #expect(data["newest"] as? Int64 == Self.start + 199_000)
    #expect((lines[2]["unsent"] as? [String: Int])?["data"] == Self.count)
    #expect((lines[2]["oldest-unsent"] as? [String: Int64])?["data"] == Self.start)
    let rate = try #require(lines[3]["rate"] as? [String: Double])
    #expect(abs((rate["values-a-second"] ?? 0) - 2) < 0.3)
    #expect(lines[3]["days-left"] is NSNull)
    #expect(lines[3]["ended"] as? Bool == true)

    // With what only the configuration knows.
    let file = directory.file("agent.yaml")
    try write(
      """
      gateway: { id: gw-1, mine: "0520", region: "520201" }
      storage: { directory: \(store), data: { size: 8MiB, commit: 5s }, events: { size: 4MiB } }
      uplinks: { province: { url: "mqtt://broker.example" } }

      """, to: file)
    let known = try ChildProcess.run(
      Programs.agent, ["journal", "stats", "-c", file, store],
      environment: ["EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards"])
    let store = try #require(try objects(known.output).last)
    #expect((store["days-left"] as? Double ?? 0) > 0)
    #expect(store["commit-ms"] as? Int == 5000)
    #expect(try objects(known.output)[1]["cap"] as? Int == 8 << 20)
  }

  @Test("dump: the payload is what is published, and times and a limit choose")
  func dump() throws {
    var published: [String] = []
    var encoder = PayloadEncoder(gateway: "gw-1", destination: "", agentVersion: "")
    try StoreInspection(directory: store).forEachBatch(of: .data) { placed in
      let payload = String(decoding: encoder.encode(placed.batch), as: UTF8.self)
      published.append(
        "{\"file\":\"\(placed.file)\",\"offset\":\(placed.offset),\"payload\":\(payload)}\n")
      return true
    }
    #expect(published.count == Self.count)
    let all = try journal("dump", store, "--stream", "data", "--gateway", "gw-1")
    #expect(all.output == published.joined())
    #expect(all.status == 0)
    let five = try journal(
      "dump", store, "--stream", "data", "--gateway", "gw-1", "--from", "\(Self.start + 10_000)",
      "--to", "\(Self.start + 15_000)")
    #expect(five.output == published[10..<15].joined())
    let two = try journal("dump", store, "--stream", "data", "--gateway", "gw-1", "--limit", "2")
    #expect(two.output == published[..<2].joined())
    // 1790000000 is 2026-09-21 14:13:20 UTC.
    let later = try journal(
      "dump", store, "--stream", "data", "--gateway", "gw-1", "--from", "2026-09-21T14:16:00Z")
    #expect(later.output == published[160...].joined())
    let both = try objects(try journal("dump", store).output)
    #expect(both.first?["file"] as? String == "events/00000001.seg")
    #expect((both.first?["payload"] as? [String: Any])?["gateway"] as? String == "")
  }

  @Test("A reader that has enough ends it quietly")
  func closedPipe() throws {
    for ignore in ["", "trap '' PIPE; "] {
      let result = try ChildProcess.run(
        "bash",
        [
          "-c", "\(ignore)for i in 1 2 3; do \"$0\" journal dump \"$1\" | true; done",
          Programs.agent, store,
        ])
      #expect(result.errors == "" && result.output == "" && result.status == 0)
    }
    let full = try ChildProcess.run(
      "sh", ["-c", "exec \"$0\" journal dump \"$1\" > /dev/full", Programs.agent, store])
    #expect(full.status == 74)
    #expect(full.errors == "write standard output: No space left on device\n")
  }

  @Test("66 where there is no store, 64 where the usage is wrong")
  func refusals() throws {
    for command in ["verify", "stats", "dump"] {
      let none = try journal(command, directory.path)
      #expect(none.status == 66)
      #expect(none.errors == "\(directory.path): there is no store\n")
      #expect(none.output == "")
      #expect(try journal(command).status == 64)
      #expect(try journal(command, store, "--stream", "both").status == 64)
    }
    #expect(try journal("dump", store, "--from", "yesterday").status == 64)
    #expect(try journal("dump", store, "--from", "2026-02-31").status == 64)
    #expect(try journal("dump", store, "--limit", "-1").status == 64)
  }

  @Test("Files that may only be read are enough, and stay as they are")
  func readOnly() throws {
    let before = try ChildProcess.run(
      "sh",
      [
        "-c", "cd \"$0\"; find . -printf '%p %s %T@\n' | sort; find . -type f | sort | xargs cksum",
        store,
      ])
    #expect(before.status == 0)
    for command in ["verify", "stats", "dump"] {
      #expect(try journal(command, store).status == 0)
    }
    let after = try ChildProcess.run(
      "sh",
      [
        "-c", "cd \"$0\"; find . -printf '%p %s %T@\n' | sort; find . -type f | sort | xargs cksum",
        store,
      ])
    #expect(after.output == before.output)
  }

  @Test(
    "Times are Unix milliseconds or UTC",
    arguments: [
      ("0", 0), ("1790000000123", 1_790_000_000_123), ("2026-11-21", 1_795_219_200_000),
      ("2026-11-21T02:03", 1_795_226_580_000), ("2026-11-21 02:03:05", 1_795_226_585_000),
      ("2026-11-21T02:03:05Z", 1_795_226_585_000), ("2026-11", nil), ("2026-11-21T24:00", nil),
      ("02:03", nil), ("", nil),
    ] as [(String, Int64?)])
  func times(text: String, milliseconds: Int64?) {
    #expect(TimeArgument(argument: text)?.milliseconds == milliseconds)
  }
}
