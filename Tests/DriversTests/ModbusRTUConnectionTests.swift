import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import Drivers

@Suite("Modbus RTU connection", .ownThread)
struct ModbusRTUConnectionTests {
  private let request = ReadRequest(table: .holding, address: 4, count: 2)
  private let soon = Duration.milliseconds(300)
  private let enough = Duration.seconds(60)

  private func line(_ path: String, baud: Int = 115_200) -> SerialLine {
    SerialLine(path: path, baud: baud)
  }

  @Test("libmodbus's slave answers registers, bits and exceptions")
  func readsFromLibmodbus() throws {
    let slave = try LibmodbusLine(
      unit: 9, holdings: (0..<200).map { UInt16($0) * 300 }, coils: [true, false, true])
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    let read = { (connection: inout ModbusRTUConnection<SerialPort>, table, address, count) in
      try connection.read(
        ReadRequest(table: table, address: address, count: count), unit: 9, timeout: .seconds(60))
    }
    #expect(try read(&connection, ModbusTable.coil, 0, 3) == .values([1, 0, 1]))
    let all = (0..<125).map { UInt16($0) * 300 }
    #expect(try read(&connection, .holding, 0, 125) == .values(all))
    #expect(try read(&connection, .holding, 200, 1) == .exception(2))
    #expect(try read(&connection, .holding, 199, 1) == .values([199 * 300]))
  }

