import Telemetry

/// Accounts for received messages, taken in the order of their arrival. Pure: the same messages
/// always give the same report. It keeps some 100 bytes a batch, and with `keepsValues` 48 a value.
struct Account: Sendable {
  /// What to account for beyond completeness.
  struct Options: Sendable, Hashable {
    /// Moments (Unix ms) to find the first fresh sample after.
    var since: [Int64] = []
    /// Whether values are kept to be compared with a truth.
    var keepsValues = false
    /// Whether values are placed by the wall clock for that, not by the agent's monotonic one.
    var comparesWallTime = false
  }

  /// Enough to see what happened; the counts say the rest.
  static let exampleLimit = 100

  private struct DeviceKey: Hashable {
    var gateway: String
    var device: String
  }

  private var report = AccountReport()
  private(set) var statements = Statements()
  private(set) var held: [StreamEpoch: HeldStream] = [:]
  private(set) var delivered: [DevicePoint: [DeliveredValue]] = [:]
  /// Times of the readings that say `timeout`.
  private var givenUp: [DevicePoint: [Int64]] = [:]
  /// Of each point that some definition says is not reported at every reading.
  private var rules: [DevicePoint: ReportRule] = [:]
  private var devices: [DeviceKey: AccountReport.Device] = [:]
  private var order = SampleOrder()
  private var liveLatency = Latency()
  private var historyLatency = Latency()
  private let keepsValues: Bool
  private let comparesWallTime: Bool

  /// Starts with nothing received.
  init(_ options: Options = Options()) {
    keepsValues = options.keepsValues
    comparesWallTime = options.comparesWallTime
    report.firstFresh = options.since.map { AccountReport.FirstFresh(since: $0) }
  }

  /// Takes the next message. One that is malformed is counted, and nothing more.
  mutating func add(_ message: ArrivedMessage) {
    report.messages.total += 1
    switch Content(message) {
    case .batch(let batch, let isHistory):
      switch (batch.stream.stream, isHistory) {
      case (.events, _): report.messages.events += 1
      case (.data, false): report.messages.live += 1
      case (.data, true): report.messages.history += 1
      }
      add(batch, arrival: message.arrival, isHistory: isHistory)
    case .state(let state):
      report.messages.retained += 1
      statements.add(state)
    case .health(let health, let gateway):
      report.messages.retained += 1
      statements.add(health, of: gateway)
    case .definitions(let definitions):
      report.messages.retained += 1
      if keepsValues { rules.merge(definitions.rules) { _, newer in newer } }
    case .cleared: report.messages.retained += 1
    case .other: report.messages.other += 1
    case .malformed(let error):
      report.messages.malformed += 1
      guard report.malformed.count < Self.exampleLimit else { return }
      report.malformed.append(
        AccountReport.Malformed(
          arrival: message.arrival, topic: message.topic, problem: "\(error)"))
    }
  }

  private mutating func add(_ batch: ReceivedBatch, arrival: Int64, isHistory: Bool) {
    if case .samples = batch.body, !isHistory { noteFresh(batch, arrival: arrival) }
    switch held[batch.stream, default: HeldStream()].hold(batch) {
    case .repeated: report.repeats += 1
    case .conflicting:
      report.repeats += 1
      report.conflictCount += 1
      guard report.conflicts.count < Self.exampleLimit else { return }
      report.conflicts.append(
        AccountReport.Conflict(stream: batch.stream, seq: batch.seq, arrival: arrival))
    case .new:
      switch batch.body {
      case .samples(let samples):
        order.check(batch, isHistory: isHistory)
        tally(samples, of: batch)
        time(samples, of: batch, arrival: arrival, isHistory: isHistory)
        if keepsValues { keepValues(of: samples, offset: batch.offset) }
      case .events(let events): statements.add(events, of: batch)
      }
    }
  }

  private mutating func noteFresh(_ batch: ReceivedBatch, arrival: Int64) {
    guard let newest = batch.monotonicSpan?.upperBound else { return }
    for index in report.firstFresh.indices where report.firstFresh[index].milliseconds == nil {
      let since = report.firstFresh[index].since
      if newest + batch.offset >= since { report.firstFresh[index].milliseconds = arrival - since }
    }
  }

  private mutating func tally(_ samples: [ReceivedSample], of batch: ReceivedBatch) {
    let gateway = batch.stream.epoch.gateway
    for sample in samples {
      let key = DeviceKey(gateway: gateway, device: sample.device)
      var device =
        devices[key] ?? AccountReport.Device(gateway: gateway, device: sample.device)
      device.samples += 1
      for reading in sample.readings {
        switch reading.outcome {
        case .good: device.good += 1
        case .bad(let reason, _): device.bad[reason, default: 0] += 1
        }
      }
      devices[key] = device
    }
  }

  private mutating func time(
    _ samples: [ReceivedSample], of batch: ReceivedBatch, arrival: Int64, isHistory: Bool
  ) {
    // A clock that was never set says nothing about how long the way was.
    guard batch.clock != .unsynced else { return }
    for sample in samples {
      let duration = arrival - (sample.monotonic + batch.offset)
      if isHistory { historyLatency.record(duration) } else { liveLatency.record(duration) }
    }
  }

  private mutating func keepValues(of samples: [ReceivedSample], offset: Int64) {
    for sample in samples {
      let time = sample.monotonic + offset
      for reading in sample.readings {
        let point = DevicePoint(device: sample.device, point: reading.point)
        let value: (text: String, isGood: Bool)
        switch reading.outcome {
        case .good(let text): value = (text, true)
        case .bad(_, let raw?): value = (raw, false)
        case .bad(.timeout, nil):
          givenUp[point, default: []].append(comparesWallTime ? time : sample.monotonic)
          continue
        case .bad(_, nil): continue
        }
        delivered[point, default: []].append(
          DeliveredValue(
            monotonic: comparesWallTime ? time : sample.monotonic, time: time, text: value.text,
            isGood: value.isGood))
      }
    }
  }

  /// The account so far; with `truth`, value by value (`keepsValues` must have been set).
  func report(truth: Truth? = nil) -> AccountReport {
    precondition(truth == nil || keepsValues, "a truth needs keepsValues")
    var report = report
    report.outOfOrderCount = order.violationCount
    report.outOfOrder = order.examples
    report.liveLatency = liveLatency.summary
    report.historyLatency = historyLatency.summary
    report.devices = devices.values.sorted { ($0.gateway, $0.device) < ($1.gateway, $1.device) }
    let completeness = Completeness(held: held, statements: statements)
    report.streams = completeness.streams
    report.missingEpochs = completeness.missingEpochs
    report.clones = completeness.clones
    report.dating = completeness.dating
    report.timeGaps = statements.datedTimeGaps.filter {
      statements.concerns($0.detail, of: $0.gateway)
    }
    if let truth {
      report.truth = TruthReport(
        truth: truth, delivered: delivered, stretches: completeness.missingStretches,
        rules: rules, givenUp: givenUp)
    }
    return report
  }
}
