internal import Telemetry

/// Rounds to decimals, halves away from zero as people do.
struct DecimalRounding: Sendable, Hashable {
  private let decimals: UInt8
  private let power: Int64

  /// Rounds to so many decimals, `PointDescription.mostDecimals` at most: the product of a float of
  /// 32 bits with the power is exact then, 24 bits of the one and 21 of the other's odd part.
  init(decimals: UInt8) {
    self.decimals = min(decimals, PointDescription.mostDecimals)
    power = Self.power(of: self.decimals)
  }

  /// The value with no more decimals: a decimal, or the value itself where it has no more, or more
  /// digits than a decimal can have.
  func rounded(_ value: Value) -> Value {
    switch value {
    case .float32(let number): decimal(Double(number)) ?? value
    case .float64(let number): decimal(number) ?? value
    case .decimal(let mantissa, let places): rounded(mantissa, places)
    case .bool, .int, .uint, .text: value
    }
  }

  /// The double nearest to zero that 64 bits don't hold.
  private static let tooLarge = 0x1p63

  private func decimal(_ number: Double) -> Value? {
    let digits = (number * Double(power)).rounded(.toNearestOrAwayFromZero)
    guard digits.magnitude < Self.tooLarge else { return nil }
    return .decimal(mantissa: Int64(digits), decimals: decimals)
  }

  private func rounded(_ mantissa: Int64, _ places: UInt8) -> Value {
    guard places > decimals else { return .decimal(mantissa: mantissa, decimals: places) }
    // 10^19 and more: what is left of any number is less than a half of the last digit.
    guard places - decimals < 19 else { return .decimal(mantissa: 0, decimals: decimals) }
    let (quotient, rest) = mantissa.quotientAndRemainder(
      dividingBy: Self.power(of: places - decimals))
    let isHalf = rest.magnitude >= UInt64(Self.power(of: places - decimals)) / 2
    let step: Int64 = isHalf ? (mantissa < 0 ? -1 : 1) : 0
    return .decimal(mantissa: quotient + step, decimals: decimals)
  }

  /// Up to 10^18.
  private static func power(of exponent: UInt8) -> Int64 {
    (0..<exponent).reduce(1) { power, _ in power * 10 }
  }
}
