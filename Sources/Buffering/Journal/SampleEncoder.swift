internal import Telemetry

/// Codes samples as what changed since the ones before. A pure value; a decoder that saw the same
/// samples since the last key reads them.
struct SampleEncoder {
  /// For how many values a float that is no decimal is not asked again whether it is one.
  private static let pause: UInt8 = 15
  /// The longest payload without the bytes of a text: reason, tags, decimals and a varint of ten
  /// bytes.
  private static let mostPayloadBytes = 16

  private var memory = SampleMemory()

  /// Begins anew: a key follows.
  mutating func beginKey() { memory.beginKey() }

  /// `number` is the device's in the segment's dictionary.
  mutating func write(_ sample: Sample, device number: Int, to writer: inout ByteWriter) {
    let outcomes = sample.outcomes
    let count = sample.device.points.count
    let expected = memory.expectedTime(device: number, points: count)
    var isInOrder = outcomes.count == count
    var textBytes = 0
    for (index, outcome) in outcomes.enumerated() {
      if outcome.point != index { isInOrder = false }
      textBytes += Self.textBytes(outcome.outcome)
    }
    let start = writer.count
    writer.varint(UInt64(number) << 2 | (isInOrder ? 0 : OutcomeCode.listedPoints))
    writer.zigzag(sample.time.monotonic &- expected)
    memory.note(sample.time.monotonic, device: number)
    if !isInOrder {
      writer.varint(UInt64(outcomes.count))
      for outcome in outcomes { writer.varint(UInt64(outcome.point)) }
    }
    let codeBytes = (outcomes.count + 1) / 2
    let isUniform = memory.withPoints(ofDevice: number) { points in
      let most = codeBytes + outcomes.count * Self.mostPayloadBytes + textBytes
      return writer.append(most: most) { room in
        var payload = Payload(room: room, end: codeBytes)
        for (index, outcome) in outcomes.enumerated() {
          // A point that the device does not have is refused when it is read.
          var none = PointMemory()
          let isKnown = points.indices.contains(outcome.point)
          let code =
            isKnown
            ? Self.write(outcome.outcome, after: &points[outcome.point], to: &payload)
            : Self.write(outcome.outcome, after: &none, to: &payload)
          room[index >> 1] |= index & 1 == 0 ? code : code << 4
        }
        let isUniform = Self.makeUniform(&payload, of: outcomes)
        return (payload.end, isUniform)
      }
    }
    if isUniform { writer.set(OutcomeCode.oneCode, at: start) }
  }

  /// Where one code can stand for all outcomes, and takes less room, writes it once. Returns
  /// whether it did.
  private static func makeUniform(
    _ payload: inout Payload, of outcomes: [PointOutcome]
  ) -> Bool {
    let count = outcomes.count
    guard count > 1 else { return false }
    let first = payload.code(0)
    var isSame = true
    var most = first
    var fewestChanged = UInt8.max
    for index in 1..<count where payload.code(index) != first { isSame = false }
    if !isSame {
      for index in 0..<count {
        let code = payload.code(index)
        most = max(most, code)
        if code != OutcomeCode.same { fewestChanged = min(fewestChanged, code) }
      }
      // A step that is counted in hundredths stands for itself alone.
      let isStep = most == OutcomeCode.hundredths && fewestChanged == most
      guard isStep || most <= 4 else { return false }
      let bytes = isStep ? 1 : Int(most)
      guard 1 + count * bytes < payload.end else { return false }
      for index in 0..<count where payload.code(index) == OutcomeCode.same {
        guard canChangeByNothing(outcomes[index].outcome, isStep: isStep) else { return false }
      }
      payload.widen(count: count, to: bytes)
    }
    payload.move(from: (count + 1) / 2, to: 1)
    payload.room[0] = most
    return true
  }

  /// Whether an outcome that is the same as before can be told as a change by 0.
  private static func canChangeByNothing(_ outcome: Outcome, isStep: Bool) -> Bool {
    switch outcome {
    case .good(.float32(let value)) where isStep:
      guard value.magnitude < OutcomeCode.largestStepped else { return false }
      let scale = OutcomeCode.step(OutcomeCode.hundredths).scale
      let count = OutcomeCode.steps(in: value, scale: scale)
      return OutcomeCode.value(ofSteps: count, scale: scale).bitPattern == value.bitPattern
    case .good(.bool), .good(.text), .bad: return false
    case .good: return !isStep
    }
  }

