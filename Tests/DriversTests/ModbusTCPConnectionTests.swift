import Glibc
import LinuxSystem
import Testing
import TestSupport

@testable import Drivers

@Suite("Modbus TCP connection", .ownThread)
struct ModbusTCPConnectionTests {
  private let request = ReadRequest(table: .holding, address: 4, count: 2)
  private let soon = Duration.milliseconds(400)
  private let enough = Duration.seconds(patienceSeconds)

  @Test("libmodbus's slave answers all four tables")
  func readsFromLibmodbus() throws {
    let slave = try LibmodbusSlave(
      .init(
        coils: [true, false, true], discretes: [false, true], inputs: [7, 8],
        holdings: (0..<200).map { UInt16($0) * 300 }))
    defer { slave.stop() }
    var connection = try ModbusTCPConnection.open(host: "localhost", port: slave.port)
    let read = { (connection: inout ModbusTCPConnection, table, address, count) in
      try connection.read(
        ReadRequest(table: table, address: address, count: count), unit: 1,
        timeout: .seconds(patienceSeconds))
    }
    #expect(try read(&connection, ModbusTable.coil, 0, 3) == .values([1, 0, 1]))
    #expect(try read(&connection, .discrete, 1, 1) == .values([1]))
    #expect(try read(&connection, .input, 0, 2) == .values([7, 8]))
    let all = (0..<125).map { UInt16($0) * 300 }
    #expect(try read(&connection, .holding, 0, 125) == .values(all))
    #expect(try read(&connection, .holding, 200, 1) == .exception(2))
    #expect(try read(&connection, .holding, 199, 1) == .values([199 * 300]))
  }

