import Glibc
import LinuxSystem
import Synchronization
import TestSupport

@testable import Drivers

/// Slaves on a pseudo-terminal that answer each request as a test says, also wrongly. The port has
/// a path that stays when it goes away and comes back.
final class ScriptedLine: Sendable {
  /// A request as it came.
  struct Request: Sendable {
    /// Which request of all, from 0.
    let number: Int
    let bytes: [UInt8]
    /// When it was read.
    let time = ContinuousClock.now

    var unit: UInt8 { bytes[0] }
    var function: UInt8 { bytes[1] }
    var count: Int { Int(bytes[4]) << 8 | Int(bytes[5]) }

    /// The right answer, with `value` in every register; from another unit if one is given.
    func registers(_ value: UInt16, unit: UInt8? = nil, function: UInt8? = nil) -> [UInt8] {
      let word = [UInt8(value >> 8), UInt8(value & 0xFF)]
      let data = (0..<count).flatMap { _ in word }
      let pdu = [function ?? self.function, UInt8(data.count)] + data
      return ModbusRTUFrame(unit: unit ?? self.unit, pdu: pdu).bytes
    }

    func exception(_ code: UInt8) -> [UInt8] {
      ModbusRTUFrame(unit: unit, pdu: [function | 0x80, code]).bytes
    }
  }

  enum Step: Sendable {
    case send([UInt8])
    /// One byte at a time.
    case drip([UInt8], everyMilliseconds: UInt32)
    /// The slave takes its time.
    case pause(milliseconds: UInt32)
    /// The port goes away.
    case vanish
  }

  let path: String
  private let directory: TemporaryDirectory
  private let terminal: Monitor<PseudoTerminal?>
  private let requests = Monitor<[Request]>([])
  private let hasEnded = Atomic(false)

  /// Starts the slaves; the port is there unless `isPresent` says otherwise.
  init(isPresent: Bool = true, answer: @escaping @Sendable (Request) -> [Step]) throws {
    directory = try TemporaryDirectory()
    path = directory.path + "/COM1"
    terminal = Monitor(nil)
    if isPresent { try appear() }
    try Thread.start(named: "line") { [self] in
      while !hasEnded.load(ordering: .acquiring) { serve(answer) }
      vanish()
    }
  }

  func stop() { hasEnded.store(true, ordering: .releasing) }

  /// Every request so far.
  var received: [Request] { requests.withLock { $0 } }

  /// Plugs the port in.
  func appear() throws {
    let made = try PseudoTerminal()
    try systemCall("symlink", on: path) { symlink(made.path, path) }
    terminal.withLock { $0 = made }
  }

  /// Pulls the port out.
  func vanish() {
    unlink(path)
    terminal.withLock { $0 = nil }
  }

  /// Puts bytes on the line that nobody asked for.
  func say(_ bytes: [UInt8]) {
    guard let terminal = terminal.withLock({ $0 }) else { return }
    _ = write(terminal.descriptor, bytes, bytes.count)
  }

  /// Answers the next request; returns soon if there is none.
  private func serve(_ answer: (Request) -> [Step]) {
    guard let bytes = nextRequest() else { return }
    let request = requests.withLock { requests in
      let request = Request(number: requests.count, bytes: bytes)
      requests.append(request)
      return request
    }
    for step in answer(request) {
      switch step {
      case .send(let bytes): say(bytes)
      case .drip(let bytes, let pause):
        for byte in bytes where !hasEnded.load(ordering: .acquiring) {
          say([byte])
          usleep(pause * 1000)
        }
      case .pause(let milliseconds): usleep(milliseconds * 1000)
      case .vanish: vanish()
      }
    }
  }

  private func nextRequest() -> [UInt8]? {
    var request: [UInt8] = []
    while request.count < ModbusRTUFrame.requestLength {
      guard !hasEnded.load(ordering: .acquiring), let terminal = terminal.withLock({ $0 }) else {
        usleep(1000)
        return nil
      }
      var entry = pollfd(fd: terminal.descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&entry, 1, 10)
      var bytes = [UInt8](repeating: 0, count: ModbusRTUFrame.requestLength - request.count)
      let count = read(terminal.descriptor, &bytes, bytes.count)
      if count > 0 { request += bytes.prefix(count) }
      // Nobody has it open: polling returns at once.
      if entry.revents & Int16(POLLHUP) != 0 { usleep(1000) }
    }
    return request
  }
}

/// A bus on a serial line.
func bus(
  _ line: SerialLine, timeout: Int64 = 1000, _ devices: ModbusDevice...
) -> ModbusBusDefinition {
  ModbusBusDefinition(
    name: "line", endpoint: .rtu(line), timeoutMilliseconds: timeout, devices: devices)
}