  @Test("A port is opened and read however many files are open")
  func takesHighDescriptors() async {
    await #expect(processExitsWith: .success) {
      let slave = try ScriptedLine { [.send($0.registers(5))] }
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      precondition(limit.rlim_cur > 1100, "this test needs more descriptors")
      while dup(0) < 1100 {}
      var connection = try ModbusRTUConnection.open(
        SerialLine(path: slave.path, baud: 115_200))
      let request = ReadRequest(table: .holding, address: 4, count: 2)
      let answer = try connection.read(request, unit: 3, timeout: .seconds(60))
      exit(answer == .values([5, 5]) ? 0 : 1)
    }
  }

  @Test("A damaged, foreign or senseless answer costs its request only", arguments: 0..<4)
  func survivesWrongAnswers(_ kind: Int) throws {
    let slave = try ScriptedLine { request in
      guard request.number == 0 else { return [.send(request.registers(5))] }
      switch kind {
      case 0:
        var damaged = request.registers(5)
        damaged[4] ^= 0x10
        return [.send(damaged)]
      case 1: return [.send(request.registers(5, unit: 7))]
      case 2: return [.send([UInt8](repeating: 0x55, count: 300))]
      default: return [.send(request.exception(6))]
      }
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    let start = ContinuousClock.now
    let expected: [TransactionError?] = [
      .wrongChecksum, .badAnswer(.wrongUnit(found: 7, expected: 3)), .noise, nil,
    ]
    do throws(TransactionError) {
      #expect(try connection.read(request, unit: 3, timeout: enough) == .exception(6))
      #expect(expected[kind] == nil)
    } catch {
      #expect(error == expected[kind])
    }
    // A wrong answer is known when the line is silent, long before the time is over.
    #expect(start.duration(to: .now) < enough / 2)
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([5, 5]))
  }

  @Test("A slave that drips holds the line no longer than its time")
  func limitsADrippingSlave() throws {
    let slave = try ScriptedLine { request in
      request.number == 0
        ? [.drip(request.registers(5), everyMilliseconds: 300)] : [.send(request.registers(6))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    #expect(throws: TransactionError.timeout(brokeOff: false, heard: .part)) {
      // It begins in time and would take 2.7 s: more than a busy machine may be late to read.
      try connection.read(request, unit: 3, timeout: soon)
    }
    #expect(slave.received.count == 1)
    // The rest comes into the next answer's way or before its request; whatever it does, no value
    // is made of it.
    var answer: ReadAnswer?
    for _ in 0..<20 where answer == nil {
      answer = try? connection.read(request, unit: 3, timeout: soon * 4)
    }
    #expect(answer == .values([6, 6]))
  }

  @Test("An answer that a stalled program reads long after its deadline is none")
  func refusesAnswersOfAnotherTime() throws {
    for (stall, isRead) in [(UInt32(300), true), (1300, false)] {
      var connection = ModbusRTUConnection(StallingWire(stallMilliseconds: stall))
      let answer = try? connection.read(request, unit: 3, timeout: .milliseconds(50))
      #expect(answer == (isRead ? .values([7, 7]) : nil), "\(stall) ms")
    }
  }

  @Test("A late answer that lies in the line is cleared and counted before the next request")
  func clearsTheLine() throws {
    let slave = try ScriptedLine { request in
      request.number == 0 ? [] : [.send(request.registers(222))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      try connection.read(request, unit: 3, timeout: soon)
    }
    try waitUntil("the slave has the request") { !slave.received.isEmpty }
    slave.say(try #require(slave.received.first).registers(111))
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([222, 222]))
    #expect(connection.lateAnswers == 1)
  }

  @Test("A late exception to a request of another length is not taken for the current one's")
  func doubtsALateException() throws {
    let slave = try ScriptedLine { request in
      switch request.number {
      case 0: []
      // The unit gets to the first request only now.
      case 1: [.send(request.exception(6)), .pause(milliseconds: 60), .send(request.registers(5))]
      default: [.send(request.exception(2))]
      }
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    let longer = ReadRequest(table: .holding, address: 20, count: 3)
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      _ = try connection.read(longer, unit: 3, timeout: .milliseconds(30))
    }
    #expect(try connection.read(request, unit: 3, timeout: enough) == .values([5, 5]))
    #expect(connection.lateAnswers == 1)
    let start = ContinuousClock.now
    #expect(try connection.read(request, unit: 3, timeout: enough) == .exception(2))
    #expect(start.duration(to: .now) < enough / 2, "nothing is late any more")
  }

  @Test("A late answer of another unit is not taken for the current one, and is counted")
  func passesOverAnotherUnitsLateAnswer() throws {
    let slave = try ScriptedLine { request in
      if request.number == 0 { return [] }
      return [.send(request.registers(111, unit: 3)), .send(request.registers(222))]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      try connection.read(request, unit: 3, timeout: soon)
    }
    #expect(try connection.read(request, unit: 4, timeout: enough) == .values([222, 222]))
    #expect(connection.lateAnswers == 1)
  }

  @Test("Requests keep 3.5 characters of silence after the answer before them")
  func keepsTheSilence() throws {
    let times = Monitor<[(request: ContinuousClock.Instant, answer: ContinuousClock.Instant)]>([])
    let slave = try ScriptedLine { request in
      let now = ContinuousClock.now
      times.withLock { $0.append((now, now)) }
      return [.send(request.registers(1))]
    }
    defer { slave.stop() }
    // 3.5 characters at 300 Bd are 128 ms, more than any test machine's delay hides.
    var connection = try ModbusRTUConnection.open(line(slave.path, baud: 300))
    for _ in 0..<3 { _ = try connection.read(request, unit: 3, timeout: enough) }
    let seen = times.withLock { $0 }
    for (earlier, later) in zip(seen, seen.dropFirst()) {
      #expect(earlier.answer.duration(to: later.request) >= .milliseconds(128))
    }
    #expect(seen.count == 3)
  }

  @Test("A line that is never silent is no line to ask on, and is given up in time")
  func givesABabblingLineUp() throws {
    let slave = try ScriptedLine { _ in
      [.drip([UInt8](repeating: 0x20, count: 100_000), everyMilliseconds: 1)]
    }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    _ = try? connection.read(request, unit: 3, timeout: soon)
    #expect(throws: TransactionError.badAnswer(.neverSilent)) {
      // The bytes leave no such pause, on a busy machine neither.
      try connection.read(request, unit: 3, timeout: soon, pause: .seconds(1))
    }
  }

  @Test("A port that goes away is told, before and after a request")
  func noticesAPulledPort() throws {
    let slave = try ScriptedLine { _ in [.vanish] }
    defer { slave.stop() }
    var connection = try ModbusRTUConnection.open(line(slave.path))
    #expect(throws: TransactionError.closed(reason: "\(slave.path) is gone")) {
      try connection.read(request, unit: 3, timeout: enough)
    }
    #expect(throws: TransactionError.closedBefore(reason: "\(slave.path) is gone")) {
      try connection.read(request, unit: 3, timeout: enough)
    }
  }
}

