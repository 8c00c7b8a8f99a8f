internal import Telemetry

/// `register × scale + offset`, exact for integers.
struct LinearScaling: Sendable, Hashable {
  private let scale: DecimalNumber
  private let offset: DecimalNumber

  /// `nil` when neither is configured: then a value stays in the type it was measured in.
  init?(scale: DecimalNumber?, offset: DecimalNumber?) {
    guard scale != nil || offset != nil else { return nil }
    self.scale = scale ?? DecimalNumber(mantissa: 1, decimals: 0)
    self.offset = offset ?? DecimalNumber(mantissa: 0, decimals: 0)
  }

  /// The scaled integer with the decimals of scale and offset, exactly; as a double where the
  /// digits don't fit 64 bits.
  func exactly(_ raw: Int128) -> Value {
    let decimals = max(scale.decimals, offset.decimals)
    guard
      let factor = Self.widen(scale, to: decimals),
      let summand = Self.widen(offset, to: decimals)
    else { return .float64(approximately(Double(raw))) }
    let (product, productOverflows) = raw.multipliedReportingOverflow(by: factor)
    let (sum, sumOverflows) = product.addingReportingOverflow(summand)
    guard !productOverflows, !sumOverflows, let mantissa = Int64(exactly: sum) else {
      return .float64(approximately(Double(raw)))
    }
    return .decimal(mantissa: mantissa, decimals: decimals)
  }

  /// The scaled number, to the precision of a double.
  func approximately(_ raw: Double) -> Double { raw * scale.approximate + offset.approximate }

  /// The number's digits with `decimals` places; `nil` when they don't fit.
  private static func widen(_ number: DecimalNumber, to decimals: UInt8) -> Int128? {
    var mantissa = Int128(number.mantissa)
    for _ in number.decimals..<decimals {
      let (product, overflows) = mantissa.multipliedReportingOverflow(by: 10)
      guard !overflows else { return nil }
      mantissa = product
    }
    return mantissa
  }
}
