internal import Buffering
internal import LinuxSystem
internal import MQTT
internal import Telemetry

/// What an uplink's thread holds: it performs what the state machine decides. All decisions that
/// are not about I/O are in the values it owns.
final class UplinkWorker {
  /// The longest time between two `health` messages.
  static let healthMilliseconds: Int64 = 60_000
  /// The shortest: a change that flaps costs one message a second.
  static let healthAtMostEveryMilliseconds: Int64 = 1_000
  /// The longest sleep, so that whoever watches the loop sees it turn.
  private static let sleepMilliseconds = 10_000
  /// Work between two sleeps reads the store, and flash may stall for a minute.
  private static let workMilliseconds: Int64 = 60_000
  /// The system's resolver asks up to three name servers, each twice, with 5 s each, for each
  /// domain it searches and for two kinds of addresses.
  private static let connectMilliseconds: Int64 = 240_000

  let uplink: Uplink
  let settings: UplinkSettings
  let log: any BatchLog
  let topics: TopicLayout
  var encoder: PayloadEncoder
  var machine: UplinkStateMachine
  var connection: MQTTConnection?
  var window: InflightWindow
  var bucket: TokenBucket
  var announcements: Announcements
  var lanes: [StreamName: StreamLanes] = [:]
  var setAside = SetAside()
  var suspects = DisconnectSuspects()
  // A batch that must go alone, and since when it waits for an empty window.
  var loner: (identity: BatchIdentity, waitsSince: Int64)?
  var isQuotaExceeded = false
  var lacksSubscriber: Set<StreamName> = []
  // When history that has credits may go on, as far as its rate says.
  var historyReadyAt: Int64?

  // The broker did not take the last `health`; it comes again each minute in any case.
  var healthFault: UplinkFault?
  var healthRetryAt: Int64?

  // Goes before the batches of a connection.
  private(set) var isHealthFirst = false
  private var isHealthDue = false
  private var healthPublishedAt: Int64 = 0
  private var connectionFault: UplinkFault?
  private var reportedFault: UplinkFault? = .connecting
  private var farewell: Int32?
  private var answer: ConnectAnswer?
  // The log's, as `state` told it last.
  private var toldEdition: UInt32 = 0
  // Wall time of the attempt: the will and the `online` state bear the same.
  private var connectingSince: Int64 = 0

  init(_ uplink: Uplink, generator: any RandomNumberGenerator) {
    self.uplink = uplink
    settings = uplink.settings
    log = uplink.log
    topics = TopicLayout(prefix: settings.topicPrefix)
    encoder = PayloadEncoder(
      gateway: settings.gateway, destination: settings.name.description,
      agentVersion: settings.agentVersion)
    machine = UplinkStateMachine(
      endpointCount: settings.endpoints.count, generator: generator)
    window = InflightWindow(configured: settings.window, historyShare: settings.historyShare)
    bucket = TokenBucket(bytesPerSecond: settings.historyRate, now: uplink.clock.monotonic)
    announcements = Announcements(topics: topics)
  }

  /// Works until the uplink was stopped and is done.
  func run() {
    perform(machine.start(now: now))
    while machine.state != .ended {
      // Timers are compared with the time before the work: one that runs out during it counts.
      let time = now
      tellTurn()
      takeRequests()
      perform(machine.tick(now: now))
      checkAcknowledgements()
      tellEdition()
      deliver()
      reportFault()
      wait(since: time)
    }
    connection = nil
  }

  private func tellTurn() {
    uplink.heartbeat.turn(nextWithin: Int64(Self.sleepMilliseconds) + Self.workMilliseconds)
  }

  /// Milliseconds of the monotonic clock.
  var now: Int64 { uplink.clock.monotonic }

  /// Whether batches may be published; history only while nobody asked for a stop.
  var isDelivering: (live: Bool, history: Bool) {
    switch machine.state {
    case .live: (true, true)
    case .draining: (true, false)
    case .idle, .offline, .connecting, .parting, .leaving, .ended: (false, false)
    }
  }

  /// The connection, or the attempt to make one, failed.
  func lost(_ loss: ConnectionLoss) {
    if let culprit = suspects.connectionLost(
      inFlight: window.batches, isByBroker: loss.isByBroker)
    {
      setAside.condemn(culprit, now: now)
    }
    var loss = loss
    loss.fault = loss.fault.seen(at: uplink.clock.now())
    perform(machine.lost(loss, now: now))
  }

  /// The broker has everything that the live lanes held.
  func liveLanesAreEmpty() { perform(machine.drained()) }
}

extension UplinkWorker {
  private func perform(_ actions: [UplinkStateMachine.Action]) {
    for action in actions {
      switch action {
      case .connect(let endpoint): connect(to: settings.endpoints[endpoint])
      case .greet: greet()
      case .abandon: abandon()
      case .report(let fault): connectionFault = fault
      case .sayGoodbye: sayGoodbye()
      case .disconnect: connection?.disconnect()
      }
    }
  }

  private func connect(to endpoint: UplinkEndpoint) {
    reportFault()
    connectingSince = uplink.clock.now().wall
    uplink.heartbeat.turn(nextWithin: Self.connectMilliseconds)
    defer { tellTurn() }
    do {
      var password: [UInt8]?
      if let file = settings.passwordFile { password = try PasswordFile.read(file) }
      let will = MQTTMessage(
        topic: topics.state, payload: state(isOnline: false, since: connectingSince),
        isRetained: true)
      let connection = try MQTTConnection(
        MQTTSettings(
          host: endpoint.host, port: endpoint.port, tls: settings.tls,
          clientID: settings.clientID, version: settings.version, username: settings.username,
          password: password, will: will))
      try connection.connect()
      self.connection = connection
      machine.opened(now: now)
    } catch let error as MQTTError {
      lost(ConnectionLoss(error))
    } catch {
      lost(.passwordFile)
    }
  }

