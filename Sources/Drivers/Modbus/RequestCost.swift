/// What a read request costs its bus. Estimated from the line's speed and framing, so the same on
/// every machine.
struct RequestCost: Sendable, Hashable {
  /// Microseconds that a live unit is reckoned to take before it answers, until that is measured.
  /// libmodbus's own slave takes 0.06 ms on loopback (measured); devices answer once a scan of
  /// their program, some ms. Over TCP that is the whole transaction. A gateway to a line of 9600 Bd
  /// takes 20…150 ms for 2…60 registers and is a matter of that line.
  static let reckonedTurnaround: Int64 = 10_000
  /// Nanoseconds that a byte over TCP is priced at: 1 Mbit/s, as much as a radio bridge has for one
  /// of many.
  private static let nominalByte: Int64 = 8_000
  /// Ethernet, IP and TCP put 66 bytes before each message, Modbus 7 and its own: 5 of a request, 2
  /// of an answer beside the data.
  private static let tcpOverhead = 2 * (66 + 7) + 5 + 2

  private let line: SerialLine?
  /// Microseconds of silence behind request and answer, on a serial line.
  private let silences: Int64
  /// Microseconds that the direction control takes beside the bits of a request.
  private let switching: Int64
  /// Microseconds from a request's end to its answer's beginning; over TCP all that it takes.
  let turnaround: Int64

  /// What requests to a unit cost.
  /// - Parameters:
  ///   - line: The serial line; `nil` over TCP.
  ///   - turnaround: Microseconds that the unit takes before it answers.
  ///   - pause: The least silence before a request to the unit, in microseconds.
  init(line: SerialLine?, turnaround: Int64 = reckonedTurnaround, pause: Int64 = 0) {
    self.line = line
    self.turnaround = turnaround
    let silence = line?.silenceMicroseconds ?? 0
    silences = silence + max(silence, pause)
    switching = (line?.direction?.sendingMilliseconds ?? 0) * 1000
  }

  /// Microseconds of the bus's time that asking for `count` addresses of `table` takes with a live
  /// unit: request and answer on the wire, the delays of the direction control, a silence behind
  /// each, and the unit's turn-around.
  func microseconds(of table: ModbusTable, count: Int) -> Int64 {
    turnaround + wireMicroseconds(of: table, count: count)
  }

  /// The same without the unit's turn-around.
  func wireMicroseconds(of table: ModbusTable, count: Int) -> Int64 {
    guard let line else { return silences }
    let overhead = ModbusRTUFrame.requestLength + ModbusRTUFrame.answerOverhead
    return line.microseconds(ofCharacters: overhead + table.dataLength(of: count)) + silences
      + switching
  }

  /// What a plan is to have the least of: the bus's time, and over TCP, where bytes take none of
  /// it, a nominal price of them.
  func price(of table: ModbusTable, count: Int) -> Int64 {
    let time = microseconds(of: table, count: count)
    guard line == nil else { return time }
    return time + Int64(Self.tcpOverhead + table.dataLength(of: count)) * Self.nominalByte / 1000
  }

  /// Microseconds that a request takes until a silent unit's time-out begins.
  var requestMicroseconds: Int64 {
    switching + (line?.microseconds(ofCharacters: ModbusRTUFrame.requestLength) ?? 0)
  }
}

extension RequestCost {
  /// What requests to `device` cost on its bus.
  /// - Parameter measured: What the device takes before it answers, in microseconds, if that is
  ///   known.
  init(_ definition: ModbusBusDefinition, _ device: ModbusDevice, measured: Int64? = nil) {
    // A unit with a turn-around of its own is known to be slow.
    // What is measured has in it that the kernel holds the line meanwhile.
    let holding = definition.endpoint.line?.direction?.holdingMilliseconds ?? 0
    let reckoned =
      max(Self.reckonedTurnaround, device.turnaroundMilliseconds * 1000) + holding * 1000
    let pause = max(definition.manners.pauseMilliseconds, device.pauseMilliseconds)
    self.init(
      line: definition.endpoint.line, turnaround: measured ?? reckoned, pause: pause * 1000)
  }

  /// Microseconds that `request` takes with a live unit.
  func microseconds(of request: PlannedRequest) -> Int64 {
    microseconds(of: request.table, count: request.count)
  }

  /// The same without the unit's turn-around.
  func wireMicroseconds(of request: PlannedRequest) -> Int64 {
    wireMicroseconds(of: request.table, count: request.count)
  }
}

extension ModbusTable {
  /// Bytes of data in a good answer with `count` addresses.
  func dataLength(of count: Int) -> Int { holdsBits ? (count + 7) / 8 : count * 2 }
}

/// The median of what a unit took before it answered, of one batch of answers after the other: one
/// slow answer doesn't move it, a slow unit does. Bounded, and the same for the same answers.
struct TurnaroundMeter: Sendable, Hashable {
  /// Answers in a batch: odd, so that one of them is the middle; half a minute at 1 Hz.
  static let batch = 31
  /// The first batch, so that a plan need not wait so long for the first measure.
  static let firstBatch = 7

  private var batch: [Int64] = []
  /// The median of the newest whole batch, in microseconds; `nil` before the first.
  private(set) var median: Int64?

  /// An answer came after that many microseconds; returns whether the median is new.
  mutating func record(_ microseconds: Int64) -> Bool {
    if batch.isEmpty { batch.reserveCapacity(Self.batch) }
    batch.append(microseconds)
    guard batch.count >= (median == nil ? Self.firstBatch : Self.batch) else { return false }
    batch.sort()
    median = batch[batch.count / 2]
    batch.removeAll(keepingCapacity: true)
    return true
  }
}
