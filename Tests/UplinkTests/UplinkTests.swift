import Buffering
import Glibc
import MQTT
import Telemetry
import TestSupport
import Testing

@testable import Uplink

@Suite("An uplink with a real broker", .ownThread)
struct UplinkTests {
  @Test(
    "State, definitions and health are retained and come before the first batch",
    arguments: MQTTVersion.allCases)
  func greeting(version: MQTTVersion) throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port], version: version)
    destination.append(.data)
    try destination.start()
    try receiver.wait(for: "a batch") { $0.contains { $0.isBatch } }
    #expect(
      receiver.messages.map(\.topic).prefix(4)
        == ["m/state", "m/points/b1946ac9", "m/health", "m/data/history"])
    #expect(receiver.messages[0].text.contains(#""state":"online""#))
    try destination.waitUntilDelivered()
    try destination.wait(for: nil)
    let late = try Receiver(on: broker)
    try late.wait(for: "retained topics") { $0.count == 3 }
    #expect(late.messages.allSatisfy { $0.isRetained })
    #expect(Set(late.messages.map(\.topic)) == ["m/state", "m/points/b1946ac9", "m/health"])
  }

  @Test("A backlog that was read before the clock was set goes out with the time that was learnt")
  func corrected() throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port])
    destination.clock.state = .unsynced
    destination.clock.stepWallClock(by: -destination.clock.now().wall)
    let read = destination.clock.now()
    destination.append(.data)
    destination.clock.state = .synced
    destination.log.learn(offset: read.offset + 1_795_219_200_000)
    try destination.start()
    try destination.waitUntilDelivered()
    try receiver.wait(for: "the batch") { $0.contains(where: \.isBatch) }
    let text = try #require(receiver.messages.first(where: \.isBatch)?.text)
    #expect(text.contains(#""clock":"corrected""#))
    #expect(text.contains("\"offset\":\(read.offset + 1_795_219_200_000)"))
    #expect(text.contains(#""time":17952192"#))
  }

  @Test("After an outage events and values of now come at once, and the backlog beside them")
  func liveBeforeBacklog() throws {
    let broker = try Broker(starts: false)
    // The backlog of some 60 KiB takes about 2 s at this rate.
    let destination = try Destination(ports: [broker.port], historyRate: 20_000)
    let oldEvent = destination.append(.events)
    for _ in 0..<180 { destination.append(.data) }
    try destination.start()
    try destination.wait(for: "refused")
    try broker.start()
    let receiver = try Receiver(on: broker)
    try receiver.wait(for: "history") { $0.contains { $0.topic == "m/data/history" } }
    let liveData = destination.append(.data)
    let liveEvent = destination.append(.events)
    try receiver.wait(for: "live batches") { messages in
      messages.contains { $0.topic == "m/data" && $0.seq == Int(liveData.seq) }
        && messages.contains { $0.topic == "m/events" && $0.seq == Int(liveEvent.seq) }
    }
    #expect(destination.log.unacknowledged(by: destination.name) > 50)
    try destination.waitUntilDelivered()
    try receiver.wait(for: "the backlog") { messages in
      messages.filter { $0.topic == "m/data/history" }.count >= 180
    }
    let batches = receiver.messages.filter(\.isBatch)
    #expect(batches.first?.topic == "m/events/history")
    #expect(batches.first?.seq == Int(oldEvent.seq))
    let history = batches.filter { $0.topic == "m/data/history" }.compactMap(\.seq)
    #expect(history == Array(1...180))
  }

  @Test("Everything is delivered although the broker is killed twice meanwhile")
  func brokerKilled() throws {
    let broker = try Broker()
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    for _ in 0..<2 {
      for number in 0..<300 {
        destination.append(number % 10 == 0 ? .events : .data)
        if number == 150 {
          try destination.wait(for: nil)
          broker.kill()
          try destination.wait(for: "refused")
          try broker.start()
        }
      }
    }
    try destination.waitUntilDelivered()
    #expect(destination.observer.faults.contains("disconnected"))
    try destination.wait(for: nil)
  }

  @Test("A broker that takes three at a time gets three at a time")
  func receiveMaximum() throws {
    // mosquitto closes the connection of a client that exceeds it.
    let broker = try Broker(options: ["max_inflight_messages 3"])
    let destination = try Destination(ports: [broker.port])
    for _ in 0..<300 { destination.append(.data) }
    try destination.start()
    try destination.waitUntilDelivered()
    #expect(destination.observer.faults == [nil])
  }

  @Test("What is older than a minute when it would be sent is history, whatever the wall clock did")
  func stale() throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    let old = destination.append(.data, age: 61_000)
    try receiver.wait(for: "the old one") { $0.contains { $0.seq == Int(old.seq) && $0.isBatch } }
    let fresh = destination.append(.data)
    try receiver.wait(for: "the new one") { $0.contains { $0.seq == Int(fresh.seq) && $0.isBatch } }
    destination.clock.stepWallClock(by: 3_600_000)
    let stepped = destination.append(.data, age: 1_000)
    try receiver.wait(for: "after the step") {
      $0.contains { $0.seq == Int(stepped.seq) && $0.isBatch }
    }
    #expect(
      receiver.messages.filter(\.isBatch).map(\.topic) == ["m/data/history", "m/data", "m/data"])
    try destination.waitUntilDelivered()
  }

  @Test("A new digest is published before its first batch and cleared when the log forgets it")
  func digests() throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    destination.log.define(0xb, #"{"v":1,"devices":[]}"#)
    destination.append(.data, definitions: 0xb)
    try receiver.wait(for: "the batch") { $0.contains { $0.isBatch } }
    let topics = receiver.messages.map(\.topic)
    let digest = try #require(topics.firstIndex(of: "m/points/0000000b"))
    #expect(digest < (topics.firstIndex(of: "m/data") ?? 0))
    destination.log.define(0xb, nil)
    destination.uplink.healthChanged()
    try receiver.wait(for: "the topic to be cleared") {
      $0.contains { $0.topic == "m/points/0000000b" && $0.payload.isEmpty }
    }
  }

  @Test("Health that changes all the time is published once a second")
  func healthRate() throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    let start = ContinuousClock.now
    try receiver.wait(for: "four health messages") { messages in
      destination.uplink.healthChanged()
      return messages.filter { $0.topic == "m/health" }.count == 4
    }
    #expect(ContinuousClock.now - start >= .seconds(2.9))
  }

  @Test("A stop delivers what is fresh, says offline and leaves no will behind")
  func orderlyStop() throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    let last = destination.append(.events)
    destination.uplink.stop(withinMilliseconds: 30_000)
    #expect(destination.uplink.waitForEnd(atMostMilliseconds: 60_000))
    #expect(destination.log.isAcknowledged(last, by: destination.name))
    try receiver.wait(for: "offline") { $0.last?.text.contains(#""state":"offline""#) == true }
    // The will would be a second one with the connection's beginning for its time.
    let marker = try connected(to: broker, "marker")
    _ = try marker.publish(MQTTMessage(topic: "m/marker", payload: []))
    try receiver.wait(for: "the marker") { $0.last?.topic == "m/marker" }
    #expect(receiver.messages.filter { $0.text.contains("offline") }.count == 1)
  }

  @Test("A stop ends in time while the broker is frozen or absent")
  func stopWithoutBroker() throws {
    let broker = try Broker()
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    broker.freeze()
    defer { broker.thaw() }
    destination.append(.data)
    destination.uplink.stop(withinMilliseconds: 700)
    // A broker that is frozen is noticed after 20 s.
    #expect(destination.uplink.waitForEnd(atMostMilliseconds: 1000 * latenessSeconds))
    let absent = try Destination(ports: [LoopbackPorts.free()])
    try absent.start()
    try absent.wait(for: "refused")
    absent.uplink.stop(withinMilliseconds: 0)
    #expect(absent.uplink.waitForEnd(atMostMilliseconds: 1000 * latenessSeconds))
  }

  // mosquitto 2.0.11 just closes where version 5 would have it say that the session was taken over.
  @Test("A destination whose client id another takes is back, and its will bears its beginning")
  func takenOver() throws {
    let broker = try Broker()
    let receiver = try Receiver(on: broker)
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try receiver.wait(for: "online") { $0.contains { $0.topic == "m/state" } }
    let online = receiver.messages[0].text
    _ = try connected(to: broker, "gw")
    try waitUntil("the loss") { destination.observer.faults.contains("disconnected") }
    try receiver.wait(for: "the will") { $0.contains { $0.text.contains("offline") } }
    let will = receiver.messages.first { $0.text.contains("offline") }?.text
    #expect(will == online.replacing("online", with: "offline"))
    try destination.wait(for: nil)
  }

  @Test("A topic that the broker denies does not stop the others, and is a fault")
  func denied() throws {
    let broker = try Broker(accessRules: [
      "topic readwrite m/state", "topic readwrite m/health", "topic readwrite m/points/#",
      "topic readwrite m/events", "topic read m/#",
    ])
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    let value = destination.append(.data)
    let event = destination.append(.events)
    try waitUntil("the event is delivered") {
      destination.log.isAcknowledged(event, by: destination.name)
    }
    try destination.wait(for: "refused")
    #expect(!destination.log.isAcknowledged(value, by: destination.name))
  }

  @Test("A batch that the broker says is too large is set aside; the rest is delivered")
  func tooLarge() throws {
    let broker = try Broker(options: ["max_packet_size 2000"])
    let destination = try Destination(ports: [broker.port])
    let large = destination.append(.data, padding: 4_000)
    let small = destination.append(.data)
    try destination.start()
    try waitUntil("the small one is delivered") {
      destination.log.isAcknowledged(small, by: destination.name)
    }
    try destination.wait(for: "too-large")
    #expect(!destination.log.isAcknowledged(large, by: destination.name))
  }

  @Test("A batch at which a 3.1.1 broker drops the connection is found and set aside")
  func poison() throws {
    // Version 3.1.1 can't say how much is too much: the broker just closes.
    let broker = try Broker(options: ["max_packet_size 2000"])
    let destination = try Destination(ports: [broker.port], version: .v311)
    for _ in 0..<30 { destination.append(.data) }
    let poison = destination.append(.data, padding: 4_000)
    for _ in 0..<30 { destination.append(.data) }
    try destination.start()
    try waitUntil("all but one are delivered", within: 60) {
      destination.log.unacknowledged(by: destination.name) == 1
    }
    #expect(!destination.log.isAcknowledged(poison, by: destination.name))
    try destination.wait(for: "refused")
    let live = destination.append(.data)
    try waitUntil("live goes on") { destination.log.isAcknowledged(live, by: destination.name) }
  }

  @Test("The second endpoint is used when the first refuses")
  func endpoints() throws {
    let broker = try Broker()
    let destination = try Destination(ports: [LoopbackPorts.free(), broker.port])
    destination.append(.data)
    try destination.start()
    try destination.waitUntilDelivered()
  }

  @Test("A host name without an address is a fault of its own")
  func unknownName() throws {
    let destination = try Destination(ports: [1883], host: "no-such-host.invalid")
    try destination.start()
    try destination.wait(for: "name-unknown")
  }

  @Test("Missing rights are a fault of their own", arguments: MQTTVersion.allCases)
  func notAuthorised(version: MQTTVersion) throws {
    let broker = try Broker(options: ["allow_anonymous false"])
    let destination = try Destination(ports: [broker.port], version: version)
    try destination.start()
    try destination.wait(for: "not-authorised")
  }

  @Test("A broker that freezes is noticed, and gets everything once it thaws")
  func frozen() throws {
    let broker = try Broker()
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    broker.freeze()
    for _ in 0..<50 { destination.append(.data) }
    try destination.wait(for: "timeout", seconds: 40)
    broker.thaw()
    try destination.waitUntilDelivered()
    try destination.wait(for: nil)
  }
}