  /// Begins to deliver on a connection that the broker took.
  private func greet() {
    window.open(receiveMaximum: answer?.receiveMaximum ?? .max)
    setAside.open(now: now)
    lacksSubscriber = []
    loner = nil
    isQuotaExceeded = false
    healthFault = nil
    healthRetryAt = nil
    for stream in StreamName.allCases {
      lanes[stream] = StreamLanes(stream: stream, log: log, destination: settings.name)
    }
    // Before the state: what comes meanwhile is told once more.
    toldEdition = log.edition
    announcements.open(
      state: state(isOnline: true, since: connectingSince), definitions: log.definitions())
    isHealthFirst = true
  }

  /// The store was opened anew: it has another epoch, and perhaps another name.
  private func tellEdition() {
    guard case .live = machine.state, log.edition != toldEdition else { return }
    toldEdition = log.edition
    announcements.renew(state: state(isOnline: true, since: connectingSince))
    isHealthDue = true
  }

  private func abandon() {
    connection = nil
    lanes = [:]
    farewell = nil
    answer = nil
    window.close()
  }

  private func sayGoodbye() {
    guard let connection else { return }
    // One that is older than the last `online` is void: the clock may have been set back.
    let since = max(connectingSince, uplink.clock.now().wall)
    let message = MQTTMessage(
      topic: topics.state, payload: state(isOnline: false, since: since),
      isRetained: true)
    // Outside the window: nothing follows it.
    do { farewell = try connection.publish(message) } catch { lost(ConnectionLoss(error)) }
  }

  private func state(isOnline: Bool, since: Int64) -> [UInt8] {
    encoder.state(isOnline: isOnline, store: log.store, epoch: log.epoch, since: since)
  }

  private func takeRequests() {
    let (stopWithin, isHealthChanged) = uplink.requests.withLock { requests in
      defer { requests.isHealthChanged = false }
      return (requests.stopWithin, requests.isHealthChanged)
    }
    if isHealthChanged { isHealthDue = true }
    if let stopWithin { perform(machine.stop(within: stopWithin, now: now)) }
  }

  private func checkAcknowledgements() {
    if let overdue = window.overdueAt, now >= overdue { lost(.timeout) }
  }

  private func reportFault() {
    let isConnected = connectionFault == nil
    uplink.requests.withLock { $0.isConnected = isConnected }
    let quota: UplinkFault? = isQuotaExceeded ? .quotaExceeded : nil
    let fault =
      connectionFault ?? quota ?? setAside.fault ?? announcements.fault ?? healthFault
    guard fault != reportedFault else { return }
    reportedFault = fault
    uplink.observer.destination(settings.name, changedTo: fault?.rawValue)
  }

  /// The `health` message if it is time for one.
  func dueHealth() -> MQTTMessage? {
    guard let time = healthDueAt, now >= time else { return nil }
    // Its minute is also the time to look for definitions that left the log.
    announcements.update(log.definitions())
    let streams = StreamName.allCases.map { stream in
      let delivery = StreamDelivery(
        summary: log.summary(of: stream, for: settings.name),
        refused: setAside.count(.refused, in: stream),
        tooLarge: setAside.count(.tooLarge, in: stream),
        lacksSubscriber: lacksSubscriber.contains(stream))
      return (stream, delivery)
    }
    let payload = encoder.health(
      uplink.health.report(), store: log.store, epoch: log.epoch,
      streams: Dictionary(uniqueKeysWithValues: streams), refused: announcements.refused)
    return MQTTMessage(topic: topics.health, payload: payload, isRetained: true)
  }

  /// A `health` message was handed to the broker, or is of no use to it.
  func healthWasPublished() {
    isHealthFirst = false
    isHealthDue = false
    healthRetryAt = nil
    healthPublishedAt = now
  }

  private var healthDueAt: Int64? {
    guard isDelivering.history else { return nil }
    let pause = isHealthDue ? Self.healthAtMostEveryMilliseconds : Self.healthMilliseconds
    return isHealthFirst ? 0 : min(healthPublishedAt + pause, healthRetryAt ?? .max)
  }

  private var historyTimers: [Int64?] {
    guard isDelivering.history else { return [] }
    return [historyReadyAt, setAside.retryAt, announcements.retryAt]
      + lanes.values.map(\.resumesAt)
  }

  /// Sleeps until the socket, the log, a request or the next timer.
  private func wait(since time: Int64) {
    guard machine.state != .ended else { return }
    // A delivery that was due before the work waits for room in the window, not for time.
    let deliveries = ([healthDueAt] + historyTimers).compactMap { $0 }.filter { $0 > time }
    let next = ([machine.nextTick, window.overdueAt].compactMap { $0 } + deliveries).min()
    let milliseconds = min(
      next.map { Int(clamping: max(0, $0 - now)) } ?? .max, Self.sleepMilliseconds)
    guard let connection else {
      uplink.waker.wait(forMilliseconds: milliseconds)
      return
    }
    for event in connection.serve(forMilliseconds: milliseconds, wakenBy: uplink.waker) {
      take(event)
    }
  }

  private func take(_ event: MQTTEvent) {
    switch event {
    case .connected(let answer):
      self.answer = answer
      perform(machine.connected(now: now))
    case .refused(let reason): lost(ConnectionLoss(reason))
    case .disconnected(let error): lost(ConnectionLoss(error))
    case .acknowledged(let id, let reason) where id == farewell:
      _ = reason
      perform(machine.farewellAcknowledged())
    case .acknowledged(let id, let reason): acknowledged(id, reason)
    // Nothing is subscribed to yet.
    case .subscribed, .message: break
    }
  }
}
