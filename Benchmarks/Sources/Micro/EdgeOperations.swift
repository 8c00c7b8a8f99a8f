internal import Drivers
internal import Telemetry

/// Edges of one wake-up, as the kernel recorded them, become samples: dated, counted, windowed,
/// none lost.
final class Edges: Operation {
  enum Kind: String {
    /// A contact: each edge is a sample.
    case level
    /// A meter's pulses: a sample of the total and the rate.
    case count
    /// A mine sensor at 1000 Hz: a tenth of a second, then a sample of the window.
    case frequency
  }

  /// What the kernel queues of a line with libgpiod 1.6.
  private static let queued = 16
  /// 1000 Hz for 100 ms.
  private static let periods = 200

  let name: String
  private let kind: Kind
  private let edges: Int
  /// Between two edges.
  private let nanoseconds: Int64
  private var line: LineRehearsal
  private var now = ExampleMine.start
  private var stamp = ExampleMine.start.monotonic * 1_000_000
  private var isRising = false
  private var runs: UInt64 = 0
  private let sink = CountingSink()

  /// An edge is missing, or a sample.
  struct Lost: Error {}

  init(_ kind: Kind) throws {
    self.kind = kind
    let purpose: LinePurpose
    switch kind {
    case .level: (purpose, edges, nanoseconds) = (.level, Self.queued, 62_500_000)
    case .count:
      let meter = PulseMeter(valuePerPulse: DecimalNumber(mantissa: 1, decimals: 3))
      (purpose, edges, nanoseconds) = (.count(.rising, meter: meter), Self.queued, 62_500_000)
    case .frequency:
      let scale = FrequencyScale(
        hertz: ValueRange(lower: 200, upper: 1000), atLowest: 0, atHighest: 15, marginHertz: 10,
        windowMilliseconds: 1000)
      (purpose, edges, nanoseconds) = (.frequency(scale), Self.periods, 500_000)
    }
    name = "edges-\(edges)-\(kind.rawValue)"
    line = LineRehearsal(
      LineDefinition(
        name: "line", address: .offset(chip: "gpiochip0", offset: 4), purpose: purpose,
        points: LinePoint.names(of: purpose).map { PointDescription(name: $0, type: "float64") }),
      at: now)
  }

  func prepare() throws {
    let expected = runs * UInt64(kind == .level ? edges : 1)
    guard line.statistics.edges == runs * UInt64(edges), line.statistics.suspects == 0,
      sink.good == expected,
      kind != .count || line.statistics.total == runs * UInt64(edges) / 2
    else { throw Lost() }
    now = now.advanced(by: Int64(edges) * nanoseconds / 1_000_000)
    runs += 1
  }

  func run() {
    for _ in 0..<edges {
      stamp += nanoseconds
      isRising.toggle()
      line.take(
        isRising: isRising, nanoseconds: stamp, now: now, kernelNow: now.monotonic * 1_000_000)
    }
    line.drained(at: now, into: sink)
    if kind == .frequency { line.due(at: now, into: sink) }
  }
}

/// Counts the samples whose first point is good.
private final class CountingSink: SampleSink {
  // The benchmarks have one thread.
  nonisolated(unsafe) private(set) var good: UInt64 = 0

  func accept(_ sample: Sample) {
    if case .good = sample.outcomes[0].outcome { good += 1 }
  }

  func accept(_ event: Event) {}
}