  @Test("A late answer is not taken for the next one")
  func passesOverLateAnswers() throws {
    let server = try ScriptedServer.listening { request in
      switch request.number {
      case 0: []
      // Both answers in one go: the one to request 0 comes first, with the same shape.
      case 1:
        [
          .send(request.frame(request.registersPDU(111), transaction: 1)),
          .send(request.registers(222)),
        ]
      default: [.send(request.registers(333))]
      }
    }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      try connection.read(request, unit: 3, timeout: soon)
    }
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([222, 222]))
    #expect(connection.lateAnswers == 1)
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([333, 333]))
  }

  @Test("A late answer that lies in the line is cleared before the next request")
  func clearsTheLine() async throws {
    let server = try ScriptedServer.listening { request in
      request.number == 0
        ? [.send(request.registers(1)), .send(request.registers(2))]
        : [.send(request.registers(3))]
    }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([1, 1]))
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([3, 3]))
    #expect(connection.lateAnswers == 1)
  }

  @Test("Another unit's answer is refused")
  func refusesAnotherUnit() throws {
    let error = try failure { [.send($0.frame($0.registersPDU(1), unit: 9))] }
    #expect(error == .badAnswer(.wrongUnit(found: 9, expected: 3)))
  }

  @Test("An answer of a transaction that was never asked is refused", arguments: [0, 2, 999])
  func refusesAnotherTransaction(transaction: UInt16) throws {
    let error = try failure { [.send($0.frame($0.registersPDU(1), transaction: transaction))] }
    #expect(error == .badAnswer(.wrongTransaction(found: transaction, expected: 1)))
  }

  @Test("An answer with fewer registers than asked is refused")
  func refusesAShortFrame() throws {
    let error = try failure { [.send($0.frame([3, 2, 0, 1]))] }
    #expect(error == .badAnswer(.wrongLength(found: 2, expected: 4)))
  }

  @Test("A frame that stops short of its length is a time-out that broke off")
  func timesOutOnATruncatedFrame() throws {
    let error = try failure(within: soon) { [.send(Array($0.registers(1).dropLast()))] }
    #expect(error == .timeout(brokeOff: true, heard: .part))
  }

  @Test("Another protocol's bytes are refused")
  func refusesAnotherProtocol() throws {
    let error = try failure { _ in [.send(Array("HTTP/1.1 400 Bad Request\r\n".utf8))] }
    #expect(error == .badAnswer(.wrongProtocol(found: 0x5450)))
  }

  @Test("Who speaks first answers badly, with Modbus's requests or without")
  func refusesAGreeting() async throws {
    let server = try ScriptedServer.listening(greeting: Array("SSH-2.0-OpenSSH\r\n".utf8)) {
      [.send($0.registers(1))]
    }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    try await waitUntil("it was greeted") { server.connections.accepted == 1 }
    let error = #expect(throws: TransactionError.self) {
      try connection.read(request, unit: 3, timeout: enough)
    }
    #expect(error == .badAnswer(.wrongProtocol(found: 0x482D)))
    #expect(server.received.isEmpty)
  }

  @Test("Dripping bytes don't stretch the time-out")
  func boundsADrippingAnswer() throws {
    let server = try ScriptedServer.listening { request in
      // 13 bytes: 3.9 s altogether, each within the time-out of the one before.
      [.drip(request.registers(1), everyMilliseconds: 300)]
    }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    let start = ContinuousClock.now
    #expect(throws: TransactionError.timeout(brokeOff: true, heard: .part)) {
      try connection.read(request, unit: 3, timeout: soon)
    }
    #expect(start.duration(to: .now) < .seconds(3))
  }

  @Test("An answer that drips in time is whole")
  func acceptsADrippingAnswer() throws {
    let server = try ScriptedServer.listening { [.drip($0.registers(5), everyMilliseconds: 2)] }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([5, 5]))
  }

  @Test("A connection cut in mid-answer is closed, not a time-out")
  func noticesACut() throws {
    let server = try ScriptedServer.listening { request in
      [.send(Array(request.registers(1).prefix(8))), .hangUp]
    }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    let endpoint = "127.0.0.1:\(server.port)"
    #expect(throws: TransactionError.closed(reason: "\(endpoint) closed the connection")) {
      try connection.read(request, unit: 3, timeout: enough)
    }
    // The process survives writing to a connection whose other side is gone.
    for _ in 0..<3 {
      let error = #expect(throws: TransactionError.self) {
        try connection.read(request, unit: 3, timeout: soon)
      }
      guard case .closedBefore = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test("A peer that talks without being asked is not listened to for ever")
  func boundsUnaskedFrames() async throws {
    let server = try ScriptedServer.listening { request in
      [.send((0..<200).flatMap { _ in request.registers(1) })]
    }
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([1, 1]))
    let error = #expect(throws: TransactionError.self) {
      try connection.read(request, unit: 3, timeout: enough)
    }
    #expect(
      error == .closedBefore(reason: "127.0.0.1:\(server.port) sends without being asked"))
  }

  @Test("A refused connection and an unknown name say so")
  func namesConnectFailures() throws {
    let server = try ScriptedServer { _ in [] }
    defer { server.stop() }
    #expect(throws: ConnectError.refused(endpoint: "127.0.0.1:\(server.port)")) {
      _ = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    }
    let error = #expect(throws: ConnectError.self) {
      _ = try ModbusTCPConnection.open(host: "no host has spaces", port: 502)
    }
    guard case .unresolved(host: "no host has spaces", _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.badReason == .busClosed)
  }

  @Test("With too many open files a connection is refused with that reason, not by abort")
  func refusesHighDescriptors() async {
    await #expect(processExitsWith: .success) {
      let listener = try ScriptedServer.listening { [.send($0.registers(1))] }
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      precondition(limit.rlim_cur > 1100, "this test needs more descriptors")
      while dup(0) < 1024 {}
      do throws(ConnectError) {
        _ = try ModbusTCPConnection.open(host: "127.0.0.1", port: listener.port)
        exit(1)
      } catch {
        guard case .descriptorTooHigh(_, limit: 1008) = error else { exit(2) }
        guard "\(error)".contains("too many open files") else { exit(3) }
        exit(0)
      }
    }
  }

  /// How reading from a server that answers so fails.
  private func failure(
    within timeout: Duration = .seconds(patienceSeconds),
    _ answer: @escaping @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step]
  ) throws -> TransactionError? {
    let server = try ScriptedServer.listening(answer: answer)
    defer { server.stop() }
    var connection = try ModbusTCPConnection.open(host: "127.0.0.1", port: server.port)
    do throws(TransactionError) {
      let answer = try connection.read(request, unit: 3, timeout: timeout)
      Issue.record("\(answer) was accepted")
      return nil
    } catch {
      return error
    }
  }
}
