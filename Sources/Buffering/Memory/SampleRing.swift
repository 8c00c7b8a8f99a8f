public import Telemetry
internal import LinuxSystem

/// Samples and events between the field side and the journal, in RAM: bounded, the newest are kept,
/// and what had to go is counted.
public final class SampleRing: Sendable {
  /// How much it holds.
  public struct Limits: Sendable, Hashable {
    /// Points, not samples: they are what takes memory, about 40 bytes each. The default is over
    /// four minutes of 256 points at 1 Hz, longer than any disk has been seen to stall and come
    /// back.
    public var points: Int
    /// Events are few; a storm of them beyond this is a fault that the first ones tell of.
    public var events: Int

    /// Makes limits.
    public init(points: Int = 65_536, events: Int = 1024) {
      self.points = points
      self.events = events
    }
  }

  /// Samples that were dropped because nobody took them in time.
  public struct Overrun: Sendable, Hashable {
    /// The stream they would have gone to.
    public var stream: StreamName
    /// How many.
    public var count: Int
    /// The oldest of them.
    public var first: Timestamp
    /// The newest of them.
    public var last: Timestamp
  }

  /// What is taken out in one go.
  struct Content {
    var samples: [DefinedSample] = []
    var events: [Event] = []
    var overruns: [StreamName: Overrun] = [:]
    /// Set once nothing more will come: what asked for the stop.
    var stopReason: String?
    /// Somebody wants the taker to look up, though there is nothing to take.
    var isNudged = false

    /// Whether there is nothing that the taker has to act on.
    var isIdle: Bool { samples.isEmpty && overruns.isEmpty && !isUrgent }

    /// Whether there is more than samples.
    var isUrgent: Bool { !events.isEmpty || stopReason != nil || isNudged }
  }

  fileprivate struct State {
    var content = Content()
    var points = 0
    /// Samples before this index were dropped; removed for good when there are many of them.
    var dropped = 0
  }

  /// How long samples wait for others to be taken with. Each time they are taken wakes the journal,
  /// each destination and its broker; devices that are due together, as most are, share that.
  private static let gatherSeconds = 0.001

  private let limits: Limits
  private let state: Monitor<State>

  /// Starts empty.
  public init(limits: Limits = Limits()) {
    self.limits = limits
    state = Monitor(State())
  }

  /// Takes a sample over; drops the oldest ones if there is no room.
  public func accept(_ sample: DefinedSample) {
    let limits = limits
    let isFirst = state.withLock { state in
      state.content.samples.append(sample)
      state.points += sample.sample.outcomes.count
      while state.points > limits.points, state.dropped < state.content.samples.count - 1 {
        let oldest = state.content.samples[state.dropped].sample
        state.points -= oldest.outcomes.count
        state.dropped += 1
        state.content.note(dropped: oldest.time, from: .data)
      }
      state.compact(force: false)
      return state.content.samples.count == 1
    }
    // The taker is awake by then, or gathers those that follow.
    if isFirst { state.wake() }
  }

  /// Takes an event over; drops the oldest if there is no room.
  public func accept(_ event: Event) {
    let limits = limits
    state.update { state in
      state.content.events.append(event)
      if state.content.events.count > limits.events {
        let oldest = state.content.events.removeFirst()
        state.content.note(dropped: oldest.time, from: .events)
      }
    }
  }

  /// Tells the taker that nothing more will come.
  func stop(reason: String) {
    state.update { $0.content.stopReason = reason }
  }

  /// Waits for something to take, at most `seconds`, and for samples that come shortly behind the
  /// first one; empty after that time.
  func take(atMost seconds: Double) -> Content {
    let isUrgent: Bool? = state.wait(atMost: seconds) { state in
      state.content.isIdle ? nil : state.content.isUrgent
    }
    guard let isUrgent else { return Content() }
    // Not for no time at all: that is a sleep of tens of microseconds.
    if !isUrgent, seconds > 0 {
      let _: Void? = state.wait(atMost: min(seconds, Self.gatherSeconds)) { state in
        state.content.isUrgent ? () : nil
      }
    }
    return state.withLock { state in
      state.compact(force: true)
      defer { state = State() }
      return state.content
    }
  }

  /// Takes all but the samples, which stay and are bounded here.
  func takeEvents() -> Content {
    state.withLock { state in
      var taken = state.content
      taken.samples = []
      taken.overruns = [:]
      state.content.events = []
      state.content.stopReason = nil
      state.content.isNudged = false
      return taken
    }
  }

  /// Makes the taker look up.
  func nudge() {
    state.update { $0.content.isNudged = true }
  }

  /// Returns early when the stop is asked for.
  func waitForStop(atMost seconds: Double) {
    _ = state.wait(atMost: seconds) { $0.content.stopReason }
  }
}

extension SampleRing.State {
  /// Removes dropped samples; only now and then, because it moves all the others.
  fileprivate mutating func compact(force: Bool) {
    guard force || dropped > 1024 else { return }
    content.samples.removeFirst(dropped)
    dropped = 0
  }
}

extension SampleRing.Content {
  fileprivate mutating func note(dropped time: Timestamp, from stream: StreamName) {
    var overrun =
      overruns[stream]
      ?? SampleRing.Overrun(stream: stream, count: 0, first: time, last: time)
    overrun.count += 1
    // Answers of several devices come in nearly the order of their times.
    if time.monotonic < overrun.first.monotonic { overrun.first = time }
    if time.monotonic >= overrun.last.monotonic { overrun.last = time }
    overruns[stream] = overrun
  }
}
