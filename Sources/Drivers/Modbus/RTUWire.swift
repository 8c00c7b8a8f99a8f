/// What carries the bytes of Modbus RTU: a serial port, or a socket to a serial server.
protocol RTUWire: ~Copyable {
  /// What messages call it.
  var name: String { get }
  /// The silence that has to part two messages; zero if whoever has the line sees to it.
  var silence: Duration { get }
  /// How long bytes of one answer may keep each other waiting.
  var longestGap: Duration { get }
  /// Whether the wire may hold an answer back for any time and then deliver it, as TCP does when
  /// packets are lost. A new connection has nothing of the one before it.
  var holdsBack: Bool { get }
  /// Whether what is sent comes back before the answer.
  var echoes: Bool { get }

  /// What `count` bytes take; zero where the speed is not known.
  func duration(ofCharacters count: Int) -> Duration

  /// Sends a request, and tells when its last bit has gone, which may lie ahead.
  mutating func send(_ bytes: [UInt8]) throws(TransactionError) -> ContinuousClock.Instant

  /// What arrives within `time`; empty when nothing does.
  mutating func receive(waiting time: Duration) throws(TransactionError) -> [UInt8]
}
