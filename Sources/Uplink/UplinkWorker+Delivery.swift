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
    while isDelivering.live, connection != nil, sendNext() == .sent {}
    if case .draining = machine.state, connection != nil, !window.holdsLive, areLiveLanesEmpty {
      liveLanesAreEmpty()
    }
  }

  /// A publish was taken or refused by the broker.
  func acknowledged(_ id: Int32, _ reason: MQTTReason) {
    guard let entry = window.remove(id, now: now) else { return }
    guard case .batch(let identity, let start, let lane) = entry.cargo else { return }
    suspects.acknowledged(identity)
    if !reason.isFailure {
      log.acknowledge(identity, by: settings.name)
      isQuotaExceeded = false
      if reason == .noMatchingSubscribers {
        lacksSubscriber.insert(lane.stream)
      } else {
        lacksSubscriber.remove(lane.stream)
      }
    } else if Self.isTransient(reason) {
      lanes[lane.stream]?.retry(from: start, at: now + Self.retryMilliseconds)
      isQuotaExceeded = true
    } else {
      setAside.add(identity, .refused)
    }
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
    // Its lane may have been read anew since, or pause: then the others wait for nothing.
    return lanes[loner.identity.stream]?.isNext(loner.identity, now: now) ?? false
  }

  private func sendAnnouncement() -> Step {
    guard let next = announcements.next else { return .empty }
    let message = MQTTMessage(topic: next.topic, payload: next.payload, isRetained: true)
    let step = publish(message, .retained(topic: next.topic), isHistory: false)
    if step == .sent { announcements.publishedNext() }
    return step
  }

  private func sendHealth() -> Step {
    guard window.hasRoom(forBytes: 0, isHistory: false), let message = dueHealth() else {
      return .empty
    }
    let step = publish(message, .retained(topic: topics.health), isHistory: false)
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
      payload = encoder.encode(head.batch)
      lanes[lane.stream]?.keep(payload, isHistory: lane.isHistory)
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
      window.insert(id, InflightWindow.Entry(cargo: cargo, bytes: bytes), now: now)
      return .sent
    } catch .tooLarge {
      if case .batch(let identity, _, _) = cargo { setAside.add(identity, .tooLarge) }
      return .sent
    } catch {
      lost(ConnectionLoss(error))
      return .blocked
    }
  }
}
