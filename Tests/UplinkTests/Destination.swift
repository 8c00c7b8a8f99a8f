import Buffering
import LinuxSystem
import MQTT
import Telemetry
import TestSupport

@testable import Uplink

/// An uplink under test with all that it needs.
final class Destination {
  let name = DestinationName("province")
  let log = MemoryLog()
  let clock = ShiftedClock()
  let observer = Observer()
  let uplink: Uplink

  init(
    ports: [UInt16], version: MQTTVersion = .v5, host: String = "127.0.0.1", window: Int = 20,
    historyRate: Int? = nil, passwordFile: String? = nil
  ) throws {
    log.define(0xb194_6ac9, #"{"v":1}"#)
    uplink = try Uplink(
      settings: UplinkSettings(
        name: name, endpoints: ports.map { UplinkEndpoint(host: host, port: $0) },
        version: version, clientID: "gw", username: passwordFile.map { _ in "gw" },
        passwordFile: passwordFile, topicPrefix: "m", gateway: "gw", agentVersion: "0.1.0",
        historyRate: historyRate, window: window),
      log: log, health: Healthy(clock: clock), clock: clock, boot: boot, observer: observer)
  }

  let boot = BootID(rawValue: 0x3d1f_0c52)

  deinit { uplink.stop(withinMilliseconds: 0) }

  /// Starts it with delays at the lower end, so that tests are quick.
  func start() throws { try uplink.start(generator: LowestGenerator()) }

  @discardableResult
  func append(
    _ stream: StreamName, age: Int64 = 0, padding: Int = 0, definitions: UInt32 = 0xb194_6ac9
  ) -> BatchIdentity {
    log.append(
      stream, at: clock.now().advanced(by: -age), definitions: definitions, padding: padding)
  }

  func waitUntilDelivered(seconds: Double = patienceSeconds) throws {
    try waitUntil("everything is acknowledged", within: seconds) {
      log.unacknowledged(by: name) == 0
    }
  }

  func wait(for fault: String?, seconds: Double = patienceSeconds) throws {
    try waitUntil("fault \(fault ?? "none")", within: seconds) { observer.faults.last == fault }
  }
}

extension Destination {
  /// Lets time pass in an instant, and the uplink notice it.
  func pass(milliseconds: Int64) {
    clock.advance(by: milliseconds)
    uplink.healthChanged()
  }
}

/// Draws the lower end of every range.
struct LowestGenerator: RandomNumberGenerator {
  // Not 0: the standard library would draw again for ever.
  func next() -> UInt64 { 1 }
}

/// The kernel's clock, which a test may put forward, and a wall clock that it may step.
final class ShiftedClock: TimeSource {
  private let step = Monitor<Int64>(0)
  private let passed = Monitor<Int64>(0)

  func now() -> Timestamp {
    var time = KernelClock().now()
    time.monotonic += passed.withLock { $0 }
    time.offset += step.withLock { $0 }
    time.clock = .synced
    return time
  }

  /// Puts both clocks forward, as if so much time had passed.
  func advance(by milliseconds: Int64) { passed.withLock { $0 += milliseconds } }

  func stepWallClock(by milliseconds: Int64) { step.withLock { $0 += milliseconds } }
}

final class Observer: UplinkObserver {
  private let seen = Monitor<[String?]>([])

  var faults: [String?] { seen.withLock { $0 } }

  func destination(_ name: DestinationName, changedTo fault: String?) {
    seen.withLock { $0.append(fault) }
  }
}

struct Healthy: HealthSource {
  let clock: ShiftedClock

  func report() -> HealthReport { HealthReport(time: clock.now(), parts: [], storeFault: nil) }
}

/// Subscribes to everything of the gateway and keeps what arrives.
final class Receiver {
  private let connection: Client
  private(set) var messages: [MQTTMessage] = []

  init(on broker: Broker) throws {
    connection = try connected(to: broker, "receiver")
    let id = try connection.subscribe(to: "m/#")
    try serve(for: "SUBACK") { event in
      if case .subscribed(id, _) = event { true } else { false }
    }
  }

  func wait(
    for what: String, seconds: Double = patienceSeconds, until isEnough: ([MQTTMessage]) -> Bool
  ) throws {
    if isEnough(messages) { return }
    try serve(for: what, seconds: seconds) { _ in isEnough(messages) }
  }

  private func serve(
    for what: String, seconds: Double = patienceSeconds, _ isIt: (MQTTEvent) -> Bool
  ) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
      var isDone = false
      for event in connection.serve(forMilliseconds: 100, wakenBy: nil) {
        if case .message(let message) = event { messages.append(message) }
        if isIt(event) { isDone = true }
      }
      if isDone { return }
    }
    throw WaitedInVain("\(what); got \(messages.map(\.topic))")
  }
}

extension MQTTMessage {
  var text: String { String(decoding: payload, as: UTF8.self) }
  var isBatch: Bool { text.contains(#""seq""#) && !topic.hasSuffix("/health") }
  /// The seq that a batch names.
  var seq: Int? {
    guard let range = text.firstRange(of: #""seq":"#) else { return nil }
    return Int(text[range.upperBound...].prefix { $0.isNumber })
  }
}
