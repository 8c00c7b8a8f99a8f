import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import Uplink

@Suite("A connection that stands for weeks", .ownThread)
struct StandingConnectionTests {
  @Test("One acknowledgement that never comes ends it, although all the others arrive")
  func missingAcknowledgement() throws {
    let isFirst = Monitor(true)
    let broker = try FakeBroker { publish in
      guard publish.topic == "m/data" else { return .acknowledge(reason: 0) }
      return isFirst.exchange(false) ? .withhold : .acknowledge(reason: 0)
    }
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: nil)
    destination.append(.data)
    try waitUntil("the one") { broker.publishes.contains { $0.topic == "m/data" } }
    // 45 s, in which the broker never says nothing for 20. Its time runs from the acknowledgement
    // of what was sent before it, which may come after the first step.
    for _ in 0..<3 {
      destination.pass(milliseconds: 15_000)
      let other = destination.append(.data)
      try waitUntil("another is acknowledged") {
        destination.log.isAcknowledged(other, by: destination.name)
      }
    }
    try destination.wait(for: "timeout", seconds: 10)
    try destination.waitUntilDelivered()
    try destination.wait(for: nil)
  }

  @Test(
    "A retained topic that the broker refuses is a fault, and is published again once it is taken",
    arguments: ["m/state", "m/points/b1946ac9", "m/health"])
  func refusedAnnouncement(topic: String) throws {
    let isMended = Monitor(false)
    let broker = try FakeBroker { publish in
      .acknowledge(reason: publish.topic == topic && !isMended.withLock { $0 } ? 0x87 : 0)
    }
    let destination = try Destination(ports: [broker.port])
    destination.append(.data)
    try destination.start()
    try destination.wait(for: "refused")
    // The batches are of use without it, to whoever knows the units.
    try destination.waitUntilDelivered()
    isMended.withLock { $0 = true }
    destination.pass(milliseconds: 3_600_000)
    try destination.wait(for: nil)
    #expect(broker.publishes.filter { $0.topic == "m/state" }.count == (topic == "m/state" ? 2 : 1))
  }

  @Test(
    "A retained topic for which a quota is used up is published again soon",
    arguments: ["m/state", "m/points/b1946ac9", "m/health"])
  func delayedAnnouncement(topic: String) throws {
    let isFirst = Monitor(true)
    let broker = try FakeBroker { publish in
      .acknowledge(reason: publish.topic == topic && isFirst.exchange(false) ? 0x97 : 0)
    }
    let destination = try Destination(ports: [broker.port])
    try destination.start()
    try destination.wait(for: "quota-exceeded")
    // Delivering batches does not show that the broker has it.
    destination.append(.data)
    try destination.waitUntilDelivered()
    #expect(destination.observer.faults.last == "quota-exceeded")
    destination.pass(milliseconds: 5_000)
    try destination.wait(for: nil)
    #expect(destination.observer.faults == [nil, "quota-exceeded", nil])
  }

  @Test("A definition that is larger than the broker takes is a fault; its batches are delivered")
  func largeDefinition() throws {
    let broker = try Broker(options: ["max_packet_size 2000"])
    let destination = try Destination(ports: [broker.port])
    destination.log.define(0xb194_6ac9, String(repeating: "x", count: 3_000))
    destination.append(.data)
    try destination.start()
    try destination.wait(for: "too-large")
    try destination.waitUntilDelivered()
    #expect(destination.observer.faults.last == "too-large")
  }

  @Test("Once rights are mended, what was refused is delivered")
  func mendedRights() throws {
    let isMended = Monitor(false)
    let broker = try FakeBroker { publish in
      .acknowledge(reason: publish.topic.contains("data") && !isMended.withLock { $0 } ? 0x87 : 0)
    }
    let destination = try Destination(ports: [broker.port])
    for _ in 0..<5 { destination.append(.data) }
    try destination.start()
    try destination.wait(for: "refused")
    for _ in 0..<5 { destination.append(.data) }
    func sent() -> Int { broker.publishes.filter { $0.topic.contains("data") }.count }
    try waitUntil("all were sent") { sent() == 10 }
    // One asks for all: a week of refused batches must not cross a metered link every hour.
    destination.pass(milliseconds: 3_600_000)
    try waitUntil("one asks") { sent() >= 11 }
    let healths = broker.publishes.filter { $0.topic == "m/health" }.count
    isMended.withLock { $0 = true }
    destination.pass(milliseconds: 1_000)
    try waitUntil("health") {
      broker.publishes.filter { $0.topic == "m/health" }.count > healths
    }
    destination.pass(milliseconds: 3_600_000)
    try destination.waitUntilDelivered()
    try destination.wait(for: nil)
    // Normally on the same connection; where the clock was put forward while a publish was still in
    // flight, that one counts as overdue and the connection is made anew.
    #expect(sent() >= 21)
  }

  @Test("A look-up that takes longer than an answer may does not end the attempt")
  func slowLookUp() throws {
    let broker = try FakeBroker { _ in .acknowledge(reason: 0) }
    let directory = try TemporaryDirectory()
    let path = directory.path + "/password"
    // Whatever blocks before the connection is begun: here it is the password that is slow.
    #expect(mkfifo(path, 0o600) == 0)
    let destination = try Destination(ports: [broker.port], passwordFile: path)
    try destination.start()
    var password: Int32 = -1
    try waitUntil("the password is asked for") {
      password = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
      return password >= 0
    }
    destination.pass(milliseconds: 12_000)
    #expect(write(password, "secret\n", 7) == 7)
    close(password)
    try destination.wait(for: nil)
    #expect(destination.observer.faults == [nil])
  }
}

extension Monitor<Bool> {
  /// Puts a value in and returns the one before.
  fileprivate func exchange(_ value: Bool) -> Bool {
    withLock { state in
      defer { state = value }
      return state
    }
  }
}
