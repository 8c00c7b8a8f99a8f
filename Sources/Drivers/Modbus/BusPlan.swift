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
    /// How long an answer may take, in milliseconds.
    public var timeoutMilliseconds: Int64

    private let cost: RequestCost

    fileprivate init(_ device: ModbusDevice, on definition: ModbusBusDefinition) {
      name = device.name
      unit = device.unit
      cost = RequestCost(definition, device)
      requests = RequestPlanner.requests(for: device, cost: cost)
      timeoutMilliseconds = definition.timeoutMilliseconds + device.turnaroundMilliseconds
    }

    /// Milliseconds of the bus's time that a request takes while the device answers: on a serial
    /// line what request and answer take on the wire, the delays of the direction control, a
    /// silence of 3.5 characters behind each, and the device's turn-around.
    public func milliseconds(of request: PlannedRequest) -> Double {
      Double(microseconds(of: request)) / 1000
    }

    /// The same in microseconds.
    public func microseconds(of request: PlannedRequest) -> Int64 {
      cost.microseconds(of: request)
    }

    /// Milliseconds that all its requests take together.
    public var cycleMilliseconds: Double { requests.reduce(0) { $0 + milliseconds(of: $1) } }

    /// Milliseconds that a request takes while the device is silent: the time-out begins when it
    /// has gone over the line.
    public var silentMilliseconds: Double {
      Double(timeoutMilliseconds) + Double(cost.requestMicroseconds) / 1000
    }

    /// Milliseconds that it takes of the cycle in which it is found dead, before it is backed off.
    fileprivate var dyingMilliseconds: Double {
      let questions = UnitBackoff.questions(timeout: timeoutMilliseconds)
      return Double(min(requests.count, questions)) * silentMilliseconds
    }

    /// Share of the bus's time that it takes while it answers.
    fileprivate func load(where isCounted: (PlannedRequest) -> Bool = { _ in true }) -> Double {
      requests.filter(isCounted).reduce(0) {
        $0 + milliseconds(of: $1) / Double($1.everyMilliseconds)
      }
    }

    /// The same while it has been dead for some time.
    fileprivate var deadLoad: Double { deadInterval.map { silentMilliseconds / $0 } ?? 0 }

    /// Milliseconds from one question to the next then; `nil` without points.
    fileprivate var deadInterval: Double? {
      requests.map(\.everyMilliseconds).min().map {
        Double(max(UnitBackoff.longestPause, $0)) + silentMilliseconds
      }
    }
  }

  /// The bus's configured name.
  public var bus: String
  /// Its devices, in configured order.
  public var devices: [Device]
  /// How long an answer may take, in milliseconds.
  public var timeoutMilliseconds: Int64

  private let reopening: ConnectionReopening?

  /// Plans a bus.
  public init(_ definition: ModbusBusDefinition) {
    bus = definition.name
    timeoutMilliseconds = definition.timeoutMilliseconds
    reopening = ConnectionReopening(definition.manners)
    devices = definition.devices.map { Device($0, on: definition) }
  }

  /// Requests in a cycle in which everything is due.
  public var requestCount: Int { devices.reduce(0) { $0 + $1.requests.count } }

  /// The shortest period on the bus, in milliseconds; `nil` without points.
  public var shortestEveryMilliseconds: Int64? {
    devices.flatMap(\.requests).map(\.everyMilliseconds).min()
  }
}

// MARK: - A cycle in which everything is due

extension BusPlan {
  /// Bus time while every unit answers, in milliseconds.
  public var cycleMilliseconds: Int64 { Self.roundedUp(aliveMilliseconds) }

  /// Bus time of the worst cycle while one device is dead, in milliseconds: the one in which it is
  /// found dead, before it is backed off. Later ones cost one time-out each 10 s at most.
  public var cycleMillisecondsWithOneDead: Int64 {
    let loss = devices.map { $0.dyingMilliseconds - $0.cycleMilliseconds }.max() ?? 0
    return Self.roundedUp(aliveMilliseconds + max(0, loss))
  }

  /// The same while all devices are dead.
  public var cycleMillisecondsWithAllDead: Int64 {
    Self.roundedUp(devices.reduce(reopeningMilliseconds) { $0 + $1.dyingMilliseconds })
  }

  /// What a cycle takes of its time from opening the connection to the first request, in
  /// milliseconds; 0 where the connection stays open from one to the next.
  public var reopeningMilliseconds: Double {
    guard let reopening, reopeningLoad(of: devices) > 0 else { return 0 }
    return reopening.pause
  }

  private var aliveMilliseconds: Double {
    devices.reduce(reopeningMilliseconds) { $0 + $1.cycleMilliseconds }
  }

  private static func roundedUp(_ milliseconds: Double) -> Int64 {
    // A sum of thousandths may lie a hair beside a whole.
    Int64((milliseconds - 0.001).rounded(.up))
  }
}

// MARK: - Shares of the bus's time

extension BusPlan {
  /// Share of the bus's time that polling takes while every unit answers; above 1 it overruns.
  public var load: Double { devices.reduce(reopeningLoad(of: devices)) { $0 + $1.load() } }

  /// The share of the requests with safety points, which are asked first.
  public var safetyLoad: Double {
    devices.reduce(reopeningLoad(of: devices, where: \.isSafety)) {
      $0 + $1.load(where: \.isSafety)
    }
  }

  /// The share while the device that costs most when it is dead has been dead for some time.
  public var loadWithOneDead: Double {
    let (load, reopeningNow) = (load, reopeningLoad(of: devices))
    let changes = devices.indices.map { dead in
      let device = devices[dead]
      let change = device.deadLoad - device.load()
      guard reopening != nil else { return change }
      var others = devices
      others.remove(at: dead)
      return change + reopeningLoad(of: others, dead: [device]) - reopeningNow
    }
    return load + max(0, changes.max() ?? 0)
  }

  /// The share while all devices have been dead for some time.
  public var loadWithAllDead: Double {
    devices.reduce(reopeningLoad(of: [], dead: devices)) { $0 + $1.deadLoad }
  }

  /// The share of pauses after connecting, where the connection is given back between cycles.
  private func reopeningLoad(
    of alive: [Device], dead: [Device] = [],
    where isCounted: (PlannedRequest) -> Bool = { _ in true }
  ) -> Double {
    guard let reopening else { return 0 }
    let periods = Set(
      alive.flatMap(\.requests).filter(isCounted).map(\.everyMilliseconds))
    let busy = alive.reduce(0) { $0 + $1.cycleMilliseconds }
    let load = reopening.load(of: periods, busy: busy)
    // With others alive that keep it open, or are due at the same times, it costs none of its own.
    guard load > 0 || periods.isEmpty else { return 0 }
    let apart = dead.filter { device in
      let own = device.requests.map(\.everyMilliseconds).min() ?? 0
      return !periods.contains { own.isMultiple(of: $0) }
    }
    return load + reopening.load(ofDead: apart.compactMap(\.deadInterval))
  }

  /// Requests that take longer than their period.
  public var impossibleRequests: [(device: Device, request: PlannedRequest)] {
    devices.flatMap { device in
      device.requests
        .filter { device.milliseconds(of: $0) > Double($0.everyMilliseconds) }
        .map { (device, $0) }
    }
  }
}
