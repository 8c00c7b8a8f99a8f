internal import Telemetry

/// Events that wait until the store can be written. Bounded; what has to go is counted and
/// explained like everything else that is missing.
struct PostponedEvents {
  /// As many as the ring holds.
  static let most = 1024

  /// What is handed out to be appended.
  struct Taken {
    var events: [Event]
    /// Stands for those that had to go.
    var dropped: GapDetail?

    /// All of it as events, the gap event last.
    func all(at now: Timestamp) -> [Event] {
      guard let dropped else { return events }
      return events + [
        Event(time: now, severity: .warning, source: "events", detail: .gap(dropped))
      ]
    }
  }

  private var events: [Event] = []
  private var dropped: GapDetail?

  mutating func add(_ more: [Event]) {
    events += more
    bound()
  }

  /// Gives back what could not be appended, all but the first `appended`; it is older than what was
  /// added since. The gap goes on counting: as an event among the others it would crowd them out, and
  /// its count would be forgotten when it has to go itself.
  mutating func putBack(_ taken: Taken, from appended: Int) {
    events = taken.events.dropFirst(appended) + events
    if appended <= taken.events.count, let older = taken.dropped { note(older) }
    bound()
  }

  /// Hands out all there is.
  mutating func takeAll() -> Taken {
    defer { self = PostponedEvents() }
    return Taken(events: events, dropped: dropped)
  }

  /// Drops the oldest, least severe ones first: what explains a gap is a warning.
  private mutating func bound() {
    while events.count > Self.most {
      let victim = events.firstIndex { $0.severity == .info } ?? events.startIndex
      let time = events.remove(at: victim).time.wall
      note(
        GapDetail(
          stream: .events, span: .time(from: time, to: time), count: 1, reason: .overrun))
    }
  }

  /// Counts what another gap names to what had to go.
  private mutating func note(_ gap: GapDetail) {
    guard let before = dropped, case .time(let from, let to) = before.span,
      case .time(let otherFrom, let otherTo) = gap.span
    else {
      dropped = gap
      return
    }
    dropped?.span = .time(from: min(from, otherFrom), to: max(to, otherTo))
    dropped?.count = (before.count ?? 0) + (gap.count ?? 0)
  }
}
