/// How a bus treats its connection and its units, beyond the time-out of an answer. Times are in
/// milliseconds.
public struct BusManners: Sendable, Hashable {
  /// The least silence between two transactions, whichever unit they are with.
  public var pauseMilliseconds: Int64 = 0
  /// From opening to the first request.
  public var pauseAfterConnectMilliseconds: Int64 = 0
  /// How long a connection attempt may take, and as long again the lookup of the name before it. A
  /// SYN that was lost is sent again after 1 s (RFC 6298), so the default forgives one.
  public var connectTimeoutMilliseconds: Int64 = 2_000
  /// After this long without a request the connection is closed until the next; `nil`: never.
  public var idleTimeoutMilliseconds: Int64?
  /// After this long without traffic the kernel asks the other side whether it is still there;
  /// `nil`: never. Whole seconds.
  public var keepAliveMilliseconds: Int64? = 30_000
  /// Whether the connection is closed whenever nothing is due, for stations with one place.
  public var closesAfterCycle = false

  /// The defaults.
  public init() {}

  /// After how long without use the connection is given back.
  var restAfterMilliseconds: Int64? { closesAfterCycle ? 0 : idleTimeoutMilliseconds }
}

/// What the units of a bus are given, each by its own needs.
struct UnitTimings: Sendable, Hashable {
  /// A unit's.
  struct Timing: Sendable, Hashable {
    /// How long its answer may take to begin (over TCP, to be whole).
    var timeoutMilliseconds: Int64
    /// The least silence around its transactions.
    var pauseMilliseconds: Int64

    /// How much later than its time-out an answer may be read. Beyond it the process has stood
    /// still, and nobody knows when the answer came: its values would bear a wrong time.
    static let standstill: Duration = .seconds(1)

    /// Whether an answer that was read `turnaround` after its request can be dated.
    func canDate(_ turnaround: Duration?) -> Bool {
      turnaround.map { $0 <= .milliseconds(timeoutMilliseconds) + Self.standstill } ?? true
    }
  }

  /// By unit, so that no request has to look a key up.
  private let timings: [Timing]

  init(_ definition: ModbusBusDefinition) {
    let usual = Timing(
      timeoutMilliseconds: definition.timeoutMilliseconds,
      pauseMilliseconds: definition.manners.pauseMilliseconds)
    var timings = [Timing](repeating: usual, count: Int(UInt8.max) + 1)
    for device in definition.devices {
      timings[Int(device.unit)].timeoutMilliseconds += device.turnaroundMilliseconds
      timings[Int(device.unit)].pauseMilliseconds = max(
        usual.pauseMilliseconds, device.pauseMilliseconds)
    }
    self.timings = timings
  }

  subscript(unit: UInt8) -> Timing { timings[Int(unit)] }

  /// The longest of all units.
  var longest: Timing {
    timings.reduce(Timing(timeoutMilliseconds: 0, pauseMilliseconds: 0)) {
      Timing(
        timeoutMilliseconds: max($0.timeoutMilliseconds, $1.timeoutMilliseconds),
        pauseMilliseconds: max($0.pauseMilliseconds, $1.pauseMilliseconds))
    }
  }
}
