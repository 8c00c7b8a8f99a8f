import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import Drivers

/// What a serial port is told, as the arguments of the calls: pseudo-terminals carry 8 bits without
/// parity whatever they are told, and have no RS-485.
@Suite("A serial port's settings", .ownThread)
struct SerialPortSettingsTests {
  private let request = ReadRequest(table: .holding, address: 0, count: 1)

  private func open(_ line: SerialLine, _ terminal: RecordedTerminal) throws(ConnectError) {
    _ = try SerialPort.open(line, calls: terminal.calls)
  }

  @Test(
    "Every speed, as many data bits, parity and stop bits as asked reach tcsetattr",
    arguments: SerialLine.bauds)
  func everySetting(_ baud: Int) throws {
    let codes: [Int: Int32] = [
      300: 0o7, 600: 0o10, 1200: 0o11, 2400: 0o13, 4800: 0o14, 9600: 0o15, 19_200: 0o16,
      38_400: 0o17, 57_600: 0o10001, 115_200: 0o10002, 230_400: 0o10003, 460_800: 0o10004,
      500_000: 0o10005, 576_000: 0o10006, 921_600: 0o10007,
    ]
    // The kernel's numbers (asm-generic/termbits.h), not glibc's names for them again.
    let parities: [SerialLine.Parity: UInt32] = [
      .none: 0, .even: 0o400, .odd: 0o1400, .space: 0o10000000400, .mark: 0o10000001400,
    ]
    #expect(parities.count == SerialLine.Parity.allCases.count)
    let pseudo = try PseudoTerminal()
    for (parity, parityFlags) in parities {
      for (dataBits, sizeFlags) in [(7, UInt32(0o40)), (8, 0o60)] {
        for (stopBits, stopFlags) in [(1, UInt32(0)), (2, 0o100)] {
          let terminal = RecordedTerminal()
          try open(
            SerialLine(
              path: pseudo.path, baud: baud, parity: parity, stopBits: stopBits,
              dataBits: dataBits), terminal)
          // CREAD and CLOCAL beside them; the speed is in the same word.
          let speed = UInt32(try #require(codes[baud]))
          let control = 0o200 | 0o4000 | parityFlags | sizeFlags | stopFlags | speed
          let wanted = RecordedTerminal.Call.settings(
            control: control, input: parity == .none ? 0 : 0o20, speed: speed)
          #expect(terminal.recorded.first == wanted)
          // What was there before is put back.
          #expect(terminal.recorded.last == .settings(control: 0, input: 0, speed: 0))
          #expect(terminal.recorded.count == 2)
        }
      }
    }
  }

  @Test("A setting that the port's driver leaves out is an error that names it")
  func namesWhatWasDropped() throws {
    let pseudo = try PseudoTerminal()
    let line = SerialLine(
      path: pseudo.path, baud: 9600, parity: .mark, stopBits: 2, dataBits: 7)
    for (flags, words) in [
      (CMSPAR, "mark parity"), (CSTOPB, "2 stop bits"), (CS7, "7 data bits"), (B9600, "9600 Bd"),
    ] {
      let error = #expect(throws: ConnectError.self) {
        try open(line, RecordedTerminal(dropping: flags))
      }
      #expect(error?.description == "open \(pseudo.path): the port does not take \(words)")
      #expect(error?.badReason == .busClosed)
    }
  }

  @Test(
    "RS-485 by the kernel: flags and delays as TIOCSRS485 takes them, and back at the end",
    arguments: RS485Direction.Level.allCases)
  func kernelDirection(_ level: RS485Direction.Level) throws {
    let pseudo = try PseudoTerminal()
    let before: [UInt32] = [0b100, 0, 0, 0, 0, 0, 0, 0]
    let terminal = RecordedTerminal(direction: before)
    var line = SerialLine(path: pseudo.path, baud: 9600)
    line.direction = RS485Direction(
      by: .kernel, levelOnSend: level, delayBeforeMilliseconds: 2, delayAfterMilliseconds: 5)
    try open(line, terminal)
    // SER_RS485_ENABLED with RTS_ON_SEND or RTS_AFTER_SEND (<linux/serial.h>).
    let flags: UInt32 = level == .high ? 0b011 : 0b101
    let controls = terminal.recorded.filter { if case .control = $0 { true } else { false } }
    #expect(
      controls == [
        .control(request: 0x542F, words: [flags, 2, 5, 0, 0, 0, 0, 0]),
        .control(request: 0x542F, words: before),
      ])
  }

  @Test("A port without RS-485 control is refused with the key's name, and left as it was")
  func noDirection() throws {
    let pseudo = try PseudoTerminal()
    var line = SerialLine(path: pseudo.path, baud: 9600)
    line.direction = RS485Direction(by: .kernel)
    let terminal = RecordedTerminal()
    let error = #expect(throws: ConnectError.self) { try open(line, terminal) }
    #expect(
      error?.description == "open \(pseudo.path): the port does not take rs485: kernel")
    #expect(terminal.recorded.last == .settings(control: 0, input: 0, speed: 0))
    // So says a real terminal that has none.
    for way in RS485Direction.Switch.allCases {
      line.direction = RS485Direction(by: way)
      let real = #expect(throws: ConnectError.self) { _ = try SerialPort.open(line) }
      #expect(
        real?.description == "open \(pseudo.path): the port does not take rs485: \(way.rawValue)")
    }
  }

  @Test(
    "RS-485 by RTS: on, delay, the whole request, drained, delay, off",
    arguments: RS485Direction.Level.allCases)
  func requestToSend(_ level: RS485Direction.Level) throws {
    let pseudo = try PseudoTerminal()
    let terminal = RecordedTerminal()
    var line = SerialLine(path: pseudo.path, baud: 115_200)
    line.direction = RS485Direction(
      by: .rts, levelOnSend: level, delayBeforeMilliseconds: 3, delayAfterMilliseconds: 1)
    var connection = ModbusRTUConnection(try SerialPort.open(line, calls: terminal.calls))
    #expect(throws: TransactionError.timeout(brokeOff: false)) {
      try connection.read(request, unit: 3, timeout: .milliseconds(10))
    }
    let frame = ModbusRTUFrame(unit: 3, pdu: request.pdu).bytes
    // TIOCMBIS and TIOCMBIC of TIOCM_RTS (asm-generic/ioctls.h and termios.h).
    let high = RecordedTerminal.Call.control(request: 0x5416, words: [4])
    let low = RecordedTerminal.Call.control(request: 0x5417, words: [4])
    let (on, off) = level == .high ? (high, low) : (low, high)
    #expect(
      Array(terminal.recorded.dropFirst()) == [
        off, on, .pause(milliseconds: 3), .write(frame), .drain, .pause(milliseconds: 1), off,
      ])
    _ = consume connection
  }

  @Test("A request that could not be written leaves the driver off")
  func letsTheLineGo() throws {
    let pseudo = try PseudoTerminal()
    let terminal = RecordedTerminal(failsToWrite: true)
    var line = SerialLine(path: pseudo.path, baud: 115_200)
    line.direction = RS485Direction(by: .rts)
    var connection = ModbusRTUConnection(try SerialPort.open(line, calls: terminal.calls))
    let error = #expect(throws: TransactionError.self) {
      try connection.read(request, unit: 3, timeout: .milliseconds(10))
    }
    #expect(error == .closedBefore(reason: "write \(pseudo.path): Input/output error"))
    #expect(terminal.recorded.last == .control(request: 0x5417, words: [4]))
    _ = consume connection
  }
}
