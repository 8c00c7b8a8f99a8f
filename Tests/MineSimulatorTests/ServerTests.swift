import LinuxSystem
import TestSupport
import Testing

@testable import MineSimulator

@Suite(.serialized, .ownThread)
struct ServerTests {
  private static let scenario = """
    stations: { a: { port: 1 } }
    devices:
      gas: { station: a, unit: 3, points: {
        ch4: { input: 0, type: float32, signal: { methane: { base: 0.2, burst: 0.5 } } } } }
      slow: { station: a, unit: 4, delay: 30ms, points: {
        wind: { holding: 2, type: uint16, scale: 0.1,
          signal: { wave: { mean: 4, amplitude: 2, period: 10s } } } } }

    """

  private static func faults(_ text: String) -> String { scenario + "faults: [ \(text) ]\n" }

  /// The one float of an answer, printed as the agent does.
  private static func float(_ frame: TCPFrame) -> String {
    let bytes = frame.pdu.dropFirst(2)
    return Float(bitPattern: bytes.reduce(0) { $0 << 8 | UInt32($1) }).description
  }

  @Test("What a client reads is what the ground truth says, answer by answer")
  func truthAgrees() throws {
    let directory = try TemporaryDirectory()
    let mine = try RunningMine(Self.scenario, truth: directory.file("truth"))
    let client = try RawClient(port: mine.ports[0])
    let begin = monotonicMilliseconds()
    var read: [String] = []
    for transaction in UInt16(0)..<500 {
      try client.send(transaction, unit: 3, 4, 0, 2)
      let frame = try client.frame()
      #expect(frame.transaction == transaction && frame.unit == 3)
      read.append(Self.float(frame))
    }
    let end = monotonicMilliseconds()
    try mine.finish()
    let truth = try TruthLine.read(directory.file("truth"))
    #expect(truth.compactMap { $0.values?["ch4"] } == read)
    #expect(truth.allSatisfy { $0.device == "gas" && (begin...end).contains($0.mono) })
    #expect(zip(truth, truth.dropFirst()).allSatisfy { $0.mono <= $1.mono })
    #expect(Set(read).count > 1)
  }

