// Reads registers, plans requests and takes answers that are made of the fuzzer's bytes. libFuzzer
// has `main`. Built by scripts/fuzz; see docs/modbus-tests.md.
import Telemetry

@testable import Drivers

/// Numbers off the input's front; 0 behind its end.
private struct Dice {
  var rest: ArraySlice<UInt8>

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }
  mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }
  mutating func long() -> UInt64 {
    (0..<4).reduce(0) { number, _ in number << 16 | UInt64(word()) }
  }
  mutating func below(_ limit: Int) -> Int { Int(word()) % limit }
  mutating func choice<Element>(_ elements: [Element]) -> Element {
    elements[below(elements.count)]
  }
}

/// What the input's first byte makes of the rest.
private enum Target: UInt8, CaseIterable {
  case registers, plan, answerOfSerialLine, answerOfTCP
}

private let types: [RegisterType] = [
  .bool, .int16, .uint16, .int32, .uint32, .int64, .uint64, .float16, .float32, .float64, .bcd16,
  .bcd32, .bcd64,
]

/// A point as a configuration that passed its checks may have it.
private func point(_ dice: inout Dice, table: ModbusTable? = nil, type: RegisterType? = nil)
  -> ModbusPoint
{
  var type = type ?? dice.choice(types + [.bit(0), .text(registers: 1)])
  if case .bit = type { type = .bit(dice.byte() % 16) }
  if case .text = type { type = .text(registers: dice.byte() % RegisterType.longestText + 1) }
  if let table { type = table.holdsBits ? .bool : type == .bool ? .uint16 : type }
  let orders = ByteOrder.allCases.filter { order in
    order.byteCount.map { $0 == 2 * type.addressCount } ?? true
  }
  var point = ModbusPoint(
    description: PointDescription(name: "p", type: "\(type)"), table: table ?? .holding,
    address: UInt16(dice.below(65_536 - type.addressCount + 1)), type: type,
    order: dice.choice(orders), everyMilliseconds: dice.choice([100, 1000, 60_000]))
  let flags = dice.byte()
  guard type.isNumber else { return point }
  if flags & 1 != 0, type.isUnsigned {
    let first = dice.below(16 * type.addressCount)
    let last = first + dice.below(16 * type.addressCount - first)
    point.bits = UInt8(first)...UInt8(last)
  }
  if flags & 2 != 0 {
    let mask = UInt64.max >> UInt64(64 - 16 * type.addressCount)
    point.special = SpecialPatterns(errors: [dice.long() & mask], unsupported: [dice.long() & mask])
  }
  if flags & 4 != 0, !type.isFloat {
    point.description.enumeration = [Int64(dice.word()) + 1: "a", 0: "b"]
    return point
  }
  if flags & 8 != 0 { point.scale = number(&dice) }
  if flags & 16 != 0 { point.offset = number(&dice) }
  if flags & 32 != 0 {
    let ends = [number(&dice), number(&dice)].map(\.approximate).sorted()
    point.description.range = ValueRange(lower: ends[0], upper: ends[1])
  }
  if flags & 64 != 0 {
    point.description.decimals = dice.byte() % (PointDescription.mostDecimals + 1)
  }
  return point
}

/// A decimal number of at most 15 digits, as configurations have.
private func number(_ dice: inout Dice) -> DecimalNumber {
  DecimalNumber(
    mantissa: Int64(truncatingIfNeeded: dice.long()) % 1_000_000_000_000_000,
    decimals: dice.byte() % 16)
}

/// Whatever registers hold, there is an outcome that JSON and the store can carry.
private func readRegisters(_ dice: inout Dice) {
  let point = point(&dice)
  let decoder = RegisterDecoder(point)
  let words = (0..<point.type.addressCount).map { _ in
    point.type == .bool ? dice.word() % 2 : dice.word()
  }
  // Also from the middle of an answer.
  let answer = [dice.word()] + words
  let outcome = decoder.outcome(of: answer[1...])
  precondition(outcome == decoder.outcome(of: words[...]))
  switch outcome {
  case .good(let value):
    check(value)
    if let range = point.description.range, point.description.decimals == nil {
      // In the precision it was measured in.
      if case .float32(let value) = value {
        precondition(value >= Float(range.lower) && value <= Float(range.upper))
      } else {
        precondition(range.contains(value.approximate))
      }
    }
  case .bad(let reason, let raw):
    if let raw { check(raw) }
    let expected: Set<BadReason> = [.outOfRange, .notANumber, .errorValue, .unsupported]
    precondition(expected.contains(reason))
    precondition(reason != .outOfRange || raw != nil)
  }
}

private func check(_ value: Value) {
  switch value {
  case .float32(let value): precondition(value.isFinite)
  case .float64(let value): precondition(value.isFinite)
  case .text(let text): precondition(text.utf8.count <= 2 * Int(RegisterType.longestText))
  case .bool, .int, .uint, .decimal: break
  }
  precondition(!value.description.utf8.contains(0))
}

