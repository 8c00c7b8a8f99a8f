/// How much an event matters to a dispatcher.
public enum Severity: String, Sendable, Hashable, CaseIterable {
  case info
  case warning
  case alarm
}

/// Something that happened once, for the `events` stream. Everything that a subscriber learns of
/// the agent's own doings goes this way.
public struct Event: Sendable, Hashable {
  /// Random, so that it is the same in every copy and no other event's.
  public var id: UInt64
  /// When it happened.
  public var time: Timestamp
  /// How much it matters.
  public var severity: Severity
  /// The bus, device, line, destination or stream it is about, or `agent`.
  public var source: String
  /// What happened.
  public var detail: EventDetail

  /// Makes an event; the id is drawn unless a test gives one.
  public init(
    id: UInt64 = .random(in: .min ... .max), time: Timestamp, severity: Severity, source: String,
    detail: EventDetail
  ) {
    self.id = id
    self.time = time
    self.severity = severity
    self.source = source
    self.detail = detail
  }
}

/// The closed family of what can happen, each with its typed details.
public enum EventDetail: Sendable, Hashable {
  case start(StartDetail)
  case stop(StopDetail)
  case gap(GapDetail)
  case clock(ClockDetail)
  case configuration(ConfigurationDetail)
  case store(StateDetail)
  case bus(StateDetail)
  case device(StateDetail)
  case destination(StateDetail)
  case line(LineDetail)
  case headcount(HeadcountDetail)

  /// The event's `type` in payloads.
  public var type: String {
    switch self {
    case .start: "start"
    case .stop: "stop"
    case .gap: "gap"
    case .clock: "clock"
    case .configuration: "configuration"
    case .store: "store"
    case .bus: "bus"
    case .device: "device"
    case .destination: "destination"
    case .line: "line"
    case .headcount: "headcount"
    }
  }
}

/// The two streams of a store. Raw values are part of the journal's format.
public enum StreamName: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case events = 1
  case data = 2

  /// The stream's name in payloads and of its folder.
  public var description: String {
    switch self {
    case .events: "events"
    case .data: "data"
    }
  }
}

/// An epoch that ended before the one that a `start` event opens.
public struct EpochSummary: Sendable, Hashable {
  /// The store the epoch belongs to, 64 random bits.
  public var store: UInt64
  /// The epoch's number.
  public var epoch: UInt32
  /// The last seq found of each stream, 0 where none was.
  public var last: [StreamName: UInt64]
  /// Whether it was ended by an orderly stop; if not, later seqs may have been published and lost.
  public var clean: Bool

  /// Makes a summary.
  public init(store: UInt64, epoch: UInt32, last: [StreamName: UInt64], clean: Bool) {
    self.store = store
    self.epoch = epoch
    self.last = last
    self.clean = clean
  }
}

/// The first event of an epoch.
public struct StartDetail: Sendable, Hashable {
  /// The agent's version.
  public var agent: String
  /// Every epoch since the last `start` that is known to be durable.
  public var previous: [EpochSummary]

  /// Makes the details.
  public init(agent: String, previous: [EpochSummary]) {
    self.agent = agent
    self.previous = previous
  }
}

/// The last event of an epoch that ended in order.
public struct StopDetail: Sendable, Hashable {
  /// What asked for the stop, such as `SIGTERM`.
  public var reason: String

  /// Makes the details.
  public init(reason: String) { self.reason = reason }
}

/// Why something is missing. Raw values are the contract's words.
public enum GapReason: String, Sendable, Hashable {
  case evicted
  case damaged
  case uncleanStop = "unclean-stop"
  case storeFailed = "store-failed"
  case notRead = "not-read"
  case overrun
  case refused
  case beforeDestination = "before-destination"
  case destinationExpired = "destination-expired"
  case recycled
}

/// What a gap spans.
public enum GapSpan: Sendable, Hashable {
  /// Batches of one epoch, both ends included.
  case batches(store: UInt64, epoch: UInt32, from: UInt64, to: UInt64)
  /// Wall time in Unix milliseconds, both ends included.
  case time(from: Int64, to: Int64)

  /// From one moment to another of the same boot. Both are told by what the wall clock was believed
  /// to be at the later one: it may have been set in between, by years or back.
  public static func time(from first: Timestamp, to last: Timestamp) -> GapSpan {
    let offset = first.monotonic <= last.monotonic ? last.offset : first.offset
    let (start, end) = (first.monotonic + offset, last.monotonic + offset)
    return .time(from: min(start, end), to: max(start, end))
  }
}

/// A hole in a stream, explained.
public struct GapDetail: Sendable, Hashable {
  /// The stream that has the hole.
  public var stream: StreamName
  /// What is missing.
  public var span: GapSpan
  /// How many samples or batches, where that is known.
  public var count: Int?
  /// Why.
  public var reason: GapReason
  /// The destinations that miss it; empty means all.
  public var destinations: [String]

