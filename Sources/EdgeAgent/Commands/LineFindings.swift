internal import Drivers

/// What the machine that makes a plan has of its GPIO lines, at the moment. It is for `check`
/// alone: a file that is right stays right whatever the board has, and an agent heals what comes
/// and goes.
struct LineFindings {
  /// Where a line was found, by its configured name.
  private(set) var places: [String: String] = [:]
  /// What is wrong, by the line's configured name.
  private(set) var warnings: [String: String] = [:]

  /// Looks at nothing.
  init() {}
}
