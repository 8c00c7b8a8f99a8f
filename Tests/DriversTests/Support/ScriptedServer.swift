import Glibc
import LinuxSystem
import Synchronization
import TestSupport

/// A Modbus TCP server on the loopback interface that answers each request as a test says, also
/// wrongly.
final class ScriptedServer: Sendable {
  /// A request as it came.
  struct Request: Sendable {
    /// Which connection, from 0.
    let connection: Int
    /// Which request of all, from 0.
    let number: Int
    let bytes: [UInt8]
    /// When it was read.
    let time = ContinuousClock.now

    var transaction: UInt16 { UInt16(bytes[0]) << 8 | UInt16(bytes[1]) }
    var unit: UInt8 { bytes[6] }
    var function: UInt8 { bytes[7] }
    var address: Int { Int(bytes[8]) << 8 | Int(bytes[9]) }
    var count: Int { Int(bytes[10]) << 8 | Int(bytes[11]) }

    /// A frame with this request's numbers unless others are given.
    func frame(_ pdu: [UInt8], transaction: UInt16? = nil, unit: UInt8? = nil) -> [UInt8] {
      let transaction = transaction ?? self.transaction
      return [
        UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0, 0, 0, UInt8(pdu.count + 1),
        unit ?? self.unit,
      ] + pdu
    }

    /// The right answer, with `value` in every register.
    func registers(_ value: UInt16) -> [UInt8] { frame(registersPDU(value)) }

    func registersPDU(_ value: UInt16) -> [UInt8] {
      let word = [UInt8(value >> 8), UInt8(value & 0xFF)]
      return [function, UInt8(count * 2)] + (0..<count).flatMap { _ in word }
    }

    func exception(_ code: UInt8) -> [UInt8] { frame([function | 0x80, code]) }
  }

  enum Step: Sendable {
    case send([UInt8])
    /// One byte at a time.
    case drip([UInt8], everyMilliseconds: Int32)
    case hangUp
  }

  let port: UInt16
  private let listener: Int32
  private let stopSignal: EventFD
  private let requests = Monitor<[Request]>([])
  private let hasEnded = Atomic(false)
  private let requestLength: Int
  private let greeting: [UInt8]
  private let connectionCounts = Monitor((accepted: 0, open: 0))

  /// Binds a free port, which refuses connections until `listen`. Requests are as long as Modbus
  /// TCP's reading ones unless said otherwise.
  /// - Parameter greeting: What is said on each connection before anything is asked.
  init(
    requestLength: Int = 12, greeting: [UInt8] = [],
    answer: @escaping @Sendable (Request) -> [Step]
  ) throws {
    self.requestLength = requestLength
    self.greeting = greeting
    listener = try systemCall("socket") {
      socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
    port = try Self.bindFreePort(listener)
    let stopSignal = try EventFD()
    self.stopSignal = stopSignal
    try Thread.start(named: "scripted") { [self] in serve(answer) }
  }

  /// Begins to take connections.
  func listen() throws {
    try systemCall("listen") { Glibc.listen(listener, 8) }
    // The serving thread's poll began with a socket that did not listen.
    stopSignal.signal()
  }

  /// A server that takes connections from the start.
  static func listening(
    requestLength: Int = 12, greeting: [UInt8] = [],
    answer: @escaping @Sendable (Request) -> [Step]
  ) throws -> ScriptedServer {
    let server = try ScriptedServer(
      requestLength: requestLength, greeting: greeting, answer: answer)
    try server.listen()
    return server
  }

  /// Ends the thread and closes everything.
  func stop() {
    hasEnded.store(true, ordering: .releasing)
    stopSignal.signal()
  }

  /// Every request so far.
  var received: [Request] { requests.withLock { $0 } }
  /// How many connections were made, and how many of them stand.
  var connections: (accepted: Int, open: Int) { connectionCounts.withLock { $0 } }

  private static func bindFreePort(_ listener: Int32) throws -> UInt16 {
    var address = loopbackAddress(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        _ = try systemCall("bind") { bind(listener, pointer, size) }
        _ = try systemCall("getsockname") { getsockname(listener, pointer, &size) }
      }
    }
    return UInt16(bigEndian: address.sin_port)
  }

  private func serve(_ answer: @Sendable (Request) -> [Step]) {
    var connections: [(number: Int, descriptor: Int32)] = []
    var accepted = 0
    while !hasEnded.load(ordering: .acquiring) {
      var entries = [pollfd(fd: stopSignal.descriptor, events: Int16(POLLIN), revents: 0)]
      entries.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
      entries += connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
      _ = poll(&entries, nfds_t(entries.count), 10_000)
      stopSignal.clear()
      for (index, connection) in connections.enumerated() where entries[index + 2].revents != 0 {
        if !serve(connection.number, connection.descriptor, answer) {
          close(connection.descriptor)
          connections.removeAll { $0.number == connection.number }
          connectionCounts.withLock { $0.open -= 1 }
        }
      }
      if entries[1].revents & Int16(POLLIN) != 0 {
        let descriptor = accept(listener, nil, nil)
        if descriptor >= 0 { connections.append((accepted, descriptor)) }
        send(descriptor, greeting, greeting.count, Int32(MSG_NOSIGNAL))
        accepted += 1
        connectionCounts.withLock { $0 = ($0.accepted + 1, $0.open + 1) }
      } else if entries[1].revents != 0 {
        // Not listening yet: poll reports a hang-up at once.
        usleep(1000)
      }
    }
    for connection in connections { close(connection.descriptor) }
    close(listener)
  }

  /// Answers one request; false when the connection is to be closed.
  private func serve(
    _ connection: Int, _ descriptor: Int32, _ answer: (Request) -> [Step]
  ) -> Bool {
    var bytes = [UInt8](repeating: 0, count: requestLength)
    guard recv(descriptor, &bytes, bytes.count, Int32(MSG_WAITALL)) == bytes.count else {
      return false
    }
    let request = requests.withLock { requests in
      let request = Request(connection: connection, number: requests.count, bytes: bytes)
      requests.append(request)
      return request
    }
    for step in answer(request) {
      switch step {
      case .send(let bytes):
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      case .drip(let bytes, let pause):
        for byte in bytes where !hasEnded.load(ordering: .acquiring) {
          guard send(descriptor, [byte], 1, Int32(MSG_NOSIGNAL)) == 1 else { return false }
          usleep(UInt32(pause) * 1000)
        }
      case .hangUp:
        return false
      }
    }
    return true
  }
}
