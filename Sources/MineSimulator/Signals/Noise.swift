/// Pseudo-random numbers that depend on nothing but a seed and an index, so that a signal is a
/// pure function of time: asked twice for the same moment it answers the same.
struct Noise: Sendable, Hashable {
  private let seed: UInt64

  /// The noise of one point: no two points of a scenario share theirs.
  init(seed: UInt64, device: String, point: String) {
    // FNV-1a, 64 bits. Swift's own hashing is seeded anew in each process.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    // The zero byte between the names keeps "a" + "bc" apart from "ab" + "c".
    for byte in Array(device.utf8) + [0] + Array(point.utf8) {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    self.seed = Self.mix(seed &+ hash)
  }

  /// Which of a signal's uses the numbers are for, so that they are independent of each other.
  enum Use: UInt64 {
    case reading = 1
    case drift, burstTime, burstHeight
  }

  /// Uniform in 0..<1.
  func uniform(_ use: Use, _ index: Int64) -> Double {
    let word = Self.mix(seed ^ Self.mix(use.rawValue &+ UInt64(bitPattern: index) &* 8))
    return Double(word >> 11) * 0x1p-53
  }

  /// Between -1 and 1, the middle more often than the ends (the difference of two uniforms): a
  /// sensor's noise, but with a firm bound that a test may rely on.
  func triangular(_ use: Use, _ index: Int64) -> Double {
    uniform(use, index &* 2) - uniform(use, index &* 2 &+ 1)
  }

  /// Between -1 and 1, wandering from one random height to the next every `period`.
  func wander(_ use: Use, milliseconds: Int64, period: Int64) -> Double {
    let (index, part) = milliseconds.quotientAndRemainder(dividingBy: period)
    let share = Double(part) / Double(period)
    let smooth = share * share * (3 - 2 * share)
    let from = uniform(use, index) * 2 - 1
    let to = uniform(use, index + 1) * 2 - 1
    return from + (to - from) * smooth
  }

  /// The output function of SplitMix64 (Steele, Lea, Flood, 2014).
  private static func mix(_ value: UInt64) -> UInt64 {
    var word = value &+ 0x9e37_79b9_7f4a_7c15
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}