  /// Where payloads are written, behind the codes.
  private struct Payload {
    let room: UnsafeMutableRawBufferPointer
    var end: Int

    mutating func put(_ number: UInt64, bytes: Int) {
      var rest = number
      for _ in 0..<bytes {
        room[end] = UInt8(truncatingIfNeeded: rest)
        rest >>= 8
        end += 1
      }
    }

    /// An outcome's code.
    func code(_ index: Int) -> UInt8 {
      index & 1 == 0 ? room[index >> 1] & 0xF : room[index >> 1] >> 4
    }

    mutating func varint(_ number: UInt64) {
      var rest = number
      while rest >= 0x80 {
        put(rest & 0x7F | 0x80, bytes: 1)
        rest >>= 7
      }
      put(rest, bytes: 1)
    }

    /// Gives each of the changes so many bytes.
    mutating func widen(count: Int, to bytes: Int) {
      var source = end
      end = (count + 1) / 2 + count * bytes
      var target = end
      for index in (0..<count).reversed() {
        let code = code(index)
        let own = code == OutcomeCode.hundredths ? 1 : Int(code)
        source -= own
        target -= bytes
        for byte in (0..<bytes).reversed() {
          room[target + byte] = byte < own ? room[source + byte] : 0
        }
      }
    }

    /// Moves all from `old` on to `new`.
    mutating func move(from old: Int, to new: Int) {
      for index in old..<end { room[index - old + new] = room[index] }
      end -= old - new
    }
  }

  /// Returns the outcome's code.
  private static func write(
    _ outcome: Outcome, after memory: inout PointMemory, to payload: inout Payload
  ) -> UInt8 {
    switch outcome {
    case .bad(let reason, raw: nil):
      let code = reason.code
      if memory.last == .bad(code) { return OutcomeCode.same }
      memory.last = .bad(code)
      payload.put(UInt64(code), bytes: 1)
      return OutcomeCode.bad
    case .bad(_, raw: .some):
      memory.last = .nothing
      return writeExplicit(outcome, to: &payload)
    case .good(.bool(let value)):
      let isSame = memory.last == .good && memory.type == .bool && memory.bits == (value ? 1 : 0)
      memory.hold(.bool, value ? 1 : 0)
      return isSame ? OutcomeCode.same : value ? OutcomeCode.yes : OutcomeCode.no
    case .good(.float32(let value)):
      return write(value, after: &memory, to: &payload)
    case .good(.text(let text)):
      let isSame = memory.last == .good && memory.type == .text && memory.text == text
      memory.hold(text)
      return isSame ? OutcomeCode.same : writeExplicit(outcome, to: &payload)
    case .good(let value):
      let (type, bits, decimals) = parts(of: value)
      let before = memory
      memory.hold(type, bits, decimals: decimals)
      guard before.type == type, before.decimals == decimals else {
        return writeExplicit(outcome, to: &payload)
      }
      if before.bits == bits, before.last == .good { return OutcomeCode.same }
      return writeDelta(zigzag(Int64(bitPattern: bits &- before.bits)), to: &payload)
    }
  }

  private static func write(
    _ value: Float, after memory: inout PointMemory, to payload: inout Payload
  ) -> UInt8 {
    let bits = value.bitPattern
    let before = memory
    let wasFloat = before.type == .float32
    memory.hold(.float32, UInt64(bits))
    if wasFloat, before.bits == UInt64(bits), before.last == .good { return OutcomeCode.same }
    let last = UInt32(truncatingIfNeeded: before.bits)
    if before.pause == 0 {
      let base = wasFloat ? Float(bitPattern: last) : 0
      if let code = writeSteps(value, from: base, to: &payload) { return code }
      memory.pause = pause
    } else {
      memory.pause = before.pause - 1
    }
    if wasFloat {
      let delta = zigzag(Int64(Int32(bitPattern: bits &- last)))
      if delta < 1 << 24 { return writeDelta(delta, to: &payload) }
    }
    payload.put(UInt64(bits), bytes: 4)
    return OutcomeCode.float32
  }

