import Foundation
import TestSupport
import Testing

/// Two destinations with a broker and a receiver each; the second is reached over TLS only.
@Suite("Two destinations", .ownThread)
struct DestinationsTests {
  @Test("One that is away for 40 s changes nothing for the other, and both are complete at the end")
  func oneAway() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    let group = try SecureDestination(in: rig.directory)
    try group.join(configuration: rig.path + "/agent.yaml")
    try group.start()
    try rig.startAll()
    let start = ContinuousClock.now
    reach(start + .seconds(15))
    let gone = unixMilliseconds()
    try rig.broker.stop()
    reach(start + .seconds(55))
    try rig.broker.start()
    let back = unixMilliseconds()
    reach(start + .seconds(80))
    let province = try rig.finish(since: [back])
    let other = try group.account(truth: rig.truth)

    for account in [province, other] {
      #expect(account.problems == [])
      #expect(account.number("truth", "served") > 75 * 256)
      #expect(account.number("truth", "delivered") == account.number("truth", "served"))
      #expect(account.number("truth", "lost") == 0)
      #expect(account.number("truth", "invented") == 0)
      #expect(account.number("out-of-order", "count") == 0)
    }
    // The one that was away caught up from its backlog.
    #expect(province.number("messages", "history") > 30)
    let fresh = province.list("first-fresh").first?["milliseconds"] as? Int
    #expect(try #require(fresh) <= 2_000 + 1_000 * Programs.slack)
    // For the other nothing was ever repeated, or taken from a backlog but what was read before its
    // first connection, in which the handshake takes its time.
    #expect(other.number("repeats") == 0)
    #expect(other.number("messages", "history") <= 48)
    let (before, meanwhile) = (
      try group.latencies(from: 0, to: gone), try group.latencies(from: gone, to: back)
    )
    print("the other's latency: \(before) before, \(meanwhile) meanwhile")
    #expect(before.count > 10 * 16)
    #expect(meanwhile.count > 35 * 16)
    // Twice as slow is within what a machine does that has other work too; waiting is not.
    #expect(meanwhile.median <= max(2 * before.median, 100 + 100 * Programs.slack))
    #expect(meanwhile.longest < 1_000 + 1_000 * Programs.slack)
  }
}

/// A destination whose broker demands a certificate of everybody, with the receiver that listens
/// there.
final class SecureDestination {
  private let directory: TemporaryDirectory
  private let broker: Broker
  private var receiver: ChildProcess?

  private var store: String { directory.file("group.sqlite") }

  init(in directory: TemporaryDirectory) throws {
    self.directory = directory
    let authority = try Authority("Group authority")
    try write(authority.certificate, to: directory.file("ca.pem"))
    for name in ["broker", "gateway", "receiver"] {
      let identity = try authority.issue(name)
      try write(identity.certificate, to: directory.file("\(name).crt"))
      try write(identity.key, to: directory.file("\(name).key"))
      chmod(directory.file("\(name).key"), 0o600)
    }
    broker = try Broker(
      options: [
        "cafile \(directory.file("ca.pem"))", "certfile \(directory.file("broker.crt"))",
        "keyfile \(directory.file("broker.key"))", "require_certificate true",
      ], keepsSessions: true, starts: false)
  }

  /// Adds the destination to an agent's configuration.
  func join(configuration: String) throws {
    let destination = """
      uplinks:
        group:
          url: mqtts://127.0.0.1:\(broker.port)
          ca-file: \(directory.file("ca.pem"))
          certificate-file: \(directory.file("gateway.crt"))
          key-file: \(directory.file("gateway.key"))

      """
    let old = text(of: configuration)
    try #require(old.contains("uplinks:\n"))
    try write(
      old.replacingOccurrences(of: "uplinks:\n", with: destination), to: configuration)
  }

  /// Starts broker and receiver.
  func start() throws {
    try broker.start()
    let receiver = try ChildProcess(
      Programs.receiver,
      [
        "--url", "mqtts://127.0.0.1:\(broker.port)", "--store", store,
        "--ca-file", directory.file("ca.pem"),
        "--certificate-file", directory.file("receiver.crt"),
        "--key-file", directory.file("receiver.key"),
      ])
    self.receiver = receiver
    try receiver.waitUntilItPrints("ready\n")
  }

  /// Milliseconds from a sample's time to its arrival, of live batches that arrived in a span of
  /// time. Sender and receiver have the same clock, whoever vouches for it.
  func latencies(
    from start: Int64, to end: Int64
  ) throws -> (count: Int, median: Int, longest: Int) {
    let query = """
      select arrival - json_extract(sample.value, '$.time')
      from message, json_each(cast(payload as text), '$.samples') as sample
      where topic like '%/data' and arrival between \(start) and \(end) order by 1
      """
    let rows = try ChildProcess.run("sqlite3", ["-readonly", store, query]).output
    let latencies = rows.split(separator: "\n").compactMap { Int($0) }
    let longest = try #require(latencies.last)
    return (latencies.count, latencies[latencies.count / 2], longest)
  }

  /// Stops the receiver once it has the agent's last word, and accounts.
  func account(truth: String) throws -> Account {
    let query = "select payload from message where topic like '%/state' order by id desc limit 1"
    try waitUntil("the agent's last word") {
      let state = try ChildProcess.run("sqlite3", ["-readonly", store, query]).output
      return state.contains("\"offline\"")
    }
    try receiver?.stop()
    let result = try ChildProcess.run(
      Programs.receiver, ["--store", store, "--verify", "--truth", truth, "--json"])
    return try Account(result.output)
  }
}
