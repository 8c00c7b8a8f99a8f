/// How the time before ended, for counts that go on from it: a reason's name. Others than those
/// here say that something may be missing, or that nothing is known.
public enum PastEnding {
  /// The agent was told to stop, and did.
  public static let stop = "stop"
  /// The agent went over to another configuration.
  public static let reload = "reload"
  /// What the journal had last of a count can't be read any more.
  static let damaged = "damaged"

  /// Whether nothing that was counted then is missing; `nil`: there was nothing.
  static func isTrusted(_ reason: String?) -> Bool {
    reason == nil || reason == stop || reason == reload
  }
}
