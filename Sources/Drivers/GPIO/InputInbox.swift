internal import LinuxSystem
internal import Telemetry

/// What the thread of the GPIO inputs and its owner tell each other, and the thread's loop.
final class InputInbox: Sendable {
  private struct State {
    /// What to watch, until the thread has taken it.
    var lines: [LineDefinition]?
    /// Of lines that were not watched before.
    var totals: [String: KnownTotal] = [:]
    var doubt: String?
    var isCancelled = false
    var hasEnded = false
    var statistics: [String: LineStatistics] = [:]
  }

  private struct Orders {
    var lines: [LineDefinition]?
    var totals: [String: KnownTotal]
    var doubt: String?
    var isCancelled: Bool
  }

  /// What a turn may take beside its sleep: chips behind a slow bus, and a board that is busy with
  /// other things.
  private static let workMilliseconds: Int64 = 5_000
  /// How long the thread sleeps at a time when no line wants anything.
  private static let idleMilliseconds: Int64 = 60_000

  /// What the thread waits on: the lines, each as its own number, and the bell as 0.
  let epoll: Epoll
  /// Rings when there are orders.
  private let bell: EventFD
  private let state: Monitor<State>

  init(_ lines: [LineDefinition], doubt: String? = nil) throws(SystemError) {
    epoll = try Epoll()
    bell = try EventFD()
    state = Monitor(State(lines: lines, doubt: doubt))
    try epoll.add(bell.descriptor, as: 0)
  }

  func use(_ lines: [LineDefinition], totals: [String: KnownTotal], doubt: String?) {
    state.withLock { state in
      state.lines = lines
      state.doubt = doubt
      state.totals.merge(totals) { first, _ in first }
    }
    bell.signal()
  }

  func cancel() {
    state.withLock { $0.isCancelled = true }
    bell.signal()
  }

  func waitForEnd(atMost seconds: Double) -> Bool {
    state.wait(atMost: seconds) { $0.hasEnded ? true : nil } ?? false
  }

  var statistics: [String: LineStatistics] { state.withLock { $0.statistics } }

  /// The thread: until `cancel`.
  func work(on set: InputSet, clock: any TimeSource, heartbeat: Heartbeat) {
    var ready: [Epoll.Ready] = []
    while true {
      heartbeat.turn(nextWithin: Self.workMilliseconds)
      let orders = takeOrders(isRung: ready.contains { $0.key == 0 })
      guard !orders.isCancelled else { break }
      if let lines = orders.lines {
        set.use(lines, totals: orders.totals, doubt: orders.doubt)
        let names = Set(lines.map(\.name))
        state.withLock { $0.statistics = $0.statistics.filter { names.contains($0.key) } }
      }
      set.turn(ready)
      publish(set)
      let pause = min(Self.idleMilliseconds, set.nextTime.map { sleep(until: $0, clock) } ?? .max)
      heartbeat.turn(nextWithin: pause + Self.workMilliseconds)
      ready = epoll.wait(forMilliseconds: pause)
    }
    set.end()
    publish(set)
    heartbeat.rest()
    state.update { $0.hasEnded = true }
  }

  private func takeOrders(isRung: Bool) -> Orders {
    if isRung { bell.clear() }
    return state.withLock { state in
      defer {
        state.lines = nil
        state.totals = [:]
      }
      return Orders(
        lines: state.lines, totals: state.totals, doubt: state.doubt,
        isCancelled: state.isCancelled)
    }
  }

  private func publish(_ set: InputSet) {
    let changed = set.takeStatistics()
    guard !changed.isEmpty else { return }
    state.withLock { state in
      for entry in changed { state.statistics[entry.name] = entry.statistics }
    }
  }

  /// Up to where that millisecond has begun, and at least one, so that nothing makes a busy loop.
  private func sleep(until time: Int64, _ clock: any TimeSource) -> Int64 {
    let nanoseconds = time * 1_000_000 - clock.monotonicNanoseconds
    return max(1, (nanoseconds + 999_999) / 1_000_000)
  }
}
