import Telemetry

@testable import Drivers

/// Plays bus and network for a state machine, in time that the test moves.
struct Play {
  var machine: ModbusBusStateMachine
  var now: Int64
  /// What each transaction takes and yields.
  var answer: (PlannedRequest, Int64) -> (Result<ReadAnswer, TransactionError>, takes: Int64)
  /// What each attempt to connect yields.
  var connect: (Int64) -> (ConnectError?, takes: Int64) = { _ in (nil, 1) }
  var reports: [ModbusBusStateMachine.Report] = []
  var asked: [(unit: UInt8, addresses: Range<Int>, at: Int64)] = []
  var requests: [PlannedRequest] = []
  var connects: [Int64] = []

  init(
    _ definition: ModbusBusDefinition, start: Int64 = 0, spreads: Bool = false,
    answer: @escaping (PlannedRequest, Int64) -> (Result<ReadAnswer, TransactionError>, Int64)
  ) {
    machine = ModbusBusStateMachine(definition, start: start, spreads: spreads)
    now = start
    self.answer = answer
  }

  var time: Timestamp { Timestamp(monotonic: now, offset: 1_000_000, clock: .synced) }

  mutating func run(until end: Int64) {
    while now < end {
      switch machine.next(at: time) {
      case .connect:
        connects.append(now)
        let (error, takes) = connect(now)
        now += takes
        if let error {
          machine.connectFailed(error, at: time)
        } else {
          machine.connected(at: time)
        }
      case .ask(let turn):
        asked.append((turn.request.unit, turn.request.addresses, now))
        requests.append(turn.request)
        let (result, takes) = answer(turn.request, now)
        now += takes
        machine.finish(turn, with: result, at: time)
      case .sleep(let until):
        precondition(until > now, "asked to sleep until \(until) at \(now)")
        now = min(until, end)
      }
      reports += machine.takeReports()
    }
  }

  var samples: [Sample] {
    reports.compactMap { if case .sample(let sample) = $0 { sample } else { nil } }
  }
  var events: [Event] {
    reports.compactMap { if case .event(let event) = $0 { event } else { nil } }
  }
  func reasons(of device: String) -> [BadReason?] {
    samples.filter { $0.device.name == device }.flatMap(\.outcomes).map { outcome in
      if case .bad(let reason, _) = outcome.outcome { reason } else { nil }
    }
  }
  func states(of source: String) -> [String] {
    events.filter { $0.source == source }.compactMap { $0.stateDetail?.state }
  }
}

/// Every address holds 1.
func values(_ request: PlannedRequest) -> Result<ReadAnswer, TransactionError> {
  .success(.values([UInt16](repeating: 1, count: request.count)))
}
