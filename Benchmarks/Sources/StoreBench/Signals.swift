internal import Buffering
internal import Telemetry

/// What fills the store: 16 devices of 16 float32 points, read once a second.
struct Mine {
  static let devices = 16
  static let pointsPerDevice = 16
  /// Values of a cycle.
  static let values = devices * pointsPerDevice

  /// How a value follows the one before.
  enum Signal: String, CaseIterable {
    /// A sensor of two decimals whose reading wanders by a digit or stays.
    case sensor
    /// All 23 bits of the fraction anew each time: no coding can shorten it.
    case noise
  }

  private let schemas = (1...devices).map { device in
    DeviceSchema(name: "station-\(device)", points: (1...pointsPerDevice).map { "ch4-\($0)" })
  }
  private let signal: Signal
  private var levels = [Int32](repeating: 120, count: values)
  private var random = SplitMix(state: 1)
  private(set) var time = Timestamp(
    monotonic: 1_000_000, offset: 1_760_000_000_000, clock: .synced)

  init(_ signal: Signal) { self.signal = signal }

  /// The samples of the next second. Devices answer a few milliseconds after each other.
  mutating func nextCycle() -> [DefinedSample] {
    time = time.advanced(by: 1000)
    return schemas.indices.map { device in
      let outcomes = (0..<Self.pointsPerDevice).map { point in
        PointOutcome(
          point: point, outcome: .good(.float32(next(device * Self.pointsPerDevice + point))))
      }
      let moment = time.advanced(by: Int64(device * 3 + Int(random.next() & 1)))
      return DefinedSample(
        Sample(device: schemas[device], time: moment, outcomes: outcomes), definitions: 1)
    }
  }

  private mutating func next(_ index: Int) -> Float {
    switch signal {
    case .noise: return Float(random.next() >> 40) / Float(1 << 24)
    case .sensor:
      // Half of the readings are those before.
      let draw = random.next() & 3
      if draw == 0 { levels[index] += 1 } else if draw == 1 { levels[index] -= 1 }
      levels[index] = max(0, min(400, levels[index]))
      return Float(levels[index]) / 100
    }
  }
}

/// The output function of SplitMix64 (Steele, Lea, Flood, 2014): the same values in each run.
private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}
