internal import Glibc
internal import LinuxSystem

/// A serial port, claimed and set up (docs/decisions/0011-own-serial-port.md). Every call may block
/// its thread until its deadline.
struct SerialPort: ~Copyable {
  /// What one read takes.
  private static let readBytes = 256

  // Fields end in this order, after `deinit`.
  private let line: SerialLine
  private let calls: TerminalCalls
  private let settingsBefore: termios
  private var directionBefore: RS485Settings?
  private let claim: TerminalClaim

  private init(
    line: SerialLine, calls: TerminalCalls, settingsBefore: termios,
    claim: consuming TerminalClaim
  ) {
    self.line = line
    self.calls = calls
    self.settingsBefore = settingsBefore
    self.claim = claim
  }

  deinit {
    // With a request that the line does not take, closing would wait for up to 30 s.
    tcflush(claim.descriptor, TCIOFLUSH)
    if var direction = directionBefore {
      _ = calls.control(claim.descriptor, UInt(TIOCSRS485), &direction)
    }
    withUnsafePointer(to: settingsBefore) {
      _ = calls.setAttributes(claim.descriptor, TCSANOW, $0)
    }
  }

  /// Opens the port for this connection alone, with the line's settings.
  static func open(
    _ line: SerialLine, calls: TerminalCalls = .system
  ) throws(ConnectError) -> SerialPort {
    // Claimed first: settings would change under another program's request.
    let claim = try claim(line.path)
    var before = termios()
    try check("tcgetattr", line) { calls.attributes(claim.descriptor, &before) }
    // From here on its end puts back what it changed.
    var port = SerialPort(line: line, calls: calls, settingsBefore: before, claim: claim)
    try port.applySettings()
    try port.applyDirection()
    port.claim.excludeOthers()
    return port
  }

  private static func claim(_ path: String) throws(ConnectError) -> TerminalClaim {
    do throws(SystemError) {
      return try TerminalClaim(path: path)
    } catch {
      switch error.code {
      case EWOULDBLOCK, EBUSY: throw .portInUse(path: path)
      case ENOTTY: throw .notATerminal(path: path)
      default: throw .failed(error)
      }
    }
  }

  private static func check(
    _ call: String, _ line: SerialLine, _ body: () -> Int32
  ) throws(ConnectError) {
    do throws(SystemError) {
      try systemCall(call, on: line.path, body)
    } catch {
      throw .failed(error)
    }
  }

  private func applySettings() throws(ConnectError) {
    guard var wanted = SerialSettings.attributes(of: line) else {
      throw .settingRefused(path: line.path, setting: "\(line.baud) Bd")
    }
    // What the line said before is nobody's; and TCSAFLUSH would wait for what it does not take.
    tcflush(claim.descriptor, TCIOFLUSH)
    let isPseudo = calls.isPseudoTerminal(claim.descriptor)
    do throws(ConnectError) {
      try Self.check("tcsetattr", line) {
        calls.setAttributes(claim.descriptor, TCSAFLUSH, &wanted)
      }
    } catch {
      // glibc may call it an error that a pseudo-terminal has no parity.
      guard isPseudo else { throw error }
    }
    var taken = termios()
    try Self.check("tcgetattr", line) { calls.attributes(claim.descriptor, &taken) }
    guard !isPseudo, let setting = SerialSettings.refusal(of: wanted, in: taken, line) else {
      return
    }
    throw .settingRefused(path: line.path, setting: setting)
  }

  private mutating func applyDirection() throws(ConnectError) {
    guard let direction = line.direction else { return }
    switch direction.by {
    case .kernel:
      var before = RS485Settings()
      var wanted = RS485Settings(direction)
      try checkDirection(direction) { () throws(SystemError) in
        try systemCall("TIOCGRS485", on: line.path) {
          calls.control(claim.descriptor, UInt(TIOCGRS485), &before)
        }
        try systemCall("TIOCSRS485", on: line.path) {
          calls.control(claim.descriptor, UInt(TIOCSRS485), &wanted)
        }
      }
      directionBefore = before
    case .rts:
      try checkDirection(direction) { () throws(SystemError) in
        try setRequestToSend(direction.levelOnSend == .low)
      }
    }
  }

