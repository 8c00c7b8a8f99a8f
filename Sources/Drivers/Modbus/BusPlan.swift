/// What polling a bus costs, for `edge-agent check`. Estimated, nothing is asked.
public struct BusPlan: Sendable, Hashable {
  /// A device's requests.
  public struct Device: Sendable, Hashable {
    /// The device's configured name.
    public var name: String
    /// Its unit.
    public var unit: UInt8
    /// What is asked of it, by period, table and address.
    public var requests: [PlannedRequest]
  }

  /// Milliseconds that a live unit is reckoned to take before it answers. libmodbus's own slave
  /// takes 0.06 ms on loopback (measured); devices answer once a scan of their program, some ms.
  /// Over TCP that is the whole transaction. A gateway to a line of 9600 Bd takes 20…150 ms for
  /// 2…60 registers and is a matter of that line.
  public static let reckonedTurnaroundMilliseconds: Int64 = 10

  /// The bus's configured name.
  public var bus: String
  /// Its devices, in configured order.
  public var devices: [Device]
  /// How long an answer may take, in milliseconds.
  public var timeoutMilliseconds: Int64
  /// The serial line; `nil` for a bus over TCP, and where a serial server's speed is not known.
  public var line: SerialLine?

  /// Plans a bus.
  public init(_ definition: ModbusBusDefinition) {
    bus = definition.name
    timeoutMilliseconds = definition.timeoutMilliseconds
    line = definition.endpoint.line
    devices = definition.devices.map { device in
      Device(
        name: device.name, unit: device.unit, requests: RequestPlanner.requests(for: device))
    }
  }

  /// Requests in a cycle in which everything is due.
  public var requestCount: Int { devices.reduce(0) { $0 + $1.requests.count } }

  /// The shortest period on the bus, in milliseconds; `nil` without points.
  public var shortestEveryMilliseconds: Int64? {
    devices.flatMap(\.requests).map(\.everyMilliseconds).min()
  }

  /// Milliseconds that a request takes with a live unit: on a serial line what request and answer
  /// take on the wire, a silence of 3.5 characters behind each, and the unit's turn-around.
  public func milliseconds(of request: PlannedRequest) -> Double {
    Double(Self.reckonedTurnaroundMilliseconds) + wireMilliseconds(of: request)
  }

  private func wireMilliseconds(of request: PlannedRequest) -> Double {
    guard let line else { return 0 }
    let answer = ModbusRTUFrame.answerOverhead + request.readRequest.dataLength
    let characters = line.microseconds(ofCharacters: ModbusRTUFrame.requestLength + answer)
    return Double(characters + 2 * line.silenceMicroseconds) / 1000
  }

  /// Bus time of a cycle in which everything is due and every unit answers, in milliseconds.
  public var cycleMilliseconds: Int64 {
    Int64(devices.map(milliseconds).reduce(0, +).rounded(.up))
  }

  private func milliseconds(of device: Device) -> Double {
    device.requests.reduce(0) { $0 + milliseconds(of: $1) }
  }

  /// Share of the bus's time that polling takes while every unit answers; above 1 it overruns.
  public var load: Double {
    devices.flatMap(\.requests).reduce(0) { load, request in
      load + milliseconds(of: request) / Double(request.everyMilliseconds)
    }
  }

  /// Bus time of the worst cycle while one device is dead, in milliseconds: the one in which it is
  /// found dead, before it is backed off. Later ones cost one time-out each 10 s at most.
  public var worstCycleMillisecondsWithOneDeadDevice: Int64 {
    let losses = devices.map { device -> Double in
      let asked = Double(min(device.requests.count, UnitBackoff.toleratedTimeouts))
      return asked * timeoutMillisecondsWithRequest - milliseconds(of: device)
    }
    let loss = max(0, losses.max() ?? 0)
    return Int64((devices.map(milliseconds).reduce(0, +) + loss).rounded(.up))
  }

  /// What a silent unit costs: its time-out begins when the request has gone over the line.
  private var timeoutMillisecondsWithRequest: Double {
    let request = line?.microseconds(ofCharacters: ModbusRTUFrame.requestLength) ?? 0
    return Double(timeoutMilliseconds) + Double(request) / 1000
  }
}
