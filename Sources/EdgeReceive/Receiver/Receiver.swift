import LinuxSystem
import MQTT
import Telemetry

/// Receives for ever: connects, subscribes, stores, and connects again when the broker is gone.
///
/// libmosquitto acknowledges a message before it hands it over, so a message is not in the store
/// yet when the broker forgets it: a receiver that is killed may lose what it took in its last
/// round, at most 64 messages. One that is stopped by a signal loses nothing.
struct Receiver {
  /// What the loop needs to know.
  struct Settings: Sendable, Hashable {
    var host: String
    var port: UInt16
    /// `nil` for a connection that is not secure.
    var tls: TLSSettings?
    var clientID: String
    var username: String?
    var password: [UInt8]?
    var filter: String
    /// `nil`: until the stop signal.
    var seconds: Int?
    var showsTable: Bool
  }

  /// A refused connection costs nobody anything on the way to a test broker, and what came in the
  /// meantime waits in the broker's session.
  static let retryMilliseconds = 250
  /// Without an answer to CONNECT for so long the broker hangs: begin anew.
  static let connectMilliseconds: Int64 = 5000
  /// The broker keeps what comes while this program is away for a day.
  static let sessionExpirySeconds: UInt32 = 24 * 60 * 60
  /// The socket takes a DISCONNECT at once, or the broker hangs and need not hear it.
  static let goodbyeMilliseconds: Int64 = 500
  /// How often the table is drawn.
  private static let tableMilliseconds: Int64 = 1000

  private let settings: Settings
  private let store: MessageStore
  private let stop: StopSignal
  private let clock = KernelClock()
  private let end: Int64
  private var nextTable: Int64
  private var table = LiveTable()
  private var wasReady = false
  private var lastProblem: String?

  /// Takes the store over; `stop` ends `run`.
  init(_ settings: Settings, store: MessageStore, stop: StopSignal) {
    self.settings = settings
    self.store = store
    self.stop = stop
    let now = clock.monotonic
    end = settings.seconds.map { now + Int64($0) * 1000 } ?? .max
    nextTable = now
  }

  /// Receives until the stop or the end of the time; fails only if the store does.
  mutating func run() throws(SQLiteError) {
    while !isOver {
      if let problem = try connectAndServe() { log(problem) }
      // The table goes on while there is no connection: ages grow.
      let retry = clock.monotonic + Int64(Self.retryMilliseconds)
      while !isOver, clock.monotonic < retry {
        showTable()
        stop.wait(atMost: min(Self.retryMilliseconds, millisecondsToNext(retry)))
      }
    }
  }

  /// One connection from its beginning to its end; returns why it ended, `nil` if it was asked to.
  private mutating func connectAndServe() throws(SQLiteError) -> String? {
    let connection: MQTTConnection
    do throws(MQTTError) {
      connection = try MQTTConnection(connectionSettings)
      try connection.connect()
    } catch {
      return "\(error)"
    }
    let deadline = clock.monotonic + Self.connectMilliseconds
    var isConnected = false
    while !isOver {
      if !isConnected, clock.monotonic > deadline { return "no answer to CONNECT" }
      showTable()
      let events = connection.serve(
        forMilliseconds: millisecondsToNext(isConnected ? .max : deadline + 1),
        wakenBy: stop.waker)
      if let problem = try take(events, from: connection, &isConnected) { return problem }
    }
    try sayGoodbye(to: connection)
    return nil
  }

  private mutating func take(
    _ events: [MQTTEvent], from connection: MQTTConnection, _ isConnected: inout Bool
  ) throws(SQLiteError) -> String? {
    var problem: String?
    var messages: [MQTTMessage] = []
    for event in events {
      switch event {
      case .connected:
        isConnected = true
        do throws(MQTTError) {
          _ = try connection.subscribe(to: settings.filter)
        } catch {
          problem = "\(error)"
        }
      case .subscribed(_, let reason) where reason.isFailure:
        problem = "the broker refuses the subscription to \(settings.filter), reason \(reason)"
      case .subscribed: becomeReady()
      case .message(let message): messages.append(message)
      case .refused(let reason): problem = "the broker refuses the connection, reason \(reason)"
      case .disconnected(let error): problem = "\(error)"
      case .acknowledged: break
      }
    }
    // What came before the end of the connection is acknowledged: it is kept in any case.
    try keep(messages)
    return problem
  }

  private mutating func keep(_ messages: [MQTTMessage]) throws(SQLiteError) {
    guard !messages.isEmpty else { return }
    let arrival = clock.now().wall
    let decoded = messages.map { message in
      let message = ArrivedMessage(
        arrival: arrival, topic: message.topic, payload: message.payload,
        isRetained: message.isRetained)
      return (message: message, content: Content(message))
    }
    let repeats = try store.keep(decoded)
    guard settings.showsTable else { return }
    for (entry, isRepeat) in zip(decoded, repeats) { table.add(entry.content, isRepeat: isRepeat) }
  }

  /// Keeps what still comes until the DISCONNECT is out: the library acknowledges that too.
  private mutating func sayGoodbye(to connection: MQTTConnection) throws(SQLiteError) {
    connection.disconnect()
    var isConnected = true
    let deadline = clock.monotonic + Self.goodbyeMilliseconds
    while clock.monotonic < deadline {
      let events = connection.serve(
        forMilliseconds: Int(Self.goodbyeMilliseconds), wakenBy: nil)
      if try take(events, from: connection, &isConnected) != nil { return }
    }
  }

  private mutating func becomeReady() {
    lastProblem = nil
    if wasReady { Terminal.log("connected again") } else { Terminal.write("ready\n".utf8) }
    wasReady = true
  }

  /// Says each problem once: a broker that is away for a day must not fill a log.
  private mutating func log(_ problem: String) {
    guard problem != lastProblem else { return }
    lastProblem = problem
    Terminal.log("\(settings.host):\(settings.port): \(problem); trying again")
  }

  private mutating func showTable() {
    let now = clock.now()
    guard settings.showsTable, wasReady, now.monotonic >= nextTable else { return }
    nextTable = now.monotonic + Self.tableMilliseconds
    if let size = Terminal.size {
      let lines = table.lines(now: now.wall, rows: size.rows, columns: size.columns)
      // Home, each line and the rest of the line cleared, then the rest of the screen.
      let screen = "\u{1B}[H" + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
      Terminal.write(screen.utf8)
    } else {
      Terminal.write("\(table.summary)\n".utf8)
    }
  }

  /// Milliseconds to the next thing to do by the clock, at most a second.
  private func millisecondsToNext(_ deadline: Int64) -> Int {
    let next = min(deadline, end, settings.showsTable ? nextTable : .max)
    let left = next.subtractingReportingOverflow(clock.monotonic)
    return Int(max(0, min(left.overflow ? .max : left.partialValue, Self.tableMilliseconds)))
  }

  private var isOver: Bool { stop.isSet || clock.monotonic >= end }

  private var connectionSettings: MQTTSettings {
    MQTTSettings(
      host: settings.host, port: settings.port, tls: settings.tls, clientID: settings.clientID,
      username: settings.username, password: settings.password, startsClean: false,
      sessionExpirySeconds: Self.sessionExpirySeconds)
  }
}