  /// A driver that knows no such call does not take the setting.
  private func checkDirection(
    _ direction: RS485Direction, _ body: () throws(SystemError) -> Void
  ) throws(ConnectError) {
    do throws(SystemError) {
      try body()
    } catch {
      guard [ENOTTY, EINVAL, EOPNOTSUPP].contains(error.code) else { throw .failed(error) }
      throw .settingRefused(path: line.path, setting: "rs485: \(direction.by.rawValue)")
    }
  }
}

// MARK: - The wire

extension SerialPort: RTUWire {
  var name: String { line.path }
  var silence: Duration { .microseconds(line.silenceMicroseconds) }
  /// USB adapters hand over what they have every 16 ms (FTDI's latency timer); three times that.
  var longestGap: Duration { .milliseconds(50) }
  var holdsBack: Bool { false }
  var echoes: Bool { line.echoes }

  func duration(ofCharacters count: Int) -> Duration {
    .microseconds(line.microseconds(ofCharacters: count))
  }

  mutating func receive(waiting time: Duration) throws(TransactionError) -> [UInt8] {
    var entry = pollfd(fd: claim.descriptor, events: Int16(POLLIN), revents: 0)
    var chunk = [UInt8](repeating: 0, count: Self.readBytes)
    let count: Int
    do throws(SystemError) {
      let ready = try systemCall("poll", on: line.path) {
        poll(&entry, 1, time.millisecondsRoundedUp)
      }
      guard ready > 0 else { return [] }
      count = try systemCall("read", on: line.path) {
        Glibc.read(claim.descriptor, &chunk, chunk.count)
      }
    } catch {
      // Polled as ready and nothing there: somebody flushed it.
      if error.code == EAGAIN { return [] }
      throw .closed(reason: error.description)
    }
    // A port that is gone reads as ended; one that is there reads nothing without waiting.
    guard count > 0 || entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) == 0 else {
      throw .closed(reason: "\(line.path) is gone")
    }
    return Array(chunk.prefix(count))
  }

  mutating func send(_ bytes: [UInt8]) throws(TransactionError) -> ContinuousClock.Instant {
    do throws(SystemError) {
      guard let direction = line.direction else {
        try write(bytes)
        return .now + duration(ofCharacters: bytes.count)
      }
      switch direction.by {
      case .kernel:
        try write(bytes)
        return .now + .milliseconds(direction.delayBeforeMilliseconds)
          + duration(ofCharacters: bytes.count)
      case .rts:
        try write(bytes, switching: direction)
        return .now
      }
    } catch {
      // What went of it makes no whole request.
      throw .closedBefore(reason: error.description)
    }
  }

  private func write(_ bytes: [UInt8]) throws(SystemError) {
    let sent = try systemCall("write", on: line.path) {
      calls.write(claim.descriptor, bytes, bytes.count)
    }
    // A request is far shorter than what the kernel keeps: the line takes nothing any more.
    guard sent == bytes.count else {
      throw SystemError(call: "write", subject: line.path, code: EAGAIN)
    }
  }

  /// Sends with the driver switched on. An error leaves it off, or no unit could be heard.
  private func write(
    _ bytes: [UInt8], switching direction: RS485Direction
  ) throws(SystemError) {
    let isHighOnSend = direction.levelOnSend == .high
    try setRequestToSend(isHighOnSend)
    do throws(SystemError) {
      if direction.delayBeforeMilliseconds > 0 { calls.pause(direction.delayBeforeMilliseconds) }
      try write(bytes)
      try systemCall("tcdrain", on: line.path) { calls.drain(claim.descriptor) }
      if direction.delayAfterMilliseconds > 0 { calls.pause(direction.delayAfterMilliseconds) }
    } catch {
      try setRequestToSend(!isHighOnSend)
      throw error
    }
    try setRequestToSend(!isHighOnSend)
  }

  private func setRequestToSend(_ isHigh: Bool) throws(SystemError) {
    var lines = Int32(TIOCM_RTS)
    let request = UInt(isHigh ? TIOCMBIS : TIOCMBIC)
    try systemCall(isHigh ? "TIOCMBIS" : "TIOCMBIC", on: line.path) {
      calls.control(claim.descriptor, request, &lines)
    }
  }
}
