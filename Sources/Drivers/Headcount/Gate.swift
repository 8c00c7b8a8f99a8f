internal import Telemetry

/// One opening of an area and what passed it.
struct Gate: Sendable {
  let definition: GateDefinition
  /// Who entered by it less who left by it; below 0 where people enter here and leave elsewhere the
  /// other way round.
  var balance: Int64
  private var beams = BeamPassage()
  /// Of a turnstile: the lines' levels as far as they are known.
  private var isActive: [String: Bool] = [:]

  init(_ definition: GateDefinition, balance: Int64) {
    self.definition = definition
    self.balance = balance
  }

  /// A line's level is not known any more.
  mutating func forget(line: String) {
    isActive[line] = nil
    if case .beams = definition.sensors { roles(of: line).forEach { beams.forget($0) } }
  }

  /// Edges of a line may be missing.
  mutating func suspect() -> GateVerdict {
    if case .beams = definition.sensors { return beams.suspect() }
    return GateVerdict(doubt: .edgesMissing)
  }

  /// A line's level changed; the first one after it was not known is where it begins.
  mutating func take(line: String, isActive now: Bool) -> GateVerdict {
    var verdict = GateVerdict()
    switch definition.sensors {
    case .beams:
      for beam in roles(of: line) { verdict = beams.take(beam, isInterrupted: now) }
    case .turnstile(let enter, let leave):
      let before = isActive.updateValue(now, forKey: line)
      if before == now {
        verdict.doubt = .edgesMissing
      } else if before == false {
        verdict.passed = (line == enter ? 1 : 0) - (line == leave ? 1 : 0)
      }
    }
    balance += verdict.passed
    return verdict
  }

  private func roles(of line: String) -> [BeamPassage.Beam] {
    guard case .beams(let outer, let inner) = definition.sensors else { return [] }
    return line == outer ? [.outer] : line == inner ? [.inner] : []
  }
}
