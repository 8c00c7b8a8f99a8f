internal import Telemetry

/// Events that wait until the store can be written. Bounded; what has to go is counted and
/// explained like everything else that is missing.
struct PostponedEvents {
  /// As many as the ring holds.
  static let most = 1024

  private var events: [Event] = []
  private var dropped: GapDetail?

  mutating func add(_ more: [Event]) {
    events += more
    bound()
  }

  /// Gives back what could not be appended; it is older than what was added since.
  mutating func putBack(_ older: [Event]) {
    events = older + events
    bound()
  }

  /// All events, with the gap event of those that had to go.
  mutating func takeAll(at now: Timestamp) -> [Event] {
    var all = events
    if let dropped {
      all.append(
        Event(time: now, severity: .warning, source: "events", detail: .gap(dropped)))
    }
    events = []
    dropped = nil
    return all
  }

  /// Drops the oldest, least severe ones first: what explains a gap is a warning.
  private mutating func bound() {
    while events.count > Self.most {
      let victim = events.firstIndex { $0.severity == .info } ?? events.startIndex
      let time = events.remove(at: victim).time.wall
      let count = dropped?.count ?? 0
      var span = (from: time, to: time)
      if case .time(let from, let to)? = dropped?.span {
        span = (min(from, time), max(to, time))
      }
      dropped = GapDetail(
        stream: .events, span: .time(from: span.from, to: span.to), count: count + 1,
        reason: .overrun)
    }
  }
}
