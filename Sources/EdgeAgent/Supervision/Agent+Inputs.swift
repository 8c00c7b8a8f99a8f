internal import Buffering
internal import Drivers
internal import Telemetry

/// What the journal knows of counts and balances that begin.
struct InputsPast: Sendable {
  /// The newest sample of each line and area that it has one of.
  var newest: NewestSamples
  /// How the time before ended.
  var reason: String
  /// Why the journal may have lost what it knew of the others.
  var doubt: String?
}

// GPIO lines and areas.
extension Agent {
  /// How long a reload waits for the lines to be given back when none is configured any more.
  private static let linesEndSeconds = 0.5

  /// Looks in the journal for what is known of counts and balances of a configuration; not for
  /// those of `old`, which the parts that ran until now know better. Reads the disk, for a while
  /// where there is nothing of a name, so it is to be done while nothing waits for it.
  func past(
    of new: AgentConfiguration, after old: AgentConfiguration? = nil
  ) -> InputsPast {
    let journal = writer.journal
    let names = Set(new.countedNames).subtracting(old?.countedNames ?? [])
    let reason = journal.isAfterOrderlyStop ? PastEnding.stop : GapReason.uncleanStop.rawValue
    return InputsPast(
      newest: journal.newestSamples(of: names), reason: old == nil ? reason : PastEnding.reload,
      doubt: journal.isDurable ? nil : GapReason.storeFailed.rawValue)
  }

  /// Goes over to the configured lines and areas. Counts and balances go on where they stood.
  func beginInputs(_ past: InputsPast) {
    let digest = JournalChange(configuration).definitionsDigest
    headcount.use(
      configuration.areas, lines: Set(configuration.lines.map(\.name)), restored: past.newest,
      reason: past.reason, doubt: past.doubt,
      definitions: digest)
    let headcount = configuration.areas.isEmpty ? nil : headcount
    for bus in buses { bus.intake.use(definitions: digest, headcount: headcount) }
    use(configuration.lines, past, definitions: digest)
  }

  private func use(
    _ definitions: [LineDefinition], _ past: InputsPast, definitions digest: UInt32
  ) {
    let newest = past.newest
    var totals = newest.samples.compactMapValues(CountTotal.total).mapValues { KnownTotal($0) }
    for name in newest.damaged { totals[name] = KnownTotal(totals[name]?.total, isDamaged: true) }
    if definitions.isEmpty {
      guard let ending = lines else { return }
      ending.cancel()
      ending.waitForEnd(atMost: Self.linesEndSeconds)
      ending.intake.close()
      lines = nil
      // A thread that hung is forgotten with its lines: nobody would tell that it turns again.
      headcount.lines(areStuck: false)
      board.lines(areStuck: false)
    } else if let lines {
      lines.use(definitions, totals: totals, doubt: past.doubt, definitions: digest)
    } else {
      let intake = LineIntake(board: board, headcount: headcount, definitions: digest)
      lines = LinesPart(
        definitions, totals: totals, totalReason: past.reason, doubt: past.doubt,
        intake: intake, board: board, clock: clock)
    }
  }
}

extension AgentConfiguration {
  /// Lines with a total and areas with a balance.
  fileprivate var countedNames: [String] {
    lines.filter(\.isCount).map(\.name) + areas.filter { !$0.gates.isEmpty }.map(\.name)
  }
}

extension LineDefinition {
  /// Whether it has a total.
  var isCount: Bool { if case .count = purpose { true } else { false } }
}
