internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Serves a scenario over Modbus TCP and serial lines, everything on the thread that calls `run`.
final class MineServer {
  /// With the default limit of 1,024 descriptors this leaves room for listeners and files.
  static let connectionsMax = 512

  private let connectionsMax: Int
  private let mine: Mine
  private let clock = KernelClock()
  private var truth: GroundTruth?
  private var queue = AnswerQueue()

  /// For each station on TCP its index in the scenario, the socket that holds its port, and the one
  /// that listens while it does.
  private var listeners: [(station: Int, reservation: Int32, port: UInt16, listener: Int32?)] = []
  private let lines: [SerialStation]
  /// By a number that is never used again, so that a late answer cannot go to another client.
  private var connections: [Int: Connection] = [:]
  private var connectionsMade = 0
  /// The monotonic clock at `ready`, from which faults and signals are timed.
  private var origin: Int64 = 0

  /// Binds every station's port and listens where no fault refuses from the start. Clients beyond
  /// `connectionsMax` are turned away.
  init(
    _ scenario: Scenario, truth: consuming GroundTruth?,
    connectionsMax: Int = MineServer.connectionsMax
  ) throws(SystemError) {
    self.connectionsMax = connectionsMax
    mine = Mine(scenario)
    self.truth = truth
    lines = scenario.stations.enumerated().compactMap { index, station in
      station.line.map { line in
        SerialStation(station: index, settings: line.settings, link: line.link ?? "")
      }
    }
    for (index, station) in scenario.stations.enumerated() where station.line == nil {
      let reservation = try LoopbackSocket.reserve(port: station.port)
      listeners.append((index, reservation, station.port, nil))
      listeners[listeners.count - 1].port = try LoopbackSocket.port(of: reservation)
    }
    try updateListeners(at: 0)
    try updateLines(at: 0)
  }

  deinit {
    for connection in connections.values { close(connection.descriptor) }
    for station in listeners {
      if let listener = station.listener { close(listener) }
      close(station.reservation)
    }
  }

  /// The port of each station that has one.
  var ports: [UInt16] { listeners.map(\.port) }

  /// Serves until `stop` is signalled or `seconds` have passed; calls `ready` when time begins.
  /// Throws only if the ground truth cannot be written or a port cannot be listened on again.
  func run(until stop: EventFD, seconds: Double?, ready: () -> Void) throws(SystemError) {
    origin = clock.now().monotonic
    ready()
    let end = seconds.map { Int64($0 * 1000) }
    while true {
      let elapsed = clock.now().monotonic - origin
      if let end, elapsed >= end { break }
      try updateListeners(at: elapsed)
      try updateLines(at: elapsed)
      try answer(dueBy: elapsed)
      try serveLines(at: elapsed)
      try truth?.flush(dueBy: elapsed + origin)
      if try wait(at: elapsed, end: end, stop: stop) { break }
    }
    try truth?.flush()
  }

