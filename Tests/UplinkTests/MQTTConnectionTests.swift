import Glibc
import LinuxSystem
import MQTT
import TestSupport
import Testing

@Suite("An MQTT connection", .ownThread)
struct MQTTConnectionTests {
  @Test("A published message arrives and is acknowledged", arguments: MQTTVersion.allCases)
  func delivery(version: MQTTVersion) throws {
    let broker = try Broker()
    let receiver = try connected(to: broker, "receiver", version)
    _ = try receiver.subscribe(to: "a/#")
    try receiver.wait(for: "SUBACK") {
      if case .subscribed(_, let reason) = $0 { !reason.isFailure } else { false }
    }
    let sender = try connected(to: broker, "sender", version)
    let message = MQTTMessage(topic: "a/b", payload: Array("hello".utf8))
    let id = try sender.publish(message)
    try sender.wait(for: "PUBACK") { $0 == .acknowledged(id: id, reason: .success) }
    try receiver.wait(for: "message") { $0 == .message(message) }
  }

  @Test("The will is published when a connection is dropped, not when it ends in order")
  func will() throws {
    let broker = try Broker()
    let receiver = try connected(to: broker, "receiver")
    _ = try receiver.subscribe(to: "will/+")
    let will = MQTTMessage(topic: "will/x", payload: [1])
    do {
      let orderly = try connected(to: broker, "one", will: will)
      orderly.disconnect()
      try orderly.wait(for: "orderly end") { $0 == .disconnected(.orderly) }
    }
    do { _ = try connected(to: broker, "two", will: MQTTMessage(topic: "will/y", payload: [2])) }
    // Topics come in the order of publishing: had the first will been sent, it would be seen here.
    var first: MQTTMessage?
    try receiver.wait(for: "a will") { event in
      if case .message(let message) = event { first = message }
      return first != nil
    }
    #expect(first?.topic == "will/y")
  }

  @Test("A port that nobody listens on refuses")
  func refused() throws {
    let connection = try Client(
      MQTTSettings(host: "127.0.0.1", port: LoopbackPorts.free(), clientID: "x"))
    #expect {
      try connection.connect()
      var end: MQTTEvent?
      try connection.wait(for: "an end") {
        end = $0; return true
      }
      guard case .disconnected(let error) = end else { return }
      throw error
    } throws: { error in
      guard case MQTTError.socket(let error) = error else { return false }
      return error.code == ECONNREFUSED
    }
  }

  @Test("A host name without an address is said to be unknown")
  func unknownName() throws {
    let connection = try Client(
      MQTTSettings(host: "no-such-host.invalid", port: 1883, clientID: "x"))
    #expect(throws: MQTTError.nameUnknown(host: "no-such-host.invalid")) {
      try connection.connect()
    }
  }

  @Test("A broker that wants a password refuses with its reason", arguments: MQTTVersion.allCases)
  func notAuthorised(version: MQTTVersion) throws {
    let broker = try Broker(options: ["allow_anonymous false"])
    let connection = try Client(
      MQTTSettings(host: "127.0.0.1", port: broker.port, clientID: "x", version: version))
    try connection.connect()
    try connection.wait(for: "refusal") { $0 == .refused(.notAuthorised) }
  }

  @Test("A packet is refused exactly from the first byte over the broker's limit on")
  func packetSize() throws {
    let broker = try Broker(options: ["max_packet_size 400"])
    let connection = try connected(to: broker, "x")
    // 400 = 1 + 2 (header) + 2 + 1 (topic) + 2 (id) + 1 (properties) + 391
    let fits = MQTTMessage(topic: "t", payload: [UInt8](repeating: 32, count: 391))
    let id = try connection.publish(fits)
    try connection.wait(for: "PUBACK") {
      $0 == .acknowledged(id: id, reason: .noMatchingSubscribers)
    }
    let over = MQTTMessage(topic: "t", payload: [UInt8](repeating: 32, count: 392))
    #expect(throws: MQTTError.tooLarge(bytes: 401, limit: 400)) {
      _ = try connection.publish(over)
    }
    // And the connection still serves.
    let again = try connection.publish(fits)
    try connection.wait(for: "PUBACK") {
      $0 == .acknowledged(id: again, reason: .noMatchingSubscribers)
    }
  }

  @Test("A session that does not expire keeps what arrives while its owner is away")
  func session() throws {
    let broker = try Broker()
    func owner() throws -> (Client, ConnectAnswer) {
      let client = try Client(
        MQTTSettings(
          host: "127.0.0.1", port: broker.port, clientID: "owner", startsClean: false,
          sessionExpirySeconds: 600))
      return (client, try client.open())
    }
    do {
      let (first, answer) = try owner()
      #expect(!answer.isSessionPresent)
      _ = try first.subscribe(to: "kept")
      try first.wait(for: "SUBACK") { if case .subscribed = $0 { true } else { false } }
    }
    let sender = try connected(to: broker, "sender")
    let message = MQTTMessage(topic: "kept", payload: [7])
    let id = try sender.publish(message)
    try sender.wait(for: "PUBACK") { $0 == .acknowledged(id: id, reason: .success) }
    let (second, answer) = try owner()
    #expect(answer.isSessionPresent)
    try second.wait(for: "the kept message") { $0 == .message(message) }
  }

  @Test("Serving sleeps until it is woken, and a signal is not lost")
  func waking() throws {
    let broker = try Broker()
    let connection = try connected(to: broker, "x")
    let waker = try EventFD()
    waker.signal()
    let start = ContinuousClock.now
    #expect(connection.serve(forMilliseconds: 20_000, wakenBy: waker).isEmpty)
    #expect(ContinuousClock.now - start < .seconds(15))
    // It was cleared: now the time is waited out.
    #expect(connection.serve(forMilliseconds: 50, wakenBy: waker).isEmpty)
    #expect(ContinuousClock.now - start >= .milliseconds(50))
  }

  @Test("A broker that freezes is noticed within two keep-alive times")
  func frozen() throws {
    let broker = try Broker()
    let connection = try Client(
      MQTTSettings(host: "127.0.0.1", port: broker.port, clientID: "x", keepAliveSeconds: 5))
    _ = try connection.open()
    broker.freeze()
    defer { broker.thaw() }
    try connection.wait(for: "silence", seconds: 25) { $0 == .disconnected(.silent) }
  }
}
