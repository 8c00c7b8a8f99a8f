internal import Telemetry

/// Reads what `SampleEncoder` wrote. After an error it is of no use before the next key. A pure
/// value.
struct SampleDecoder {
  private var memory = SampleMemory()

  /// Begins anew: a key follows.
  mutating func beginKey() { memory.beginKey() }

  mutating func read(
    _ reader: inout ByteReader, devices: [DeviceSchema?]
  ) throws(MalformedBytes) -> StoredSample {
    let head = try reader.varint()
    guard head >> 2 < UInt64(devices.count), let device = devices[Int(head >> 2)] else {
      throw MalformedBytes(description: "device number \(head >> 2) is not in the dictionary")
    }
    let number = Int(head >> 2)
    let isUniform = head & UInt64(OutcomeCode.oneCode) != 0
    let expected = memory.expectedTime(device: number, points: device.points.count)
    let time = expected &+ (try reader.zigzag())
    memory.note(time, device: number)
    let outcomes: [PointOutcome]
    if head & OutcomeCode.listedPoints == 0 {
      outcomes = try readOutcomes(&reader, number, isUniform, device.points.count) { $0 }
    } else {
      let points = try readPoints(&reader, of: device)
      outcomes = try readOutcomes(&reader, number, isUniform, points.count) { points[$0] }
    }
    return StoredSample(device: device, monotonic: time, outcomes: outcomes)
  }

  private func readPoints(
    _ reader: inout ByteReader, of device: DeviceSchema
  ) throws(MalformedBytes) -> [Int] {
    let count = try reader.count()
    var points: [Int] = []
    points.reserveCapacity(count)
    for _ in 0..<count {
      let point = try reader.varint()
      guard point < UInt64(device.points.count) else {
        throw MalformedBytes(
          description: "point \(point) of \(device.name), which has \(device.points.count)")
      }
      points.append(Int(point))
    }
    return points
  }

  private mutating func readOutcomes(
    _ reader: inout ByteReader, _ number: Int, _ isUniform: Bool, _ count: Int,
    point: (Int) -> Int
  ) throws(MalformedBytes) -> [PointOutcome] {
    let codes = try reader.bytes(isUniform ? 1 : (count + 1) / 2)
    guard !isUniform || codes[0] <= OutcomeCode.explicit else {
      throw MalformedBytes(description: "outcome code \(codes[0])")
    }
    return try memory.withPoints(ofDevice: number) { points throws(MalformedBytes) in
      var outcomes: [PointOutcome] = []
      outcomes.reserveCapacity(count)
      for index in 0..<count {
        let pair = codes[isUniform ? 0 : index >> 1]
        let code = isUniform || index & 1 == 0 ? pair & 0xF : pair >> 4
        let point = point(index)
        let outcome = try Self.readOutcome(code, after: &points[point], &reader)
        outcomes.append(PointOutcome(point: point, outcome: outcome))
      }
      return outcomes
    }
  }

  private static func readOutcome(
    _ code: UInt8, after memory: inout PointMemory, _ reader: inout ByteReader
  ) throws(MalformedBytes) -> Outcome {
    switch code {
    case OutcomeCode.same:
      return try again(memory)
    case OutcomeCode.deltas:
      let delta = try reader.integer(bytes: OutcomeCode.deltaBytes[Int(code) - 1])
      try memory.add(Int64(bitPattern: delta >> 1) ^ -Int64(bitPattern: delta & 1))
      return .good(try memory.value())
    case OutcomeCode.float32:
      let bits = try reader.fixed(UInt32.self)
      memory.hold(.float32, UInt64(bits))
      return .good(.float32(Float(bitPattern: bits)))
    case OutcomeCode.steps:
      let step = OutcomeCode.step(code)
      let change = try reader.integer(bytes: step.bytes)
      let base = OutcomeCode.steps(in: memory.float, scale: step.scale)
      let count = base + (Int64(change >> 1) ^ -Int64(change & 1))
      let value = OutcomeCode.value(ofSteps: count, scale: step.scale)
      memory.hold(.float32, UInt64(value.bitPattern))
      return .good(.float32(value))
    case OutcomeCode.no, OutcomeCode.yes:
      memory.hold(.bool, code == OutcomeCode.yes ? 1 : 0)
      return .good(.bool(code == OutcomeCode.yes))
    case OutcomeCode.bad:
      let reason = try reader.fixed(UInt8.self)
      memory.last = .bad(reason)
      return try again(memory)
    default:
      let outcome = try BatchCodec.readOutcome(&reader)
      memory.hold(outcome)
      return outcome
    }
  }

  private static func again(_ memory: PointMemory) throws(MalformedBytes) -> Outcome {
    switch memory.last {
    case .good: return .good(try memory.value())
    case .bad(let code):
      guard let reason = BadReason(code: code) else {
        throw MalformedBytes(description: "bad reason \(code)")
      }
      return .bad(reason)
    case .nothing:
      throw MalformedBytes(description: "an outcome as before, and none is before it")
    }
  }
}
