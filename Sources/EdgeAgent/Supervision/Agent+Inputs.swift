internal import Buffering
internal import Drivers
internal import Telemetry

// GPIO lines and areas.
extension Agent {
  /// How long a reload waits for the lines to be given back when none is configured any more.
  private static let linesEndSeconds = 0.5

  /// Goes over to the configured lines and areas, of which these are new or different. Counts and
  /// balances go on where they stood.
  func beginInputs(lines beginningLines: Set<String>, areas beginningAreas: Set<String>) {
    let digest = JournalChange(configuration).definitionsDigest
    let counts = configuration.lines.filter(\.isCount).map(\.name)
    let beginning = beginningLines.intersection(counts)
    let newest = writer.journal.newestSamples(of: beginning.union(beginningAreas))
    headcount.use(
      configuration.areas, lines: Set(configuration.lines.map(\.name)), restored: newest,
      definitions: digest)
    let headcount = configuration.areas.isEmpty ? nil : headcount
    for bus in buses { bus.intake.use(definitions: digest, headcount: headcount) }
    var totals = newest.samples.compactMapValues(CountTotal.total).mapValues { KnownTotal($0) }
    for line in beginning.intersection(newest.damaged) {
      totals[line] = KnownTotal(totals[line]?.total, isDamaged: true)
    }
    use(configuration.lines, totals: totals, definitions: digest)
  }

  private func use(
    _ definitions: [LineDefinition], totals: [String: KnownTotal], definitions digest: UInt32
  ) {
    if definitions.isEmpty {
      guard let ending = lines else { return }
      ending.cancel()
      ending.waitForEnd(atMost: Self.linesEndSeconds)
      ending.intake.close()
      lines = nil
    } else if let lines {
      lines.use(definitions, totals: totals, definitions: digest)
    } else {
      let intake = LineIntake(board: board, headcount: headcount, definitions: digest)
      let reason = writer.journal.isAfterOrderlyStop ? "stop" : GapReason.uncleanStop.rawValue
      lines = LinesPart(
        definitions, totals: totals, totalReason: reason, intake: intake, board: board,
        clock: clock)
    }
  }
}

extension LineDefinition {
  /// Whether it has a total.
  var isCount: Bool { if case .count = purpose { true } else { false } }
}
