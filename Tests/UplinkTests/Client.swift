import LinuxSystem
import MQTT
import TestSupport

/// A connection under test, served by the test's thread.
final class Client {
  let connection: MQTTConnection
  // What came in one go with an event that was waited for; a kept message comes with the CONNACK.
  private var waiting: [MQTTEvent] = []

  init(_ settings: MQTTSettings) throws { connection = try MQTTConnection(settings) }

  func connect() throws { try connection.connect() }

  func disconnect() { connection.disconnect() }

  func subscribe(to filter: String) throws -> Int32 { try connection.subscribe(to: filter) }

  func publish(_ message: MQTTMessage) throws -> Int32 { try connection.publish(message) }

  func serve(forMilliseconds milliseconds: Int, wakenBy waker: EventFD?) -> [MQTTEvent] {
    defer { waiting = [] }
    return waiting + connection.serve(forMilliseconds: milliseconds, wakenBy: waker)
  }

  /// Connects and waits for the broker's answer.
  func open() throws -> ConnectAnswer {
    var answer: ConnectAnswer?
    try connect()
    try wait(for: "CONNACK") { event in
      if case .connected(let given) = event { answer = given }
      return answer != nil
    }
    guard let answer else { throw WaitedInVain("CONNACK") }
    return answer
  }

  /// Serves until an event for which `isIt` holds; those behind it are looked at next time.
  func wait(
    for what: String, seconds: Double = patienceSeconds, _ isIt: (MQTTEvent) throws -> Bool
  ) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
      let events = serve(forMilliseconds: 100, wakenBy: nil)
      if let index = try events.firstIndex(where: isIt) {
        waiting = Array(events[(index + 1)...])
        return
      }
    }
    throw WaitedInVain(what)
  }
}

/// A client that is connected.
func connected(
  to broker: Broker, _ clientID: String, _ version: MQTTVersion = .v5, will: MQTTMessage? = nil
) throws -> Client {
  let client = try Client(
    MQTTSettings(
      host: "127.0.0.1", port: broker.port, clientID: clientID, version: version, will: will))
  _ = try client.open()
  return client
}