  @Test("Requests that come in one piece, or byte by byte, are all answered in order")
  func pipelining() throws {
    let mine = try RunningMine(Self.scenario)
    let client = try RawClient(port: mine.ports[0])
    let requests = (0..<300).flatMap { index in
      TCPFrame(transaction: UInt16(index), unit: 3, pdu: SlaveTests.request(4, 0, 2)).bytes
    }
    try client.send(requests)
    for index in 0..<300 { #expect(try client.frame().transaction == UInt16(index)) }
    for byte in requests.prefix(24) { try client.send([byte]) }
    #expect(try client.frame().transaction == 0)
    #expect(try client.frame().transaction == 1)
    try mine.finish()
  }

  @Test("More requests than may wait for a slow slave are all answered")
  func slowSlave() throws {
    let mine = try RunningMine(Self.scenario)
    let client = try RawClient(port: mine.ports[0])
    let begin = monotonicMilliseconds()
    for index in UInt16(0)..<200 { try client.send(index, unit: 4, 3, 2, 1) }
    for index in UInt16(0)..<200 { #expect(try client.frame().transaction == index) }
    // 64 may wait at a time, so 200 take four turns of 30 ms.
    #expect(monotonicMilliseconds() - begin >= 119)
    try mine.finish()
  }

  @Test("An unknown unit keeps silent, and its neighbours do not")
  func unknownUnit() throws {
    let directory = try TemporaryDirectory()
    let mine = try RunningMine(Self.scenario, truth: directory.file("truth"))
    let client = try RawClient(port: mine.ports[0])
    try client.send(1, unit: 99, 4, 0, 2)
    try client.send(2, unit: 3, 4, 0, 2)
    #expect(try client.frame().transaction == 2)
    try mine.finish()
    #expect(try TruthLine.read(directory.file("truth")).count == 1)
  }

  @Test("A client that speaks another protocol is disconnected, the others stay")
  func otherProtocol() throws {
    let mine = try RunningMine(Self.scenario)
    let stranger = try RawClient(port: mine.ports[0])
    let client = try RawClient(port: mine.ports[0])
    try stranger.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    #expect(stranger.rest().isEmpty)
    try client.send(1, unit: 3, 4, 0, 2)
    #expect(try client.frame().transaction == 1)
    try mine.finish()
  }

  @Test("A silent device says nothing; the ground truth does")
  func silent() throws {
    let directory = try TemporaryDirectory()
    let text = Self.faults("{ device: gas, from: 0s, to: 1d, kind: silent }")
    let mine = try RunningMine(text, truth: directory.file("truth"))
    let client = try RawClient(port: mine.ports[0])
    try client.send(1, unit: 3, 4, 0, 2)
    try client.send(2, unit: 4, 3, 2, 1)
    #expect(try client.frame().transaction == 2)
    try mine.finish()
    let truth = try TruthLine.read(directory.file("truth"))
    #expect(truth.map(\.fault) == ["silent", nil])
    #expect(truth[0].device == "gas" && truth[0].values == nil)
  }

  @Test("A late answer comes late, behind those that were asked for after it")
  func late() throws {
    let directory = try TemporaryDirectory()
    let text = Self.faults("{ device: gas, from: 0s, to: 1d, kind: late, by: 200ms }")
    let mine = try RunningMine(text, truth: directory.file("truth"))
    let client = try RawClient(port: mine.ports[0])
    let begin = monotonicMilliseconds()
    try client.send(1, unit: 3, 4, 0, 2)
    try client.send(2, unit: 4, 3, 2, 1)
    #expect(try client.frame().transaction == 2)
    let late = try client.frame()
    #expect(late.transaction == 1)
    #expect(monotonicMilliseconds() - begin >= 199)
    try mine.finish()
    let truth = try #require(try TruthLine.read(directory.file("truth")).last)
    #expect(truth.late == 200)
    #expect(truth.values == ["ch4": Self.float(late)])
    // The value is that of the moment of answering.
    #expect(truth.mono - begin >= 199)
  }

  @Test("A late answer whose client is gone is answered to nobody")
  func lateForNobody() throws {
    let directory = try TemporaryDirectory()
    let text = Self.faults("{ device: gas, from: 0s, to: 1d, kind: late, by: 100ms }")
    let mine = try RunningMine(text, truth: directory.file("truth"))
    do {
      let client = try RawClient(port: mine.ports[0])
      try client.send(1, unit: 3, 4, 0, 2)
      // Its answer shows that the server has taken the late one, too.
      try client.send(2, unit: 4, 3, 2, 1)
      #expect(try client.frame().transaction == 2)
    }
    let other = try RawClient(port: mine.ports[0])
    try other.send(3, unit: 3, 4, 0, 2)
    #expect(try other.frame().transaction == 3)
    try mine.finish()
    #expect(try TruthLine.read(directory.file("truth")).count { $0.device == "gas" } == 1)
  }

  @Test("A cut ends the connection in the middle of the answer")
  func cut() throws {
    let directory = try TemporaryDirectory()
    let text = Self.faults("{ station: a, from: 0s, to: 1d, kind: cut }")
    let mine = try RunningMine(text, truth: directory.file("truth"))
    let client = try RawClient(port: mine.ports[0])
    try client.send(0x0102, unit: 3, 4, 0, 2)
    #expect(client.rest() == [1, 2, 0, 0, 0, 7])
    // The station itself is there.
    _ = try RawClient(port: mine.ports[0])
    try mine.finish()
    #expect(try TruthLine.read(directory.file("truth")).map(\.fault) == ["cut"])
  }

  @Test("A refusing station does not listen, comes up at its time, and goes again")
  func refuse() throws {
    let text = Self.faults(
      """
      { station: a, from: 0s, to: 1s, kind: refuse },
      { station: a, from: 3s, to: 1d, kind: refuse }
      """)
    let mine = try RunningMine(text)
    #expect(throws: SystemError.self) { try RawClient(port: mine.ports[0]) }
    try waitUntil("the station comes up") { LoopbackPorts.isListening(mine.ports[0]) }
    let client = try RawClient(port: mine.ports[0])
    try client.send(1, unit: 3, 4, 0, 2)
    #expect(try client.frame().transaction == 1)
    #expect(client.rest().isEmpty)
    #expect(throws: SystemError.self) { try RawClient(port: mine.ports[0]) }
    try mine.finish()
  }

  @Test("Hundreds of clients are served side by side")
  func manyClients() throws {
    let mine = try RunningMine(Self.scenario)
    let clients = try (0..<300).map { _ in try RawClient(port: mine.ports[0]) }
    for round in UInt16(0)..<3 {
      for client in clients { try client.send(round, unit: 3, 4, 0, 2) }
      for client in clients { #expect(try client.frame().transaction == round) }
    }
    try mine.finish()
  }

  @Test("Clients beyond the limit are turned away until there is room again")
  func tooManyClients() throws {
    let mine = try RunningMine(Self.scenario, connectionsMax: 3)
    func answers(_ client: RawClient) -> Bool {
      (try? client.send(1, unit: 3, 4, 0, 2)) != nil && (try? client.frame()) != nil
    }
    var clients = try (0..<3).map { _ in try RawClient(port: mine.ports[0]) }
    #expect(clients.allSatisfy(answers))
    #expect(try !answers(RawClient(port: mine.ports[0])))
    #expect(clients.allSatisfy(answers))
    clients.removeFirst()
    try waitUntil("there is room") { answers(try RawClient(port: mine.ports[0])) }
    try mine.finish()
  }

  @Test("A ground truth that cannot be written stops the simulator with the reason")
  func fullDisk() throws {
    let scenario = try Scenario.decode(Array(Self.scenario.utf8), file: "s.yaml")
    let record = TruthRecord(device: 0, outcome: .fault("cut"))
    var truth = try GroundTruth(path: "/dev/full")
    try truth.append(record, time: KernelClock().now(), scenario: scenario)
    do throws(SystemError) {
      try truth.flush()
      Issue.record("was written")
    } catch {
      #expect(error.description == "write /dev/full: No space left on device")
    }
    do throws(SystemError) {
      _ = try GroundTruth(path: "/nonexistent/truth")
      Issue.record("was opened")
    } catch {
      #expect(error.description == "open /nonexistent/truth: No such file or directory")
    }
  }
}
