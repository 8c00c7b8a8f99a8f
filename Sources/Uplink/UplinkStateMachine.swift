/// The life of a destination's connection as a value: told what happened, it answers what to do. It
/// knows no socket and no clock; times are milliseconds of a monotonic clock.
struct UplinkStateMachine {
  enum State: Equatable {
    case idle
    case offline(retryAt: Int64)
    case connecting(deadline: Int64)
    case live(since: Int64)
    /// Asked to stop: live lanes only.
    case draining(until: Int64, end: Int64)
    /// The `offline` state is published and not acknowledged yet.
    case parting(until: Int64, end: Int64)
    /// DISCONNECT is on its way.
    case leaving(end: Int64)
    case ended
  }

  enum Action: Equatable {
    /// Make a connection to the endpoint of this index.
    case connect(endpoint: Int)
    /// Publish the retained topics and begin to deliver.
    case greet
    /// Drop the connection without a word: the will speaks.
    case abandon
    /// What is wrong changed; `nil` for nothing.
    case report(UplinkFault?)
    /// Publish the `offline` state.
    case sayGoodbye
    /// Send DISCONNECT.
    case disconnect
  }

  /// From the first SYN to the broker's CONNACK. Three SYNs (0, 1, 3 s) and an
  /// answer after a slow round trip fit; a broker that says nothing for longer is in trouble.
  static let connectMilliseconds: Int64 = 10_000
  /// Kept of the time for stopping, for the `offline` state and its acknowledgement.
  static let farewellMilliseconds: Int64 = 400
  /// Kept for DISCONNECT: a socket that does not take its four bytes by then never will.
  static let leaveMilliseconds: Int64 = 100

  private(set) var state = State.idle
  private let endpointCount: Int
  private var endpoint = 0
  private var backoff: ReconnectBackoff
  // Endpoints that failed since the last delay, and whether one of them cost a broker something.
  private var failures = 0
  private var failuresCost = ReconnectBackoff.Cost.nobodys

  init(endpointCount: Int, generator: any RandomNumberGenerator) {
    self.endpointCount = endpointCount
    backoff = ReconnectBackoff(generator: generator)
  }

  /// When `tick` has something to do; `nil` if only an event changes anything.
  var nextTick: Int64? {
    switch state {
    case .idle, .live, .ended: nil
    case .offline(let time), .connecting(let time), .leaving(let time): time
    case .draining(let until, _), .parting(let until, _): until
    }
  }

  mutating func start(now: Int64) -> [Action] {
    guard state == .idle else { return [] }
    return [.report(.connecting)] + connect(now)
  }

  /// Time has passed.
  mutating func tick(now: Int64) -> [Action] {
    guard let time = nextTick, now >= time else { return [] }
    switch state {
    case .offline: return connect(now)
    case .connecting: return lost(.timeout, now: now)
    case .draining(_, let end): return part(end)
    case .parting(_, let end): return leave(end)
    case .leaving:
      state = .ended
      return [.abandon]
    case .idle, .live, .ended: return []
    }
  }

  /// The attempt got past what blocks, the look-up of the host's name: only now the broker's time
  /// runs.
  mutating func opened(now: Int64) {
    guard case .connecting = state else { return }
    state = .connecting(deadline: now + Self.connectMilliseconds)
  }

  /// The broker took the connection.
  mutating func connected(now: Int64) -> [Action] {
    guard case .connecting = state else { return [] }
    state = .live(since: now)
    failures = 0
    failuresCost = .nobodys
    return [.report(nil), .greet]
  }

  /// The connection, or the attempt to make one, failed.
  mutating func lost(_ loss: ConnectionLoss, now: Int64) -> [Action] {
    var cost = loss.cost
    switch state {
    case .idle, .offline, .ended: return []
    case .draining, .parting, .leaving:
      state = .ended
      return [.abandon]
    case .connecting:
      endpoint = (endpoint + 1) % endpointCount
      failures += 1
      if cost == .brokers { failuresCost = .brokers }
      if failures < endpointCount {
        // The others are tried at once: the delay is for those that were asked already.
        state = .offline(retryAt: now)
        return [.abandon, .report(loss.fault)]
      }
      cost = failuresCost
    case .live(let since):
      if now - since >= ReconnectBackoff.stableMilliseconds {
        backoff.reset()
        // The broker was well until now: most likely it restarts.
        if loss.isByBroker { cost = .nobodys }
      }
    }
    failures = 0
    failuresCost = .nobodys
    state = .offline(retryAt: now + backoff.delay(after: cost))
    return [.abandon, .report(loss.fault)]
  }

  /// The agent stops and gives so much time.
  mutating func stop(within milliseconds: Int64, now: Int64) -> [Action] {
    switch state {
    case .draining, .parting, .leaving, .ended: return []
    case .idle, .offline:
      state = .ended
      return []
    case .connecting:
      state = .ended
      return [.abandon]
    case .live:
      // A tenth is for the thread to be scheduled: whoever waits that long shall see the end.
      let span = max(0, milliseconds) * 9 / 10
      let farewell = min(Self.farewellMilliseconds + Self.leaveMilliseconds, span / 2)
      state = .draining(until: now + span - farewell, end: now + span)
      return []
    }
  }

  /// The live lanes are empty and acknowledged.
  mutating func drained() -> [Action] {
    guard case .draining(_, let end) = state else { return [] }
    return part(end)
  }

  /// The broker has the `offline` state.
  mutating func farewellAcknowledged() -> [Action] {
    guard case .parting(_, let end) = state else { return [] }
    return leave(end)
  }

  private mutating func connect(_ now: Int64) -> [Action] {
    state = .connecting(deadline: now + Self.connectMilliseconds)
    return [.connect(endpoint: endpoint)]
  }

  private mutating func part(_ end: Int64) -> [Action] {
    state = .parting(until: end - Self.leaveMilliseconds, end: end)
    return [.sayGoodbye]
  }

  private mutating func leave(_ end: Int64) -> [Action] {
    state = .leaving(end: end)
    return [.disconnect]
  }
}
