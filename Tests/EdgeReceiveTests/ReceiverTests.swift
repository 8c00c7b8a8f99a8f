import Foundation
import Telemetry
import TestSupport
import Testing

@testable import EdgeReceive

@Suite(.serialized, .ownThread) struct ReceiverTests {
  private let mine = HandMade()
  private let broker: Broker
  private let directory: TemporaryDirectory
  private let store: String

  init() throws {
    broker = try Broker(keepsSessions: true)
    directory = try TemporaryDirectory()
    store = directory.file("store.sqlite")
  }

  /// An `edge-receive` as users run it, that may not be ready yet.
  private func startReceiver(_ more: [String] = []) throws -> ChildProcess {
    try ChildProcess(
      Programs.receiver, ["--url", "mqtt://127.0.0.1:\(broker.port)", "--store", store] + more)
  }

  private func receiver(_ more: [String] = []) throws -> ChildProcess {
    let receiver = try startReceiver(more)
    try receiver.waitUntilItPrints("ready\n")
    return receiver
  }

  private func publish(_ seqs: some Sequence<Int>, on topic: String = "data") throws {
    let payloads = seqs.map { seq in
      mine.batch(seq, samples: [mine.sample(Int64(seq) * 1000, "0.\(seq)1")])
    }
    try broker.publish(payloads, to: "\(mine.prefix)/\(topic)")
  }

  private func publishStart() throws {
    let text = mine.event("start", ",\"agent\":\"0.1.0\",\"previous\":[]")
    try broker.publish([mine.batch(1, events: [text])], to: "\(mine.prefix)/events")
  }

  private func account() throws -> AccountReport {
    var account = Account()
    try MessageStore(path: store, creates: false).forEachMessage { account.add($0) }
    return account.report()
  }

  private func waitFor(_ batches: UInt64) throws {
    try waitUntil("\(batches) batches of data are held") {
      try account().streams.last?.held.count == batches
    }
  }

  /// The exit code and output of `--verify`.
  private func verify(_ more: [String] = []) throws -> (code: Int32, text: String) {
    let result = try ChildProcess.run(Programs.receiver, ["--store", store, "--verify"] + more)
    return (result.status, result.output)
  }

  @Test("Nothing is lost while the broker restarts, nor while the receiver does")
  func restarts() throws {
    let first = try receiver()
    try publishStart()
    try publish(1...3)
    try waitFor(3)

    try broker.stop()
    try broker.start()
    try publish(4...6)
    try waitFor(6)

    #expect(try first.stop() == 0)
    try publish(7...9)
    let second = try receiver()
    try waitFor(9)
    try publish(10...10)
    try waitFor(10)
    #expect(try second.stop() == 0)

    let result = try verify()
    #expect(result.code == 0)
    #expect(result.text.hasSuffix("\ncomplete\n"))
    #expect(try account().repeats == 0)
  }

  @Test("A hole, a conflict, disorder and rubbish are found in what really arrived")
  func findsFaults() throws {
    let receiver = try receiver()
    try publishStart()
    try publish([1, 2, 5, 4])
    try broker.publish(["{\"v\":"], to: "\(mine.prefix)/data")
    let changed = mine.batch(2, samples: [mine.sample(2000, "9.9")])
    try broker.publish([changed], to: "\(mine.prefix)/data/history")
    try waitUntil("everything arrived") { try account().messages.total == 7 }
    #expect(try receiver.stop() == 0)

    let result = try verify(["--json"])
    #expect(result.code == 1)
    guard case .object(let json) = try JSONParser.parse(Array(result.text.utf8.dropLast())) else {
      Issue.record("not an object")
      return
    }
    #expect(json["complete"] == .bool(false))
    #expect(
      json["problems"]
        == .array([
          .string("1 batches missing without explanation"), .string("1 readings out of order"),
          .string("1 copies that differ from the batch of the same identity"),
          .string("1 malformed messages"),
        ]))
    #expect(json["repeats"] == .number("1"))
  }

  @Test("The truth file is compared value by value")
  func truth() throws {
    let receiver = try receiver()
    try publishStart()
    try publish(1...3)
    try waitFor(3)
    #expect(try receiver.stop() == 0)

    let lines = (1...3).map { seq in
      let mono = seq * 1000 - 3
      return
        "{\"time\":\(HandMade.wall + Int64(mono)),\"mono\":\(mono),\"device\":\"return-air\","
        + "\"values\":{\"ch4\":0.\(seq)1}}\n"
    }
    let file = directory.file("truth.jsonl")
    // A simulator that was killed may leave half a line.
    try write(lines.joined() + "{\"time\":1", to: file)
    let whole = try verify(["--truth", file])
    #expect(whole.code == 0)
    #expect(whole.text.contains("truth: served 3, delivered 3, lost 0, invented 0"))

    let more = lines.joined() + lines[1].replacingOccurrences(of: "0.21", with: "0.22")
    try write(more, to: file)
    let lost = try verify(["--truth", file])
    #expect(lost.code == 1)
    #expect(lost.text.contains("truth: served 4, delivered 3, lost 1, invented 0"))
  }

  @Test("The first fresh sample after a moment is told")
  func firstFresh() throws {
    let receiver = try receiver()
    let before = Int64(Date().timeIntervalSince1970 * 1000)
    try publishStart()
    let sample = "{\"device\":\"a\",\"time\":\(before + 1),\"values\":{\"b\":1}}"
    try broker.publish([mine.batch(1, samples: [sample])], to: "\(mine.prefix)/data")
    try waitFor(1)
    #expect(try receiver.stop() == 0)
    let result = try verify(["--since", "\(before)", "--since", "\(before + 1_000_000)"])
    #expect(result.text.contains("first fresh sample since \(before): after "))
    #expect(result.text.contains("first fresh sample since \(before + 1_000_000): never came"))
  }

  @Test("Without a terminal the table is a line each second, and --seconds ends it")
  func table() throws {
    try broker.publish(
      ["{\"v\":1,\"state\":\"online\",\"gateway\":\"gw-1\",\"destination\":\"province\"}"],
      to: "\(mine.prefix)/state", retained: true)
    let receiver = try receiver(["--table", "--seconds", "30"])
    try publish(1...2)
    try publish(2...2)
    try waitUntil("the table shows what came") {
      receiver.output.contains(
        "points 1 live 2 history 0 bad 0 repeats 1 malformed 0 gateways: gw-1 online")
    }
    #expect(try receiver.stop() == 0)
    #expect(try self.receiver(["--seconds", "1"]).waitForEnd() == 0)
  }

  @Test("A receiver that starts before the broker becomes ready when it is there")
  func waitsForBroker() throws {
    try broker.stop()
    let receiver = try startReceiver()
    try waitUntil("the store is made") { access(store, F_OK) == 0 }
    try broker.start()
    try receiver.waitUntilItPrints("ready\n")
    #expect(try receiver.stop() == 0)
  }

  @Test("A receiver that waits for a broker stops when asked to")
  func stopsWhileWaiting() throws {
    try broker.stop()
    let receiver = try startReceiver()
    try waitUntil("the store is made") { access(store, F_OK) == 0 }
    #expect(try receiver.stop() == 0)
  }

  @Test("Verifying beside a running receiver works")
  func verifiesBesideReceiver() throws {
    let receiver = try receiver()
    try publishStart()
    try publish(1...2)
    try waitFor(2)
    #expect(try verify().code == 0)
    #expect(try receiver.stop() == 0)
  }
}
