internal import Drivers
internal import Telemetry

/// A device's points become requests.
final class Plan: Operation {
  let name = "plan-16-points"
  private let definition: ModbusBusDefinition
  private var plan: BusPlan?

  init() {
    var bus = ExampleMine.bus
    bus.devices.removeLast(bus.devices.count - 1)
    definition = bus
  }

  func prepare() { plan = nil }
  func run() { plan = BusPlan(definition) }
}

/// Polls all stations of the mine without a wire, one request after another.
private struct Polling {
  private(set) var bus = ModbusRehearsal(ExampleMine.bus, at: ExampleMine.start)
  private(set) var now = ExampleMine.start
  private(set) var request: ModbusRehearsal.Request?
  private(set) var answers = 0

  mutating func ask() { request = bus.nextRequest(at: now) }

  /// Asks; once all stations were asked, a cycle later.
  mutating func askNext() throws {
    ask()
    guard request == nil else { return }
    beginCycle()
    ask()
    guard request != nil else { throw Stuck() }
  }

  mutating func take(_ registers: [UInt16], into sink: LastSample) {
    guard let request else { return }
    bus.take(registers, for: request, at: now, into: sink)
    answers += 1
    self.request = nil
  }

  /// Whether a cycle was polled to its end.
  var isCycleDone: Bool { answers % ExampleMine.stations == 0 }

  mutating func beginCycle() { now = now.advanced(by: ExampleMine.every) }

  struct Stuck: Error {}
}

/// The next of 16 stations' requests is chosen.
final class PollStep: Operation {
  let name = "poll-step-256-points"
  private var polling = Polling()
  private let sink = LastSample()
  private var isAsked = false

  func prepare() throws {
    guard isAsked else {
      isAsked = true
      return
    }
    guard polling.request != nil else { throw Polling.Stuck() }
    polling.take(ExampleMine.registers(reading: polling.answers), into: sink)
    if polling.isCycleDone { polling.beginCycle() }
  }

  func run() { polling.ask() }
}

/// A station's registers become a sample.
final class Decode: Operation {
  let name = "decode-16-points"
  private var polling = Polling()
  private let sink = LastSample()
  private var registers: [UInt16] = []

  func prepare() throws {
    try polling.askNext()
    registers = ExampleMine.registers(reading: polling.answers)
  }

  func run() { polling.take(registers, into: sink) }
}

/// A request is framed, and its answer is taken off what was received.
final class TCPFrames: Operation {
  let name = "tcp-frames-30-registers"
  private let request: ModbusRehearsal.Request
  private let answer: [UInt8]
  private var received: [UInt8] = []
  private var registers: [UInt16]?

  init() throws {
    var polling = Polling()
    try polling.askNext()
    guard let request = polling.request else { throw Polling.Stuck() }
    self.request = request
    answer = ExampleMine.answer(to: request.frame, ExampleMine.registers(reading: 1))
    run()
    guard registers == ExampleMine.registers(reading: 1) else { throw Polling.Stuck() }
  }

  func prepare() { registers = nil }

  func run() {
    // What is sent is not needed again.
    _ = request.frame
    received.append(contentsOf: answer)
    registers = request.registers(from: &received)
  }
}