@Suite("Opening a serial port", .ownThread)
struct SerialPortTests {
  private func failure(_ path: String) -> ConnectError? {
    do throws(ConnectError) {
      _ = try ModbusRTUConnection.open(SerialLine(path: path, baud: 9600))
      return nil
    } catch {
      return error
    }
  }

  @Test("What is missing or no serial port is refused in the system's words")
  func refusesWhatIsNoPort() throws {
    let directory = try TemporaryDirectory()
    let missing = failure(directory.path + "/COM9")
    #expect(missing?.description == "open \(directory.path)/COM9: No such file or directory")
    #expect(missing?.badReason == .busClosed)
    #expect(missing?.isQuick == true)
    #expect(failure("/dev/null")?.description == "open /dev/null: it is no serial port")
  }

  @Test("A port belongs to one connection, and is free again when that ends")
  func isExclusive() throws {
    let slave = try ScriptedLine { [.send($0.registers(1))] }
    defer { slave.stop() }
    do {
      var first = try ModbusRTUConnection.open(SerialLine(path: slave.path, baud: 9600))
      let second = failure(slave.path)
      #expect(second == .portInUse(path: slave.path))
      #expect(second?.description == "open \(slave.path): in use by another program or bus")
      #expect(second?.badReason == .busClosed)
      // The attempt did the first no harm.
      let request = ReadRequest(table: .holding, address: 0, count: 1)
      #expect(try first.read(request, unit: 1, timeout: .seconds(60)) == .values([1]))
    }
    // A child that another test starts holds a copy of the descriptor until it becomes a program.
    try waitUntil("the port is free") { failure(slave.path) == nil }
  }

  @Test("A port that a program holds by flock is not touched")
  func respectsAnotherProgramsLock() throws {
    let terminal = try PseudoTerminal()
    let claim = try TerminalClaim(path: terminal.path)
    #expect(failure(terminal.path) == .portInUse(path: terminal.path))
    withExtendedLifetime(terminal) {}
    _ = consume claim
  }

  @Test("Speed, stop bits and raw bytes reach the terminal")
  func configuresThePort() throws {
    let terminal = try PseudoTerminal()
    let line = SerialLine(path: terminal.path, baud: 19_200, parity: .odd, stopBits: 2)
    let connection = try ModbusRTUConnection.open(line)
    var settings = termios()
    #expect(tcgetattr(terminal.descriptor, &settings) == 0)
    #expect(cfgetispeed(&settings) == speed_t(B19200))
    #expect(cfgetospeed(&settings) == speed_t(B19200))
    #expect(settings.c_cflag & tcflag_t(CSTOPB) != 0)
    // A pseudo-terminal drops PARENB, the kernel keeps which parity it would be.
    #expect(settings.c_cflag & tcflag_t(PARODD) != 0)
    #expect(settings.c_lflag & tcflag_t(ICANON | ECHO | ISIG) == 0)
    #expect(settings.c_iflag & tcflag_t(IXON | ICRNL | ISTRIP) == 0)
    #expect(settings.c_oflag & tcflag_t(OPOST) == 0)
    _ = consume connection
  }
}

/// A wire that has the answer in time, to a program that has no processor when it reads it.
private struct StallingWire: RTUWire {
  let stallMilliseconds: UInt32
  private var answer: [UInt8] = []

  let name = "stalling"
  let silence = Duration.zero
  let longestGap = Duration.zero
  let holdsBack = false
  let echoes = false

  init(stallMilliseconds: UInt32) { self.stallMilliseconds = stallMilliseconds }

  func duration(ofCharacters count: Int) -> Duration { .zero }

  mutating func send(_ bytes: [UInt8]) -> ContinuousClock.Instant {
    answer = ModbusRTUFrame(unit: bytes[0], pdu: [bytes[1], 4, 0, 7, 0, 7]).bytes
    return .now
  }

  mutating func receive(waiting time: Duration) -> [UInt8] {
    guard !answer.isEmpty else { return [] }
    defer { answer = [] }
    usleep(stallMilliseconds * 1000)
    return answer
  }
}
