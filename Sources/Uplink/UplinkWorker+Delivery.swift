internal import Buffering
internal import MQTT
internal import Telemetry

extension UplinkWorker {
  /// A batch that is older when it would be sent is history: `data` shows what is, not what was.
  static let liveMilliseconds: Int64 = 60_000
  /// So long a batch waits that the broker refused for now, with all the backlog behind it.
  static let retryMilliseconds: Int64 = 5_000
  /// So long others may go before a batch that waits for an empty window: then they wait too.
  static let lonerPatienceMilliseconds: Int64 = 2_000

  /// What became of an attempt to send the next of a lane.
  private enum Step {
    case sent
    /// There is nothing to send.
    case empty
    /// There is, but no room for it; nothing less urgent may go before it.
    case blocked
  }

  /// Publishes as much as there is and the window has room for.
  func deliver() {
    if isDelivering.history {
      announcements.requeue(now: now)
      for (stream, position) in setAside.retry(now: now) {
        lanes[stream]?.retry(from: position, at: now)
      }
    }
    while isDelivering.live, connection != nil, sendNext() == .sent {}
    if case .draining = machine.state, connection != nil, !window.holdsLive, areLiveLanesEmpty {
      liveLanesAreEmpty()
    }
  }

  /// A publish was taken or refused by the broker.
  func acknowledged(_ id: Int32, _ reason: MQTTReason) {
    guard let entry = window.remove(id, now: now) else { return }
    switch entry.cargo {
    case .batch(let identity, let start, let lane):
      suspects.acknowledged(identity)
      settle(identity, from: start, on: lane, reason)
    case .announcement(let message):
      if let (fault, pause) = Self.refusal(reason) {
        announcements.refused(message, fault, retryAt: now + pause)
      } else {
        announcements.accepted(message)
      }
    case .health:
      let refusal = Self.refusal(reason)
      healthFault = refusal?.fault
      healthRetryAt = refusal.map { now + $0.pause }
    }
  }

  private func settle(
    _ identity: BatchIdentity, from start: LogPosition, on lane: Lane, _ reason: MQTTReason
  ) {
    if !reason.isFailure {
      log.acknowledge(identity, by: settings.name)
      isQuotaExceeded = false
      if let position = setAside.delivered(identity) {
        lanes[lane.stream]?.retry(from: position, at: now)
      }
      if reason == .noMatchingSubscribers {
        lacksSubscriber.insert(lane.stream)
      } else {
        lacksSubscriber.remove(lane.stream)
      }
    } else if Self.isTransient(reason) {
      lanes[lane.stream]?.retry(from: start, at: now + Self.retryMilliseconds)
      isQuotaExceeded = true
    } else {
      setAside.add(identity, .refused, start: start, now: now)
    }
  }

  /// What it means for a retained topic that the broker did not take, and after how many
  /// milliseconds it is published again; `nil` for a success.
  private static func refusal(_ reason: MQTTReason) -> (fault: UplinkFault, pause: Int64)? {
    guard reason.isFailure else { return nil }
    return isTransient(reason)
      ? (.quotaExceeded, retryMilliseconds) : (.refused, SetAside.retryMilliseconds)
  }

  /// Whether the same batch may be taken later.
  private static func isTransient(_ reason: MQTTReason) -> Bool {
    switch reason {
    case .unspecified, .implementationSpecific, .packetIDInUse, .quotaExceeded, .serverBusy,
      .messageRateTooHigh:
      true
    default: false
    }
  }

  private var areLiveLanesEmpty: Bool {
    StreamName.allCases.allSatisfy { lanes[$0]?.live(skipping: isPassedOver) == nil }
  }

  private func isPassedOver(_ identity: BatchIdentity) -> Bool {
    window.contains(identity) || setAside.contains(identity)
  }

  private func sendNext() -> Step {
    historyReadyAt = nil
    if isHeldForLoner { return .blocked }
    let announced = sendAnnouncement()
    if announced != .empty { return announced }
    if isHealthFirst, isDelivering.history { return sendHealth() }
    for lane in Lane.byUrgency where !lane.isHistory || isDelivering.history {
      let step = lane.isHistory ? sendHistory(lane) : sendLive(lane)
      if step != .empty { return step }
      // Events go before it, values after: a stream of values must not starve it.
      if lane == Lane.byUrgency.first {
        let step = sendHealth()
        if step != .empty { return step }
      }
    }
    return .empty
  }

