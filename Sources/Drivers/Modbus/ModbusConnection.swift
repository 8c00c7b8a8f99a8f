/// The open connection of a bus, whatever it is made of.
struct ModbusConnection: ~Copyable {
  // One of the two.
  private var tcp: ModbusTCPConnection?
  private var rtu: ModbusRTUConnection?

  /// Opens the bus's way to its units; blocks until it is open or its deadline.
  static func open(
    _ endpoint: ModbusEndpoint, lookup: HostLookup
  ) throws(ConnectError) -> ModbusConnection {
    switch endpoint {
    case .tcp(let host, let port):
      ModbusConnection(
        tcp: try ModbusTCPConnection.open(host: host, port: port, lookup: lookup), rtu: nil)
    case .rtu(let line):
      ModbusConnection(tcp: nil, rtu: try ModbusRTUConnection.open(line))
    }
  }

  /// Answers that came after their request had been given up.
  var lateAnswers: Int {
    // Reading through an optional that can't be copied takes it for a moment.
    mutating get { (tcp?.lateAnswers ?? 0) + (rtu?.lateAnswers ?? 0) }
  }

  /// From the end of the last request that was answered to its answer.
  var turnaround: Duration? {
    mutating get { tcp?.turnaround ?? rtu?.turnaround }
  }

  /// Takes down what goes over the wire, while somebody wants that; `nil` for nobody.
  var trace: BusTrace? {
    mutating get { tcp?.trace ?? rtu?.trace }
    set {
      tcp?.trace = newValue
      rtu?.trace = newValue
    }
  }

  /// Asks `unit` and waits for its answer.
  mutating func read(
    _ request: ReadRequest, unit: UInt8, timeout: Duration
  ) throws(TransactionError) -> ReadAnswer {
    if let answer = try tcp?.read(request, unit: unit, timeout: timeout) { return answer }
    if let answer = try rtu?.read(request, unit: unit, timeout: timeout) { return answer }
    throw .closedBefore(reason: "not connected")
  }
}