  private static func writeSteps(
    _ value: Float, from base: Float, to payload: inout Payload
  ) -> UInt8? {
    // Also refuses what is not a number.
    guard value.magnitude < OutcomeCode.largestStepped else { return nil }
    // Hundredths first: the more of a sample's points have one code, the shorter it is.
    for code in OutcomeCode.stepsToTry {
      let step = OutcomeCode.step(code)
      let count = OutcomeCode.steps(in: value, scale: step.scale)
      let again = OutcomeCode.value(ofSteps: count, scale: step.scale)
      guard again.bitPattern == value.bitPattern else { continue }
      let change = zigzag(count - OutcomeCode.steps(in: base, scale: step.scale))
      guard change >> UInt64(8 * step.bytes) == 0 else { continue }
      payload.put(change, bytes: step.bytes)
      return code
    }
    return nil
  }

  private static func writeDelta(_ delta: UInt64, to payload: inout Payload) -> UInt8 {
    let bytes = max(1, (64 - delta.leadingZeroBitCount + 7) / 8)
    // As many bytes, or the next count that there is a code for.
    let code: UInt8 =
      switch bytes {
      case 1...4: UInt8(bytes)
      case 5...6: 5
      default: 6
      }
    payload.put(delta, bytes: OutcomeCode.deltaBytes[Int(code) - 1])
    return code
  }

  private static func writeExplicit(_ outcome: Outcome, to payload: inout Payload) -> UInt8 {
    switch outcome {
    case .good(let value):
      writeTagged(value, to: &payload)
    case .bad(let reason, let raw):
      payload.put(UInt64((raw == nil ? OutcomeTag.bad : .badWithRaw).rawValue), bytes: 1)
      payload.put(UInt64(reason.code), bytes: 1)
      if let raw { writeTagged(raw, to: &payload) }
    }
    return OutcomeCode.explicit
  }

  private static func writeTagged(_ value: Value, to payload: inout Payload) {
    func put(_ tag: OutcomeTag) { payload.put(UInt64(tag.rawValue), bytes: 1) }
    switch value {
    case .bool(let value): put(value ? .yes : .no)
    case .int(let value):
      put(.int)
      payload.varint(zigzag(value))
    case .uint(let value):
      put(.uint)
      payload.varint(value)
    case .float32(let value):
      put(.float32)
      payload.put(UInt64(value.bitPattern), bytes: 4)
    case .float64(let value):
      put(.float64)
      payload.put(value.bitPattern, bytes: 8)
    case .decimal(let mantissa, let decimals):
      put(.decimal)
      payload.put(UInt64(decimals), bytes: 1)
      payload.varint(zigzag(mantissa))
    case .text(let text):
      put(.text)
      payload.varint(UInt64(text.utf8.count))
      for byte in text.utf8 { payload.put(UInt64(byte), bytes: 1) }
    }
  }

  private static func parts(
    of value: Value
  ) -> (type: PointMemory.ValueType, bits: UInt64, decimals: UInt8) {
    switch value {
    case .bool(let value): (.bool, value ? 1 : 0, 0)
    case .int(let value): (.int, UInt64(bitPattern: value), 0)
    case .uint(let value): (.uint, value, 0)
    case .float32(let value): (.float32, UInt64(value.bitPattern), 0)
    case .float64(let value): (.float64, value.bitPattern, 0)
    case .decimal(let mantissa, let decimals): (.decimal, UInt64(bitPattern: mantissa), decimals)
    // Texts are written whole.
    case .text: (.text, 0, 0)
    }
  }

  /// What the outcome's text takes, if it has one.
  private static func textBytes(_ outcome: Outcome) -> Int {
    switch outcome {
    case .good(.text(let text)), .bad(_, raw: .text(let text)?): text.utf8.count
    default: 0
    }
  }

  private static func zigzag(_ number: Int64) -> UInt64 {
    UInt64(bitPattern: (number << 1) ^ (number >> 63))
  }
}
