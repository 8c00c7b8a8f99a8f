import Foundation
import TestSupport
import Testing

/// A board without a battery-backed clock that learns the time while its link is down.
@Suite("A board that starts in 1970", .ownThread)
struct UnsetClockTests {
  @Test("What was delivered stays, the backlog arrives with the time it was read at")
  func learnsTheTime() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    let clock = try UnsetClock(in: rig.directory)
    try rig.broker.start()
    try rig.startReceiver()
    try rig.startSimulator()
    let began = unixMilliseconds()
    try rig.startAgent(environment: clock.environment)
    let start = ContinuousClock.now
    reach(start + .seconds(8))
    try rig.broker.stop()
    reach(start + .seconds(18))
    try clock.set()
    reach(start + .seconds(24))
    try rig.broker.start()
    reach(start + .seconds(36))
    let account = try rig.finish()

    #expect(account.problems == [])
    #expect(account.number("truth", "served") > 30 * 256)
    #expect(account.number("truth", "delivered") == account.number("truth", "served"))
    #expect(account.number("truth", "lost") == 0)
    #expect(account.number("truth", "invented") == 0)
    #expect(account.number("out-of-order", "count") == 0)
    // Seconds 0 to 8 were sent as they were believed, 8 to 18 were dated by the agent.
    #expect(account.number("samples", "redated") > 5 * 16)
    #expect(account.number("samples", "corrected") > 7 * 16)
    #expect(account.number("samples", "synced") > 10 * 16)
    #expect(account.number("samples", "undated") == 0)
    // Each by the same clock as the truth.
    let query = """
      select count(*), min(json_extract(sample.value, '$.time')),
        max(json_extract(sample.value, '$.time'))
      from message, json_each(cast(payload as text), '$.samples') as sample
      where topic like '%/data/history' and json_extract(payload, '$.clock') = 'corrected'
      """
    let row = try ChildProcess.run("sqlite3", ["-readonly", rig.received, query]).output
      .trimmingCharacters(in: .whitespacesAndNewlines).split(separator: "|").compactMap {
        Int64($0)
      }
    try #require(row.count == 3)
    #expect(row[0] > 7 * 16)
    #expect(row[1] > began + 5_000)
    #expect(row[2] < began + 24_000 + 5_000 * Int64(Programs.slack))
  }
}

/// What makes a program believe that its board's clock is not set.
struct UnsetClock {
  private let library: String
  private let path: String

  init(in directory: TemporaryDirectory) throws {
    library = directory.file("unset-clock.so")
    path = directory.file("unset")
    let source = Programs.sourceTree + "/Tests/Fixtures/faults/unset-clock.c"
    let result = try ChildProcess.run(
      "clang", ["-shared", "-fPIC", "-O1", "-o", library, source])
    try #require(result.status == 0, "\(result.errors)")
    try write("", to: path)
  }

  /// What a program is started with.
  var environment: [String: String] { ["LD_PRELOAD": library, "UNSET_CLOCK": path] }

  /// From now on the clock is set and synchronised.
  func set() throws { try #require(unlink(path) == 0) }
}
