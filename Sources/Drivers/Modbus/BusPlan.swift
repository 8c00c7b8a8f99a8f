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

  /// Milliseconds that a transaction with a live unit is reckoned at. libmodbus's own slave takes
  /// 0.06 ms on loopback (measured); devices answer once a scan of their program, some ms. A
  /// gateway to a line of 9600 Bd takes 20…150 ms for 2…60 registers and is a matter of that line.
  public static let reckonedTransactionMilliseconds: Int64 = 10

  /// The bus's configured name.
  public var bus: String
  /// Its devices, in configured order.
  public var devices: [Device]
  /// How long an answer may take, in milliseconds.
  public var timeoutMilliseconds: Int64

  /// Plans a bus.
  public init(_ definition: ModbusBusDefinition) {
    bus = definition.name
    timeoutMilliseconds = definition.timeoutMilliseconds
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

  /// Bus time of a cycle in which everything is due and every unit answers, in milliseconds.
  public var cycleMilliseconds: Int64 {
    Int64(requestCount) * Self.reckonedTransactionMilliseconds
  }

  /// Share of the bus's time that polling takes while every unit answers; above 1 it overruns.
  public var load: Double {
    devices.flatMap(\.requests).reduce(0) { load, request in
      load + Double(Self.reckonedTransactionMilliseconds) / Double(request.everyMilliseconds)
    }
  }

  /// Bus time of the worst cycle while one device is dead, in milliseconds: the one in which it is
  /// found dead, before it is backed off. Later ones cost one time-out each 10 s at most.
  public var worstCycleMillisecondsWithOneDeadDevice: Int64 {
    let losses = devices.map { device -> Int64 in
      let asked = Int64(min(device.requests.count, UnitBackoff.toleratedTimeouts))
      let alive = Int64(device.requests.count) * Self.reckonedTransactionMilliseconds
      return asked * timeoutMilliseconds - alive
    }
    return cycleMilliseconds + max(0, losses.max() ?? 0)
  }
}
