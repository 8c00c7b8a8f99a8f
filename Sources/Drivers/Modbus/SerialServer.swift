/// A serial server in transparent mode: the bytes of Modbus RTU over a TCP connection.
struct SerialServer: RTUWire, ~Copyable {
  private let socket: ModbusSocket
  private let line: SerialLine?
  let echoes: Bool

  init(socket: consuming ModbusSocket, server: RTUOverTCP) {
    self.socket = socket
    line = server.line
    echoes = server.echoes
  }

  var name: String { socket.endpoint }
  var silence: Duration { .microseconds(line?.silenceMicroseconds ?? 0) }
  /// A packet that was lost is sent again after 200 ms at the earliest (Linux's TCP_RTO_MIN).
  var longestGap: Duration { .milliseconds(250) }
  var holdsBack: Bool { true }

  func duration(ofCharacters count: Int) -> Duration {
    .microseconds(line?.microseconds(ofCharacters: count) ?? 0)
  }

  mutating func receive(waiting time: Duration) throws(TransactionError) -> [UInt8] {
    var received: [UInt8] = []
    _ = try socket.receive(into: &received, waiting: time)
    return received
  }

  mutating func send(_ bytes: [UInt8]) throws(TransactionError) -> ContinuousClock.Instant {
    try socket.send(bytes)
    return .now + duration(ofCharacters: bytes.count)
  }
}
