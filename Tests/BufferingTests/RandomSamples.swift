import Telemetry

/// Samples of a few devices with every kind of outcome.
enum RandomSamples {
  static let devices = [
    DeviceSchema(name: "return-air", points: ["ch4", "wind", "fault"]),
    DeviceSchema(name: "face-101", points: (1...16).map { "p\($0)" }),
  ]

  static func value(using generator: inout some RandomNumberGenerator) -> Value {
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: .bool(.random(using: &generator))
    case 1: .int(.random(in: .min ... .max, using: &generator))
    case 2: .uint(.random(in: .min ... .max, using: &generator))
    case 3: .float32(.random(in: -1e6...1e6, using: &generator))
    case 4: .float64(.random(in: -1e12...1e12, using: &generator))
    case 5: .text(text(using: &generator))
    default:
      .decimal(
        mantissa: .random(in: -1_000_000...1_000_000, using: &generator),
        decimals: .random(in: 0...6, using: &generator))
    }
  }

  private static func text(using generator: inout some RandomNumberGenerator) -> String {
    let characters = Array("SN-1204 \"\\/风é")
    return String(
      (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        characters.randomElement(using: &generator) ?? "x"
      })
  }

  static func outcome(using generator: inout some RandomNumberGenerator) -> Outcome {
    let reason = BadReason.all.randomElement(using: &generator) ?? .timeout
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: return .bad(reason)
    case 1: return .bad(reason, raw: value(using: &generator))
    default: return .good(value(using: &generator))
    }
  }

  static func sample(
    at time: Timestamp, using generator: inout some RandomNumberGenerator
  ) -> Sample {
    let device = devices.randomElement(using: &generator) ?? devices[0]
    return Sample(
      device: device, time: time,
      outcomes: device.points.indices.map {
        PointOutcome(point: $0, outcome: outcome(using: &generator))
      })
  }
}
