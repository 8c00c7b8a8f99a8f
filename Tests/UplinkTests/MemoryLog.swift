import Buffering
import LinuxSystem
import Telemetry

/// A log in memory: what the journal does, as far as an uplink can see.
final class MemoryLog: BatchLog {
  struct State {
    var batches: [StreamName: [Batch]] = [.events: [], .data: []]
    var acknowledged: [DestinationName: Set<BatchIdentity>] = [:]
    var acknowledgements: [BatchIdentity: Int] = [:]
    var definitions: [UInt32: [UInt8]] = [:]
    var wakers: [EventFD] = []
    /// What the boot has learnt of its clock.
    var learntOffset: Int64?
  }

  let store: UInt64 = 0x9f2c_61d0_7be4_a835
  let epoch: UInt32 = 7
  let state = Monitor(State())

  func append(_ batch: Batch) {
    let wakers = state.withLock { state in
      state.batches[batch.identity.stream]?.append(batch)
      return state.wakers
    }
    for waker in wakers { waker.signal() }
  }

  /// Appends a batch with one sample or event and returns its identity.
  @discardableResult
  func append(
    _ stream: StreamName, at time: Timestamp, boot: BootID = BootID(rawValue: 0x3d1f_0c52),
    definitions: UInt32 = 0xb194_6ac9, padding: Int = 0
  ) -> BatchIdentity {
    let seq = state.withLock { UInt64($0.batches[stream]?.count ?? 0) + 1 }
    let identity = BatchIdentity(store: store, stream: stream, epoch: epoch, seq: seq)
    let name = "return-air" + String(repeating: "x", count: padding)
    let body: Batch.Body =
      switch stream {
      case .data:
        .samples([
          StoredSample(
            device: DeviceSchema(name: name, points: ["ch4"]), monotonic: time.monotonic,
            outcomes: [PointOutcome(point: 0, outcome: .good(.float32(0.1)))])
        ])
      case .events:
        .events([
          StoredEvent(
            id: seq, monotonic: time.monotonic, severity: .alarm, type: "device", source: name,
            details: [])
        ])
      }
    append(
      Batch(
        identity: identity, boot: boot, offset: time.offset, clock: time.clock,
        definitions: definitions, isDurable: true, body: body))
    return identity
  }

  func learn(offset: Int64) { state.withLock { $0.learntOffset = offset } }

  func dated(_ batch: Batch) -> Batch {
    guard batch.clock == .unsynced, let offset = state.withLock({ $0.learntOffset }) else {
      return batch
    }
    var dated = batch
    dated.offset = offset
    dated.isCorrected = true
    return dated
  }

  func define(_ digest: UInt32, _ payload: String?) {
    state.withLock { $0.definitions[digest] = payload.map { Array($0.utf8) } }
  }

  func unacknowledged(by destination: DestinationName) -> Int {
    state.withLock { state in
      state.batches.values.joined().filter {
        state.acknowledged[destination]?.contains($0.identity) != true
      }.count
    }
  }

  func isAcknowledged(_ identity: BatchIdentity, by destination: DestinationName) -> Bool {
    state.withLock { $0.acknowledged[destination]?.contains(identity) == true }
  }

  func end(of stream: StreamName) -> LogPosition {
    LogPosition(
      generation: 1, offset: state.withLock { UInt32($0.batches[stream]?.count ?? 0) })
  }

  func reader(
    of stream: StreamName, for destination: DestinationName, from position: LogPosition
  ) -> any BatchReader {
    MemoryReader(
      log: self, stream: stream, destination: destination,
      position: max(position, LogPosition(generation: 1, offset: 0)))
  }

  func acknowledge(_ identity: BatchIdentity, by destination: DestinationName) {
    state.withLock {
      $0.acknowledged[destination, default: []].insert(identity)
      $0.acknowledgements[identity, default: 0] += 1
    }
  }

  func summary(of stream: StreamName, for destination: DestinationName) -> StreamSummary {
    state.withLock { state in
      let batches = state.batches[stream] ?? []
      let unsent = batches.filter {
        state.acknowledged[destination]?.contains($0.identity) != true
      }
      return StreamSummary(
        newest: batches.last?.identity, oldest: batches.first?.identity, unsent: unsent.count,
        oldestUnsent: unsent.first?.newestTime)
    }
  }

  func definitions() -> [UInt32: [UInt8]] { state.withLock { $0.definitions } }

  func wake(_ descriptor: EventFD) { state.withLock { $0.wakers.append(descriptor) } }
}

final class MemoryReader: BatchReader {
  private let log: MemoryLog
  private let stream: StreamName
  private let destination: DestinationName
  private(set) var position: LogPosition

  init(log: MemoryLog, stream: StreamName, destination: DestinationName, position: LogPosition) {
    self.log = log
    self.stream = stream
    self.destination = destination
    self.position = position
  }

  func next(before limit: LogPosition?) -> (batch: Batch, start: LogPosition)? {
    log.state.withLock { state in
      let batches = state.batches[stream] ?? []
      while Int(position.offset) < batches.count, limit.map({ position < $0 }) ?? true {
        let start = position
        position.offset += 1
        let batch = batches[Int(start.offset)]
        if state.acknowledged[destination]?.contains(batch.identity) != true {
          return (batch, start)
        }
      }
      return nil
    }
  }
}
