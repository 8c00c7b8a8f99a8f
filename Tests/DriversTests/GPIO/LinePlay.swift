import Telemetry

@testable import Drivers

/// A line whose edges and readings a test plays, a millisecond being 1,000,000 ns of the kernel's.
struct LinePlay {
  static let start = Timestamp(
    monotonic: 100_000, offset: 1_795_219_200_000, clock: .synced)

  var input: LineInput
  var outputs: [LineOutput] = []
  /// Nanoseconds since `start`.
  var now: Int64 = 0
  /// The level before debounce.
  var isActive = false

  init(
    _ purpose: LinePurpose = .level, debounce: Int64 = 0, total: UInt64? = nil,
    reason: String? = nil, points: [PointDescription]? = nil
  ) {
    let definition = LineDefinition(
      name: "line", address: .offset(chip: "gpiochip0", offset: 4),
      debounceMilliseconds: debounce, purpose: purpose,
      points: points
        ?? LinePoint.names(of: purpose).map { PointDescription(name: $0, type: "float64") })
    input = LineInput(definition, total: total, totalReason: reason, at: Self.start)
    collect()
  }

  var time: Timestamp { Self.start.advanced(by: now / 1_000_000) }

  mutating func collect() { outputs += input.takeOutputs() }

  mutating func pass(_ milliseconds: Double) { now += Int64(milliseconds * 1e6) }

  mutating func open(_ isActive: Bool = false, byKernel: Bool = false) {
    self.isActive = isActive
    input.open(isActive: isActive, isDebouncedByKernel: byKernel, at: time)
    collect()
    pass(1)
  }

  mutating func fail(_ reason: BadReason, _ text: String = "gone") {
    input.fail(reason, text: text, at: time)
    collect()
  }

  /// Takes an edge to the other level, or to that one.
  mutating func edge(_ isRising: Bool? = nil, sequence: UInt32? = nil) {
    isActive = isRising ?? !isActive
    input.take(
      LineEdge(isRising: isActive, nanoseconds: now, sequence: sequence), at: time)
  }

  mutating func drain(isFull: Bool = false) {
    input.drained(isQueueFull: isFull, isActive: isActive, at: time)
    collect()
  }

  /// Edges that many milliseconds apart, each read by itself.
  mutating func edges(_ count: Int, every milliseconds: Double) {
    for _ in 0..<count {
      edge()
      drain()
      pass(milliseconds)
    }
  }

  mutating func due() {
    input.due(isActive: isActive, scheduled: time, at: time)
    collect()
  }

  mutating func settle() {
    input.settle(isActive: isActive, at: time)
    collect()
  }

  /// Lets time pass and calls back whenever the line asks for it.
  mutating func live(_ milliseconds: Int64) {
    let end = now + milliseconds * 1_000_000
    while let wake = input.wakeTime {
      let next = max(now, (wake - Self.start.monotonic) * 1_000_000)
      guard next <= end else { break }
      now = next
      settle()
      precondition(input.wakeTime.map { $0 > time.monotonic } ?? true, "asks to spin")
    }
    now = end
  }

  var samples: [Sample] {
    outputs.compactMap { if case .sample(let sample) = $0 { sample } else { nil } }
  }

  var transitions: [LineTransition] {
    outputs.compactMap { if case .transition(let change) = $0 { change } else { nil } }
  }

  var faults: [BadReason?] {
    outputs.compactMap { if case .fault(let reason) = $0 { .some(reason) } else { nil } }
  }

  var events: [LineDetail] {
    outputs.compactMap { output in
      guard case .event(let event) = output, case .line(let detail) = event.detail else {
        return nil
      }
      return detail
    }
  }

  var states: [LineDetail.State] { events.map(\.state) }

  /// The newest outcome of the point with that index.
  func newest(_ point: Int = 0) -> Outcome? { samples.last?.outcomes[point].outcome }
}