/// Whatever a device's points are and whatever it has declined, requests cover each point once,
/// stay within what protocol and device take, and cost no more than a request a point; and the
/// parts of a request that is declined cover it.
private func planRequests(_ dice: inout Dice) {
  let flags = dice.byte()
  let points = (0..<dice.below(60) + 1).map { _ in
    var point = point(&dice, table: dice.choice(ModbusTable.allCases))
    point.isAlone = flags & 1 == 1 && dice.byte() % 8 == 0
    point.isSafety = flags & 2 == 2 && dice.byte() % 8 == 0
    return point
  }
  var device = ModbusDevice(name: "d", unit: dice.byte() % 247 + 1, points: points)
  let widest = points.map(\.type.addressCount).max() ?? 1
  if flags & 4 == 4 { device.maximumRegisters = max(widest, dice.below(125) + 1) }
  if flags & 8 == 8 { device.maximumBits = dice.below(2000) + 1 }
  var limits = LearnedLimits()
  limits.joinsHoles = flags & 16 == 0
  if flags & 32 == 32 { limits.apart = [[dice.below(points.count)]] }
  if flags & 64 == 64 {
    let cut = Int(dice.word())
    limits.cuts = [LearnedLimits.Cut(table: .holding, address: cut, declined: 0..<cut + 1)]
  }
  let line = flags & 128 == 128 ? SerialLine(path: "", baud: dice.choice(SerialLine.bauds)) : nil
  let cost = RequestCost(line: line, turnaround: Int64(dice.word()))
  let requests = RequestPlanner.requests(for: device, cost: cost, limits: limits)
  check(requests, cover: Array(points.indices), of: device)
  for request in requests { checkParts(of: request, of: device) }
  let price = requests.reduce(0) { $0 + cost.price(of: $1.table, count: $1.count) }
  let single = points.reduce(0) { $0 + cost.price(of: $1.table, count: $1.type.addressCount) }
  precondition(price <= single)
}

private func checkParts(of request: PlannedRequest, of device: ModbusDevice) {
  guard let parts = RequestPlanner.parts(of: request, in: device) else { return }
  precondition(parts.count > 1)
  check(parts, cover: request.points, of: device)
  for part in parts {
    precondition(part.points.count < request.points.count)
    checkParts(of: part, of: device)
  }
}

private func check(_ requests: [PlannedRequest], cover points: [Int], of device: ModbusDevice) {
  precondition(requests.flatMap(\.points).sorted() == points)
  for request in requests {
    precondition((1...device.maximumCount(of: request.table)).contains(request.count))
    precondition(Int(request.address) + request.count <= 65_536)
    precondition(request.unit == device.unit)
    for index in request.points {
      let point = device.points[index]
      let first = Int(point.address)
      precondition(point.table == request.table)
      precondition(point.everyMilliseconds == request.everyMilliseconds)
      precondition(request.addresses.contains(first))
      precondition(request.addresses.contains(first + point.type.addressCount - 1))
    }
  }
}

private func request(_ dice: inout Dice) -> ReadRequest {
  let table = dice.choice(ModbusTable.allCases)
  return ReadRequest(
    table: table, address: dice.word(), count: dice.below(table.holdsBits ? 2000 : 125) + 1)
}

private func check(_ answer: ReadAnswer?, to request: ReadRequest) {
  guard case .values(let words)? = answer else { return }
  precondition(words.count == request.count)
  precondition(!request.table.holdsBits || words.allSatisfy { $0 < 2 })
}

private func takeSerialAnswer(_ dice: inout Dice) {
  let request = request(&dice)
  let whole = dice.byte() % 2 == 0
  // Half of the inputs get a right checksum, or nothing would get past it.
  let bytes = Array(dice.rest.prefix(256))
  let frame =
    whole ? ModbusRTUFrame(bytes[...]) : ModbusRTUFrame(unit: 1, pdu: Array(bytes.prefix(253)))
  if let frame {
    check(try? request.answer(from: frame.pdu), to: request)
    if !frame.pdu.isEmpty { precondition(ModbusRTUFrame(frame.bytes[...])?.pdu == frame.pdu) }
  }
  _ = ModbusRTUFrame(atStartOf: bytes[...])
  receive(bytes, request, unit: dice.byte(), flags: dice.byte())
}

/// However bytes come, what is made of them answers the request, or there is a reason.
private func receive(_ bytes: [UInt8], _ request: ReadRequest, unit: UInt8, flags: UInt8) {
  let sent = ModbusRTUFrame(unit: unit, pdu: request.pdu).bytes
  var reception = ModbusRTUReception(
    request, unit: unit, sent: sent, demandsEcho: flags & 1 == 1)
  var late: Set<AnswerShape> = []
  if flags & 2 == 2 { late.insert(AnswerShape(unit: unit, function: 3, dataLength: 4)) }
  if flags & 4 == 4 { late.insert(AnswerShape(unit: 1, function: 4, dataLength: 2)) }
  var rest = (flags & 8 == 8 ? sent : [])[...] + bytes
  let piece = Int(flags >> 4) + 1
  while !rest.isEmpty, reception.answer == nil {
    reception.append(Array(rest.prefix(piece)), lateShapes: late)
    rest = rest.dropFirst(piece)
    _ = (reception.isComplete, reception.failure, reception.takeLate())
  }
  check(reception.answer ?? reception.doubtedAnswer, to: request)
}

private func takeTCPAnswer(_ dice: inout Dice) {
  let request = request(&dice)
  var received = Array(dice.rest)
  while let frame = try? ModbusTCPFrame.take(from: &received) {
    precondition(ModbusTCPFrame.lengths.contains(frame.pdu.count + 1))
    let answer = try? frame.answer(to: request, transaction: frame.transaction, unit: frame.unit)
    check(answer, to: request)
  }
}

/// One input: 0 always, or the end of the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var dice = Dice(rest: Array(UnsafeBufferPointer(start: start, count: count))[...])
  switch Target(rawValue: dice.byte() % UInt8(Target.allCases.count)) {
  case .registers: readRegisters(&dice)
  case .plan: planRequests(&dice)
  case .answerOfSerialLine: takeSerialAnswer(&dice)
  case .answerOfTCP: takeTCPAnswer(&dice)
  case nil: break
  }
  return 0
}