  /// Sleeps until something happens and serves it; returns whether the stop was signalled.
  private func wait(at elapsed: Int64, end: Int64?, stop: EventFD) throws(SystemError) -> Bool {
    let (descriptors, roles) = pollSet()
    var set = [pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0)] + descriptors
    let code = poll(&set, nfds_t(set.count), timeout(at: elapsed, end: end))
    // An interrupted poll comes round again; it has no other failure with valid arguments.
    guard code > 0 else { return false }
    if set[0].revents != 0 { return true }
    for (entry, role) in zip(set.dropFirst(), roles) where entry.revents != 0 {
      switch role {
      case .station(let index): accept(on: index)
      case .line(let index): lines[index].receive(at: clock.now().monotonic - origin)
      case .connection(let number): try serve(number, entry.revents)
      }
    }
    return false
  }

  private enum Role {
    /// Index into `listeners`.
    case station(Int)
    /// Index into `lines`.
    case line(Int)
    case connection(Int)
  }

  private func pollSet() -> ([pollfd], [Role]) {
    var descriptors: [pollfd] = []
    var roles: [Role] = []
    for (index, station) in listeners.enumerated() {
      guard let listener = station.listener else { continue }
      descriptors.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
      roles.append(.station(index))
    }
    for (index, line) in lines.enumerated() {
      guard let descriptor = line.descriptor else { continue }
      descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
      roles.append(.line(index))
    }
    for (number, connection) in connections {
      let events = (connection.wantsInput ? POLLIN : 0) | (connection.wantsOutput ? POLLOUT : 0)
      descriptors.append(
        pollfd(fd: connection.descriptor, events: Int16(events), revents: 0))
      roles.append(.connection(number))
    }
    return (descriptors, roles)
  }

  /// Milliseconds until something is due; -1: nothing is.
  private func timeout(at elapsed: Int64, end: Int64?) -> Int32 {
    let flush = truth?.nextFlush.map { $0 - origin }
    let change = mine.scenario.faults.nextRefusalChange(after: elapsed)
    let line = lines.compactMap { $0.nextDue(at: elapsed) }.min()
    let next = [queue.nextDue, flush, change, line, end].compactMap(\.self).min()
    guard let next else { return -1 }
    return Int32(clamping: max(0, next - elapsed))
  }

  private func updateListeners(at elapsed: Int64) throws(SystemError) {
    for index in listeners.indices {
      let station = listeners[index].station
      let refuses = mine.scenario.faults.refuse(station: station, at: elapsed)
      if refuses, let listener = listeners[index].listener {
        close(listener)
        listeners[index].listener = nil
        for (number, connection) in connections where connection.station == station {
          closeConnection(number)
        }
      } else if !refuses, listeners[index].listener == nil {
        listeners[index].listener = try LoopbackSocket.listen(port: listeners[index].port)
      }
    }
  }

  private func accept(on index: Int) {
    guard let listener = listeners[index].listener,
      let descriptor = LoopbackSocket.accept(on: listener)
    else { return }
    guard connections.count < connectionsMax else {
      close(descriptor)
      return
    }
    connectionsMade += 1
    connections[connectionsMade] = Connection(
      descriptor: descriptor, station: listeners[index].station)
  }

  private func closeConnection(_ number: Int) {
    guard let connection = connections.removeValue(forKey: number) else { return }
    close(connection.descriptor)
    queue.remove(.connection(number))
  }

  private func serve(_ number: Int, _ events: Int16) throws(SystemError) {
    do throws(Connection.Closed) {
      // An error or hang-up shows when reading, too.
      if Int32(events) & ~POLLOUT != 0 { try connections[number]?.receive() }
    } catch {
      closeConnection(number)
      return
    }
    try send(number)
    try takeRequests(of: number)
  }

  /// Takes every whole request that a connection has, and answers those without a delay.
  private func takeRequests(of number: Int) throws(SystemError) {
    while let station = connections[number]?.station {
      let request: TCPFrame?
      do throws(Connection.Closed) {
        request = try connections[number]?.nextRequest()
      } catch {
        closeConnection(number)
        return
      }
      guard let request else { return }
      let now = clock.now()
      switch mine.receive(.tcp(request), station: station, at: now.monotonic - origin) {
      case .nobody: break
      case .silence(let record): try note(record, now)
      case .pending(let pending) where pending.delay == 0:
        try respond(to: pending, on: number)
      case .pending(let pending):
        connections[number]?.waiting += 1
        let due = now.monotonic - origin + pending.delay
        queue.insert(.init(due: due, way: .connection(number), pending: pending))
      }
    }
  }

  private func answer(dueBy elapsed: Int64) throws(SystemError) {
    while let entry = queue.take(dueBy: elapsed) {
      switch entry.way {
      case .connection(let number):
        connections[number]?.waiting -= 1
        try respond(to: entry.pending, on: number)
        // It may have held back requests because too many waited.
        try takeRequests(of: number)
      case .line(let index):
        lines[index].enqueue(mine.respond(to: entry.pending, at: elapsed))
      }
    }
  }

  private func respond(to pending: Mine.Pending, on number: Int) throws(SystemError) {
    let response = mine.respond(to: pending, at: clock.now().monotonic - origin)
    connections[number]?.enqueue(response)
    try send(number)
  }

  /// Sends what it can, notes what has gone, and closes a connection that is done with.
  private func send(_ number: Int) throws(SystemError) {
    // Read before: by the time this thread runs again a busy machine's agent may be long done.
    let time = clock.now()
    let records: [TruthRecord]
    do throws(Connection.Closed) {
      records = try connections[number]?.send() ?? []
    } catch {
      closeConnection(number)
      return
    }
    for record in records { try note(record, time) }
    if connections[number]?.isFinished == true { closeConnection(number) }
  }

  // MARK: Serial lines

  private func updateLines(at elapsed: Int64) throws(SystemError) {
    for line in lines {
      let isRefused = mine.scenario.faults.refuse(station: line.station, at: elapsed)
      try line.update(isRefused: isRefused, at: elapsed)
    }
  }

  /// Takes what silence has ended, and sends what has gone over the wire.
  private func serveLines(at elapsed: Int64) throws(SystemError) {
    for (index, line) in lines.enumerated() {
      if let request = line.nextRequest(at: elapsed) {
        let station = line.station
        switch mine.receive(.rtu(request), station: station, at: elapsed) {
        case .nobody: break
        case .silence(let record): try note(record, clock.now())
        case .pending(let pending) where pending.delay == 0:
          line.enqueue(mine.respond(to: pending, at: elapsed))
        case .pending(let pending):
          let due = elapsed + pending.delay
          queue.insert(.init(due: due, way: .line(index), pending: pending))
        }
      }
      let time = clock.now()
      for record in line.send(at: elapsed) { try note(record, time) }
    }
  }

  private func note(_ record: TruthRecord, _ time: Timestamp) throws(SystemError) {
    try truth?.append(record, time: time, scenario: mine.scenario)
  }
}
