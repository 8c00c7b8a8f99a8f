import MQTT
import TestSupport
import Testing

@Suite("A secure connection", .ownThread)
struct TLSConnectionTests {
  @Test("While the broker is silent in the handshake the connection waits and does not spin")
  func rests() throws {
    // OpenSSL's first attempt to write finds a connection that is not open yet, as on a network.
    let hole = try BlackHole(isPlugged: true)
    let client = try connection("127.0.0.1", hole.port)
    try client.connect()
    #expect(client.serve(forMilliseconds: 100, wakenBy: nil) == [])
    try hole.letIn()
    try waitUntil("a ClientHello") {
      _ = client.serve(forMilliseconds: 10, wakenBy: nil)
      return hole.received.count > 100
    }
    // What is left of the beginning.
    _ = client.serve(forMilliseconds: 100, wakenBy: nil)
    let clock = ContinuousClock()
    let start = clock.now
    #expect(client.serve(forMilliseconds: 400, wakenBy: nil) == [])
    #expect(clock.now - start >= .milliseconds(390))
  }

  @Test(
    "A host's name is named in the handshake, an address is not",
    arguments: [("localhost", true), ("127.0.0.1", false)])
  func serverName(host: String, isNamed: Bool) throws {
    let hole = try BlackHole()
    let client = try connection(host, hole.port)
    try client.connect()
    try waitUntil("a ClientHello") {
      _ = client.serve(forMilliseconds: 10, wakenBy: nil)
      return hole.received.count > 100
    }
    #expect((hole.received.firstRange(of: Array(host.utf8)) != nil) == isNamed)
  }

  @Test("What no version of TLS is common to is told in OpenSSL's words")
  func oldVersion() throws {
    let authority = try Authority("Mine authority")
    let directory = try TemporaryDirectory()
    let identity = try authority.issue("localhost")
    let (certificate, key) = (directory.file("crt"), directory.file("key"))
    try write(identity.certificate, to: certificate)
    try write(identity.key, to: key)
    let port = try LoopbackPorts.free()
    let server = try ChildProcess(
      "openssl",
      [
        "s_server", "-accept", "\(port)", "-cert", certificate, "-key", key, "-tls1_1",
        "-cipher", "DEFAULT@SECLEVEL=0", "-www",
      ])
    try server.waitUntilItPrints("ACCEPT")
    #expect(try ending(port) == .tls(.handshake("alert: protocol version")))
  }

  /// Why a connection to the port ends, whether it shows at once or later.
  private func ending(_ port: UInt16) throws -> MQTTError? {
    let client = try connection("127.0.0.1", port)
    do throws(MQTTError) {
      try client.connect()
    } catch {
      return error
    }
    var ending: MQTTError?
    try waitUntil("an end") {
      if case .disconnected(let error) = client.serve(forMilliseconds: 10, wakenBy: nil).last {
        ending = error
      }
      return ending != nil
    }
    return ending
  }

  private func connection(_ host: String, _ port: UInt16) throws -> MQTTConnection {
    try MQTTConnection(
      MQTTSettings(host: host, port: port, tls: TLSSettings(), clientID: "gw"))
  }
}
