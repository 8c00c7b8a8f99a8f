internal import Drivers
internal import Telemetry

/// What the machine that makes a plan has of its GPIO lines, at the moment. It is for `check`
/// alone: a file that is right stays right whatever the board has, and an agent heals what comes
/// and goes.
struct LineFindings {
  /// Where a line was found, by its configured name.
  private(set) var places: [String: String] = [:]
  /// What is wrong, by the line's configured name.
  private(set) var warnings: [String: String] = [:]

  /// The rule for udev that the package installs.
  private static let rule = "60-edge-agent.rules"

  /// Looks at nothing.
  init() {}

  /// Looks for these lines without taking any.
  init(_ lines: [LineDefinition]) { self.init(LineSurvey.of(lines)) }

  /// Tells what was found.
  init(_ findings: [LineFinding]) {
    /// Names of lines by where they were found.
    var owners: [String: String] = [:]
    for finding in findings {
      if let place = finding.place {
        places[finding.line] = place
        if let owner = owners[place] {
          warnings[finding.line] =
            "it is the line of \(owner) too: one of them has it, the other's points are line-busy"
        }
        owners[place] = owners[place] ?? finding.line
      }
      guard let fault = finding.fault else { continue }
      let rule = fault == .refused ? " (\(Self.rule) is such a rule)" : ""
      warnings[finding.line] =
        "\(finding.text ?? "\(fault)")\(rule); its points are \(fault) until that is mended"
    }
  }
}
