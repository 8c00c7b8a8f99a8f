import LinuxSystem
import TestSupport
import Testing

@testable import Uplink

@Suite("An uplink with a broker that misbehaves", .ownThread)
struct FakeBrokerTests {
  @Test(
    "Never more is in flight than the broker takes, and history never has more than its share",
    arguments: [(1, 1), (2, 1), (9, 4), (100, 10)])
  func window(receiveMaximum: Int, history: Int) throws {
    // Retained topics are acknowledged, batches never.
    let broker = try FakeBroker(receiveMaximum: UInt16(receiveMaximum)) { publish in
      publish.topic.contains("data") ? .withhold : .acknowledge(reason: 0)
    }
    let destination = try Destination(ports: [broker.port])
    for _ in 0..<50 { destination.append(.data) }
    try destination.start()
    let expected = min(receiveMaximum, 20)
    try waitUntil("the share of history") {
      broker.publishes.filter { $0.topic == "m/data/history" }.count == history
    }
    for _ in 0..<50 { destination.append(.data) }
    // An alarm finds room as long as history leaves some: the window is filled by live batches.
    try waitUntil("a full window") {
      broker.publishes.filter { $0.topic.contains("data") }.count == expected
    }
    #expect(broker.publishes.map(\.unacknowledged).max() == expected)
    #expect(broker.publishes.filter { $0.topic == "m/data/history" }.count == history)
  }

  @Test("A quota that is used up for a while delays, is a fault, and loses nothing")
  func quota() throws {
    let refusals = Monitor(0)
    let broker = try FakeBroker { publish in
      guard publish.topic.contains("data") else { return .acknowledge(reason: 0) }
      let count = refusals.withLock { count in
        count += 1
        return count
      }
      return .acknowledge(reason: count <= 12 ? 0x97 : 0)
    }
    let destination = try Destination(ports: [broker.port])
    for _ in 0..<30 { destination.append(.data) }
    try destination.start()
    try destination.wait(for: "quota-exceeded")
    // While the backlog pauses it is not sent again and again.
    #expect(broker.publishes.count < 40)
    try destination.waitUntilDelivered()
    try destination.wait(for: nil)
    #expect(destination.observer.faults == [nil, "quota-exceeded", nil])
  }

  @Test("A batch at which the broker closes is found among twenty in flight")
  func poison() throws {
    let broker = try FakeBroker { publish in
      String(decoding: publish.payload, as: UTF8.self).contains(#""seq":17,"#)
        ? .close
        : publish.topic.contains("data") && publish.unacknowledged < 5
          ? .withhold : .acknowledge(reason: 0)
    }
    let destination = try Destination(ports: [broker.port])
    for _ in 0..<16 { destination.append(.events) }
    let poison = destination.append(.events)
    for _ in 0..<16 { destination.append(.events) }
    try destination.start()
    try waitUntil("all but one are delivered") {
      destination.log.unacknowledged(by: destination.name) == 1
    }
    #expect(!destination.log.isAcknowledged(poison, by: destination.name))
    try destination.wait(for: "refused")
  }

  @Test("A batch refused for good is counted in health and does not come again by itself")
  func refusedForGood() throws {
    let broker = try FakeBroker { publish in
      .acknowledge(
        reason: String(decoding: publish.payload, as: UTF8.self).contains(#""seq":3,"#)
          && publish.topic.contains("data") ? 0x99 : 0)
    }
    let destination = try Destination(ports: [broker.port])
    for _ in 0..<6 { destination.append(.data) }
    try destination.start()
    try waitUntil("the others") { destination.log.unacknowledged(by: destination.name) == 1 }
    try destination.wait(for: "refused")
    destination.uplink.healthChanged()
    try waitUntil("health that counts it") {
      broker.publishes.contains { publish in
        publish.topic == "m/health"
          && String(decoding: publish.payload, as: UTF8.self).contains(#""refused":1"#)
      }
    }
    #expect(broker.publishes.filter { $0.topic.contains("data") }.count == 6)
  }
}
