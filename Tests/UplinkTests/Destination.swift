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
  /// The place in what the observer saw of the fault that was waited for last.
  private var waitedFor = -1

  init(
    ports: [UInt16], tls: TLSSettings? = nil, version: MQTTVersion = .v5,
    host: String = "127.0.0.1", window: Int = 20, historyRate: Int? = nil,
    passwordFile: String? = nil
  ) throws {
    log.define(0xb194_6ac9, #"{"v":1}"#)
    uplink = try Uplink(
      settings: UplinkSettings(
        name: name, endpoints: ports.map { UplinkEndpoint(host: host, port: $0) },
        tls: tls, version: version, clientID: "gw", username: passwordFile.map { _ in "gw" },
        passwordFile: passwordFile, topicPrefix: "m", gateway: "gw", agentVersion: "0.1.0",
        historyRate: historyRate, window: window),
      log: log, health: Healthy(clock: clock), clock: clock, boot: boot, observer: observer)
  }

  let boot = BootID(rawValue: 0x3d1f_0c52)

  deinit { uplink.stop(withinMilliseconds: 0) }

  /// Starts it with delays at the lower end, so that tests are quick.
  func start() throws { try uplink.start(generator: LowestGenerator()) }

  /// Ends it in order.
  func stopAndWait() throws {
    uplink.stop(withinMilliseconds: 1_000)
    try waitUntil("the uplink's end") { uplink.hasEnded }
  }

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

  /// Waits until the destination is in this fault, or has been since the last one waited for: one
  /// that heals at once may be gone between two looks.
  func wait(for fault: String?, seconds: Double = patienceSeconds) throws {
    try waitUntil("fault \(fault ?? "none")", within: seconds) {
      let faults = observer.faults
      let later = faults.dropFirst(waitedFor + 1)
      guard let index = later.firstIndex(of: fault) ?? (faults.last == fault ? waitedFor : nil)
      else { return false }
      waitedFor = index
      return true
    }
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
  private struct Shift {
    var step: Int64 = 0
    var passed: Int64 = 0
    var state = ClockState.synced
  }

  private let shift = Monitor(Shift())

  /// What the kernel is to say of the wall clock.
  var state: ClockState {
    get { shift.withLock { $0.state } }
    set { shift.withLock { $0.state = newValue } }
  }

  func now() -> Timestamp {
    var time = KernelClock().now()
    let shift = shift.withLock { $0 }
    time.monotonic += shift.passed
    time.offset += shift.step
    time.clock = shift.state
    return time
  }

  /// Puts both clocks forward, as if so much time had passed.
  func advance(by milliseconds: Int64) { shift.withLock { $0.passed += milliseconds } }

  func stepWallClock(by milliseconds: Int64) { shift.withLock { $0.step += milliseconds } }
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