  /// While a batch is alone in flight, or has waited long enough to be.
  private var isHeldForLoner: Bool {
    guard !window.isEmpty else { return false }
    if window.batches.contains(where: suspects.mustGoAlone) { return true }
    guard let loner, now - loner.waitsSince >= Self.lonerPatienceMilliseconds else { return false }
    // Its lane may have been read anew since, or pause: then the others wait for nothing. Nor do
    // they wait while a stop leaves no time for the backlog, in which such a batch always is.
    return isDelivering.history
      && lanes[loner.identity.stream]?.isNext(loner.identity, now: now) == true
  }

  private func sendAnnouncement() -> Step {
    guard let next = announcements.next else { return .empty }
    let message = MQTTMessage(topic: next.topic, payload: next.payload, isRetained: true)
    let step = publish(message, .announcement(next), isHistory: false)
    if step == .sent { announcements.publishedNext() }
    return step
  }

  private func sendHealth() -> Step {
    guard window.hasRoom(forBytes: 0, isHistory: false), let message = dueHealth() else {
      return .empty
    }
    let step = publish(message, .health, isHistory: false)
    if step == .sent { healthWasPublished() }
    return step
  }

  private func sendLive(_ lane: Lane) -> Step {
    guard let head = lanes[lane.stream]?.live(skipping: isPassedOver) else { return .empty }
    guard !isStale(head.batch) else {
      lanes[lane.stream]?.moveLiveToTail()
      return .empty
    }
    return send(head, on: lane)
  }

  private func sendHistory(_ lane: Lane) -> Step {
    guard let head = lanes[lane.stream]?.history(now: now, skipping: isPassedOver) else {
      return .empty
    }
    let readyAt = bucket.readyAt(now)
    guard readyAt <= now else {
      historyReadyAt = readyAt
      return .blocked
    }
    return send(head, on: lane)
  }

  private func isStale(_ batch: Batch) -> Bool {
    let time = uplink.clock.now()
    // Within a boot the monotonic clock tells the age, whatever happened to the wall clock since.
    let age =
      batch.boot == uplink.boot
      ? time.monotonic - (batch.newestTime - batch.offset) : time.wall - batch.newestTime
    return age > Self.liveMilliseconds
  }

  private func send(_ head: StreamLanes.Head, on lane: Lane) -> Step {
    let identity = head.batch.identity
    if lane.stream == .data, !announcements.covers(head.batch.definitions) {
      announcements.update(log.definitions())
      announcements.doWithout(head.batch.definitions)
      // Around again: the definition goes first.
      if announcements.next != nil { return sendAnnouncement() }
    }
    if suspects.mustGoAlone(identity) {
      guard window.isEmpty else {
        if loner?.identity != identity { loner = (identity, now) }
        return .blocked
      }
      loner = nil
    }
    var payload = head.payload ?? []
    if head.payload == nil {
      let batch = log.dated(head.batch)
      payload = encoder.encode(batch)
      // Its times may become known while it waits.
      let isFinal = batch.clock == .synced || batch.isCorrected
      if isFinal { lanes[lane.stream]?.keep(payload, isHistory: lane.isHistory) }
    }
    let step = publish(
      MQTTMessage(topic: topics.batches(lane), payload: payload),
      .batch(identity, start: head.start, lane: lane), isHistory: lane.isHistory)
    if step == .sent {
      lanes[lane.stream]?.take(isHistory: lane.isHistory)
      if lane.isHistory { bucket.take(payload.count, now: now) }
    }
    return step
  }

  /// Hands a message to the broker if the window has room. One that the broker can't take counts as
  /// sent: it is set aside.
  private func publish(
    _ message: MQTTMessage, _ cargo: InflightWindow.Cargo, isHistory: Bool
  ) -> Step {
    let bytes = message.payload.count + message.topic.utf8.count
    guard let connection, window.hasRoom(forBytes: bytes, isHistory: isHistory) else {
      return .blocked
    }
    do throws(MQTTError) {
      let id = try connection.publish(message)
      let entry = InflightWindow.Entry(cargo: cargo, bytes: bytes)
      if window.insert(id, entry, now: now) { return .sent }
      // The acknowledgement of the one before has not come for 65,535 publishes.
      lost(.timeout)
      return .blocked
    } catch .tooLarge {
      isTooLarge(cargo)
      return .sent
    } catch {
      lost(ConnectionLoss(error))
      return .blocked
    }
  }

  private func isTooLarge(_ cargo: InflightWindow.Cargo) {
    switch cargo {
    case .batch(let identity, let start, _):
      setAside.add(identity, .tooLarge, start: start, now: now)
    case .announcement(let message):
      announcements.refused(message, .tooLarge, retryAt: now + SetAside.retryMilliseconds)
    case .health: healthFault = .tooLarge
    }
  }
}
