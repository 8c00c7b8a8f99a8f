import Telemetry

/// Samples whose points mostly move on from where they were, as readings do, and sometimes become
/// anything else.
struct RandomWalks {
  private var last: [String: Outcome] = [:]

  mutating func sample(
    at time: Timestamp, using generator: inout some RandomNumberGenerator
  ) -> Sample {
    let device = RandomSamples.devices.randomElement(using: &generator) ?? RandomSamples.devices[0]
    var points = Array(device.points.indices)
    if Int.random(in: 0..<4, using: &generator) == 0 {
      points = points.filter { _ in .random(using: &generator) }.shuffled(using: &generator)
    }
    let outcomes = points.map { point in
      let name = "\(device.name)/\(point)"
      let outcome = next(after: last[name], using: &generator)
      last[name] = outcome
      return PointOutcome(point: point, outcome: outcome)
    }
    return Sample(device: device, time: time, outcomes: outcomes)
  }

  private func next(
    after outcome: Outcome?, using generator: inout some RandomNumberGenerator
  ) -> Outcome {
    switch Int.random(in: 0..<10, using: &generator) {
    case 0: return RandomSamples.outcome(using: &generator)
    case 1: return .good(odd(using: &generator))
    case 2: return outcome ?? .bad(.timeout)
    default:
      guard case .good(let value)? = outcome else {
        return Bool.random(using: &generator) ? .bad(.timeout) : .good(odd(using: &generator))
      }
      return .good(moved(value, using: &generator))
    }
  }

  private func odd(using generator: inout some RandomNumberGenerator) -> Value {
    let floats: [Float] = [
      0, -0.0, .nan, .signalingNaN, -.nan, .infinity, -.infinity, .leastNonzeroMagnitude,
      .greatestFiniteMagnitude, 0.52, 21.7, 1_048_576, 1_048_575.9, 0.0001, 99.99,
      Float(bitPattern: 0x7F80_0001), Float(bitPattern: .random(in: 0...(.max), using: &generator)),
    ]
    let doubles: [Double] = [0, -0.0, .nan, .infinity, 0.1, .pi, .leastNonzeroMagnitude]
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: return .float64(doubles.randomElement(using: &generator) ?? 0)
    case 1: return .int([.min, .max, 0, -1].randomElement(using: &generator) ?? 0)
    case 2: return .uint([.min, .max, 1].randomElement(using: &generator) ?? 0)
    default: return .float32(floats.randomElement(using: &generator) ?? 0)
    }
  }

  private func moved(_ value: Value, using generator: inout some RandomNumberGenerator) -> Value {
    let widest = Int64(1) << Int64.random(in: 0..<62, using: &generator)
    let step = Int64.random(in: -widest...widest, using: &generator)
    switch value {
    case .bool: return .bool(.random(using: &generator))
    case .int(let number): return .int(number &+ step)
    case .uint(let number): return .uint(number &+ UInt64(bitPattern: step))
    case .float64(let number): return .float64(number + .random(in: -1...1, using: &generator))
    case .decimal(let mantissa, let decimals):
      return .decimal(mantissa: mantissa &+ step, decimals: decimals)
    case .text(let text): return .text(Bool.random(using: &generator) ? text : text + "'")
    case .float32(let number):
      let scale = [1, 10, 100, 1000, 10_000].randomElement(using: &generator) ?? 1
      guard number.magnitude < 1e6 else { return .float32(0.25) }
      let steps = (Double(number) * Double(scale)).rounded() + Double(step % 200)
      return Bool.random(using: &generator)
        ? .float32(Float(steps / Double(scale)))
        : .float32(number + .random(in: -0.1...0.1, using: &generator))
    }
  }
}
