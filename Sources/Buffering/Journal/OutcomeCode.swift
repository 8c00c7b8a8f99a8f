/// The four bits that stand for an outcome in format version 2, and what they have in common for
/// writing and reading. docs/journal-format.md describes each; never renumber one.
enum OutcomeCode {
  /// The outcome before, again.
  static let same: UInt8 = 0
  /// The last good value plus a zigzag number of 1, 2, 3, 4, 6 or 8 bytes.
  static let deltas: ClosedRange<UInt8> = 1...6
  static let deltaBytes = [1, 2, 3, 4, 6, 8]
  /// A float of 4 bytes.
  static let float32: UInt8 = 7
  /// A float that is a decimal number, by its steps from the last one.
  static let steps: ClosedRange<UInt8> = 8...11
  /// The one whose steps are hundredths in a byte: most sensors' numbers.
  static let hundredths: UInt8 = 9
  static let stepsToTry: [UInt8] = [9, 8, 10, 11]
  static let no: UInt8 = 12
  static let yes: UInt8 = 13
  /// A reason without a value.
  static let bad: UInt8 = 14
  /// A tag and what it says, as in version 1.
  static let explicit: UInt8 = 15

  /// In what a sample begins with: its points are listed, not all of the device's in order.
  static let listedPoints: UInt64 = 1
  /// In the first byte of a sample: one code stands for all its outcomes.
  static let oneCode: UInt8 = 2

  /// A kind of decimal step: what one step is part of, and in how many bytes steps are counted.
  struct Step {
    var scale: Double
    var bytes: Int
  }

  /// What the codes `steps` mean.
  static func step(_ code: UInt8) -> Step {
    switch code {
    case 8: Step(scale: 10, bytes: 1)
    case 9: Step(scale: 100, bytes: 1)
    case 10: Step(scale: 100, bytes: 2)
    default: Step(scale: 10_000, bytes: 2)
    }
  }

  /// Steps are counted in floats nearer to zero than this: an integer holds them.
  static let largestStepped: Float = 1_048_576

  /// How many steps away from zero a float is, to the nearest, ties to even.
  static func steps(in value: Float, scale: Double) -> Int64 {
    guard value.magnitude < largestStepped else { return 0 }
    return Int64((Double(value) * scale).rounded(.toNearestOrEven))
  }

  /// The float that is so many steps away from zero.
  static func value(ofSteps count: Int64, scale: Double) -> Float {
    Float(Double(count) / scale)
  }
}
