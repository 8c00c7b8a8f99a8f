/// What a gate makes of a change.
struct GateVerdict: Sendable, Hashable {
  /// 1: a person entered; -1: one left; 0: nobody passed.
  var passed: Int64 = 0
  /// Why the gate may have missed somebody.
  var doubt: GateDoubt?
}

/// Why a gate may have missed somebody: the words of a `gate-suspect` event's `reason`.
enum GateDoubt: String, Sendable, Hashable, CaseIterable {
  /// An edge of a line is missing.
  case edgesMissing = "edges-missing"
  /// Who had passed the first beam and held the second went back to the first: somebody who turned,
  /// or two so close together that the gap between them never cleared both.
  case directionChanged = "direction-changed"
  /// A beam was interrupted when watching began, and nobody saw from where.
  case inBeams = "in-beams"
}

/// Tells the direction of who passes two light barriers that overlap: outer, both, inner, none is
/// one who enters, the reverse one who leaves. Only where it ends counts, so who stands still,
/// hesitates or turns back is counted as what they did in the end.
struct BeamPassage: Sendable {
  /// One of the two light barriers.
  enum Beam: Sendable, Hashable, CaseIterable {
    case outer, inner
  }

  private enum Course: Sendable, Hashable {
    /// Neither beam is interrupted.
    case clear
    /// So many steps from where it was clear, of the four that make a passage; towards the inside
    /// is positive.
    case under(steps: Int64, wasFar: Bool, isDoubtful: Bool)
    /// From where is not known; `isTold`: and that was told.
    case unknown(isTold: Bool)
  }

  private var outer: Bool?
  private var inner: Bool?
  private var course = Course.unknown(isTold: false)

  /// The beam's level is not known any more.
  mutating func forget(_ beam: Beam) {
    set(beam, to: nil)
    course = .unknown(isTold: false)
  }

  /// Edges may be missing.
  mutating func suspect() -> GateVerdict {
    course = isClear ? .clear : .unknown(isTold: true)
    return GateVerdict(doubt: .edgesMissing)
  }

  /// A beam is interrupted or free from now on; the first time: is found so.
  mutating func take(_ beam: Beam, isInterrupted: Bool) -> GateVerdict {
    let known = beam == .outer ? outer : inner
    let before = place
    set(beam, to: isInterrupted)
    guard let known else {
      course = isClear ? .clear : .unknown(isTold: false)
      return GateVerdict()
    }
    guard known != isInterrupted else { return suspect() }
    switch course {
    case .unknown(let isTold):
      guard isClear else { return GateVerdict() }
      course = .clear
      return GateVerdict(doubt: isTold ? nil : .inBeams)
    case .clear: return step(from: before, steps: 0, wasFar: false, isDoubtful: false)
    case .under(let steps, let wasFar, let isDoubtful):
      return step(from: before, steps: steps, wasFar: wasFar, isDoubtful: isDoubtful)
    }
  }

  private mutating func step(
    from before: Int64, steps: Int64, wasFar: Bool, isDoubtful: Bool
  ) -> GateVerdict {
    // On the circle clear, outer, both, inner each edge is one step, this way or that.
    let now = steps + ((before + 1) % Self.places == place ? 1 : -1)
    let wasFar = wasFar || now.magnitude == 3
    let isDoubtful = isDoubtful || (wasFar && now.magnitude <= 1)
    guard isClear else {
      course = .under(steps: now, wasFar: wasFar, isDoubtful: isDoubtful)
      return GateVerdict()
    }
    course = .clear
    return GateVerdict(
      passed: now / Self.places, doubt: isDoubtful ? .directionChanged : nil)
  }

  private static let places: Int64 = 4

  /// Where on the circle the beams stand.
  private var place: Int64 {
    switch (outer ?? false, inner ?? false) {
    case (false, false): 0
    case (true, false): 1
    case (true, true): 2
    case (false, true): 3
    }
  }

  private var isClear: Bool { outer == false && inner == false }

  private mutating func set(_ beam: Beam, to isInterrupted: Bool?) {
    switch beam {
    case .outer: outer = isInterrupted
    case .inner: inner = isInterrupted
    }
  }
}
