/// The open connection of a bus, whatever it is made of.
struct ModbusConnection: ~Copyable {
  // One of the three.
  private var tcp: ModbusTCPConnection?
  private var serial: ModbusRTUConnection<SerialPort>?
  private var server: ModbusRTUConnection<SerialServer>?

  /// Opens the bus's way to its units; blocks until it is open or its deadline.
  static func open(
    _ bus: ModbusBusDefinition, lookup: HostLookup
  ) throws(ConnectError) -> ModbusConnection {
    switch bus.endpoint {
    case .tcp(let host, let port):
      ModbusConnection(
        tcp: try ModbusTCPConnection.open(
          host: host, port: port, manners: bus.manners, lookup: lookup))
    case .rtu(let line):
      ModbusConnection(serial: try ModbusRTUConnection.open(line))
    case .rtuOverTCP(let server):
      ModbusConnection(
        server: try ModbusRTUConnection.open(server, bus.manners, lookup: lookup))
    }
  }

  private init(
    tcp: consuming ModbusTCPConnection? = nil,
    serial: consuming ModbusRTUConnection<SerialPort>? = nil,
    server: consuming ModbusRTUConnection<SerialServer>? = nil
  ) {
    self.tcp = tcp
    self.serial = serial
    self.server = server
  }

  /// Answers that came after their request had been given up.
  var lateAnswers: Int {
    // Reading through an optional that can't be copied takes it for a moment.
    mutating get {
      (tcp?.lateAnswers ?? 0) + (serial?.lateAnswers ?? 0) + (server?.lateAnswers ?? 0)
    }
  }

  /// From the end of the last request that was answered to its answer.
  var turnaround: Duration? {
    mutating get { tcp?.turnaround ?? serial?.turnaround ?? server?.turnaround }
  }

  /// When the newest answer was read.
  var answerRead: ContinuousClock.Instant? {
    mutating get { tcp?.answerRead ?? serial?.answerRead ?? server?.answerRead }
  }

  /// Takes down what goes over the wire, while somebody wants that; `nil` for nobody.
  var trace: BusTrace? {
    mutating get { tcp?.trace ?? serial?.trace ?? server?.trace }
    set {
      tcp?.trace = newValue
      serial?.trace = newValue
      server?.trace = newValue
    }
  }

  /// Asks `unit` and waits for its answer; `pause` is the least silence before and behind it.
  mutating func read(
    _ request: ReadRequest, unit: UInt8, timeout: Duration, pause: Duration = .zero
  ) throws(TransactionError) -> ReadAnswer {
    if let answer = try tcp?.read(request, unit: unit, timeout: timeout, pause: pause) {
      return answer
    }
    if let answer = try serial?.read(request, unit: unit, timeout: timeout, pause: pause) {
      return answer
    }
    if let answer = try server?.read(request, unit: unit, timeout: timeout, pause: pause) {
      return answer
    }
    throw .closedBefore(reason: "not connected")
  }
}