  /// Makes the details.
  public init(
    stream: StreamName, span: GapSpan, count: Int? = nil, reason: GapReason,
    destinations: [String] = []
  ) {
    self.stream = stream
    self.span = span
    self.count = count
    self.reason = reason
    self.destinations = destinations
  }
}

/// A change of the wall clock. The first one to `synced` in a boot re-dates what was read before.
public struct ClockDetail: Sendable, Hashable {
  /// The state before, `nil` at the start.
  public var from: ClockState?
  /// The state now.
  public var to: ClockState
  /// The boot whose clock it is.
  public var boot: BootID
  /// The new offset of wall time to monotonic time, in milliseconds.
  public var offset: Int64
  /// By how many milliseconds the offset changed.
  public var step: Int64

  /// Makes the details.
  public init(from: ClockState?, to: ClockState, boot: BootID, offset: Int64, step: Int64) {
    self.from = from
    self.to = to
    self.boot = boot
    self.offset = offset
    self.step = step
  }
}

/// A change of what is configured.
public struct ConfigurationDetail: Sendable, Hashable {
  /// The digest of the point definitions before, `nil` for a new store.
  public var old: String?
  /// The digest now.
  public var new: String

  /// Makes the details.
  public init(old: String?, new: String) {
    self.old = old
    self.new = new
  }
}

/// A part of the agent or a device that failed or came back.
public struct StateDetail: Sendable, Hashable {
  /// One word, such as `failed`, `ok`, `closed`, `open`.
  public var state: String
  /// A reason word of a closed list, such as `timeout`, or a system error's text.
  public var reason: String?

  /// Makes the details.
  public init(state: String, reason: String? = nil) {
    self.state = state
    self.reason = reason
  }
}

/// What happened to a GPIO line or to what is counted on it.
public struct LineDetail: Sendable, Hashable {
  /// What happened.
  public enum State: String, Sendable, Hashable, CaseIterable {
    /// It can't be read; `reason` says why.
    case failed
    /// It can be read again.
    case recovered
    /// More changes than are reported one by one.
    case chattering
    /// Each change is reported again.
    case calm
    /// A count begins at `count`, because none is known from before; `reason` is `damaged` where
    /// the store may have had one that can't be read.
    case countBegan = "count-began"
    /// A count goes on at `count`; what came while nobody counted is not in it. `reason` says
    /// how the time before ended.
    case countResumed = "count-resumed"
    /// Edges may be missing in the count since the event before; `reason` says what shows it.
    case countSuspect = "count-suspect"
  }

  /// What happened.
  public var state: State
  /// A word of docs/gpio.md, or the system's error.
  public var reason: String?
  /// Of a count: what it is at that moment.
  public var count: UInt64?
  /// Of a suspect count: how many edges are known to be missing, where that is known.
  public var lost: UInt64?

  /// Makes the details.
  public init(state: State, reason: String? = nil, count: UInt64? = nil, lost: UInt64? = nil) {
    self.state = state
    self.reason = reason
    self.count = count
    self.lost = lost
  }
}

/// What happened to the count of people in an area.
public struct HeadcountDetail: Sendable, Hashable {
  /// What happened.
  public enum State: String, Sendable, Hashable, CaseIterable {
    /// An operator set it.
    case set
    /// It begins at 0, because none is known from before.
    case began
    /// It goes on at what was known; who passed while nobody counted is not in it.
    case resumed
    /// More people left than are known to have entered; the area's balance stays 0.
    case belowZero = "below-zero"
    /// A gate may have missed somebody.
    case gateSuspect = "gate-suspect"
    /// A source of the count is lost, so the count is bad; `reason` says why.
    case sourceLost = "source-lost"
    /// All sources are there again.
    case sourceBack = "source-back"
  }

  /// What happened.
  public var state: State
  /// The count at that moment, as far as it is known.
  public var count: Int64?
  /// The count before, where it was set.
  public var previous: Int64?
  /// The gate that it is about.
  public var gate: String?
  /// The source that is lost: a line, or a device and its point as `device.point`.
  public var lostSource: String?
  /// Who set it.
  public var `operator`: String?
  /// Why, in the operator's words or as a reason's name.
  public var reason: String?

  /// Makes the details.
  public init(
    state: State, count: Int64? = nil, previous: Int64? = nil, gate: String? = nil,
    lostSource: String? = nil, operator: String? = nil, reason: String? = nil
  ) {
    self.state = state
    self.count = count
    self.previous = previous
    self.gate = gate
    self.lostSource = lostSource
    self.operator = `operator`
    self.reason = reason
  }
}
