/// A topic of the contract, recognised by its last levels: the prefix before them is the
/// configuration's own.
struct Topic: Sendable, Hashable {
  /// What is published on it.
  enum Channel: Sendable, Hashable {
    case data(isHistory: Bool)
    case events(isHistory: Bool)
    case state
    case health
    case points(digest: String)
    /// `ack`, `resend`, or none of the contract's.
    case other
  }

  /// The levels before the channel's, without the slash between them.
  var prefix: String
  /// What is published on it.
  var channel: Channel

  /// Recognises the topic `text`.
  init(_ text: String) {
    let levels = text.split(separator: "/", omittingEmptySubsequences: false)
    let last = levels.last ?? ""
    let beforeLast = levels.dropLast().last
    let (channel, length): (Channel, Int) =
      switch (beforeLast, last) {
      case ("data", "history"): (.data(isHistory: true), 2)
      case ("events", "history"): (.events(isHistory: true), 2)
      case ("points", let digest) where !digest.isEmpty: (.points(digest: String(digest)), 2)
      case (_, "data"): (.data(isHistory: false), 1)
      case (_, "events"): (.events(isHistory: false), 1)
      case (_, "state"): (.state, 1)
      case (_, "health"): (.health, 1)
      default: (.other, 1)
      }
    prefix = levels.dropLast(length).joined(separator: "/")
    self.channel = channel
  }
}

/// A message as it arrived.
struct ArrivedMessage: Sendable, Hashable {
  /// Unix milliseconds by the receiver's clock.
  var arrival: Int64
  /// The topic in full.
  var topic: String
  /// The bytes, whatever they are.
  var payload: [UInt8]
  /// Whether the broker gave it out of its store of retained messages.
  var isRetained: Bool
}
