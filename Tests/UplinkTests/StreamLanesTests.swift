import Buffering
import Telemetry
import Testing
import TestSupport

@testable import Uplink

@Suite("The lanes of a stream")
struct StreamLanesTests {
  private let destination = DestinationName("province")
  private let time = Timestamp(monotonic: 0, offset: 0, clock: .synced)

  @Test("Live begins at the tail; the backlog ends there")
  func split() {
    let log = MemoryLog()
    let old = (0..<3).map { _ in log.append(.data, at: time) }
    var lanes = StreamLanes(stream: .data, log: log, destination: destination)
    let new = (0..<2).map { _ in log.append(.data, at: time) }
    #expect(lanes.drainLive() == new)
    #expect(lanes.drainHistory() == old)
    #expect(lanes.drainLive().isEmpty && lanes.drainHistory().isEmpty)
  }

  @Test("When live moves to the tail, what lies between becomes backlog")
  func moveToTail() {
    let log = MemoryLog()
    var lanes = StreamLanes(stream: .data, log: log, destination: destination)
    let skipped = (0..<4).map { _ in log.append(.data, at: time) }
    #expect(lanes.live { _ in false }?.batch.identity == skipped[0])
    lanes.moveLiveToTail()
    let fresh = log.append(.data, at: time)
    #expect(lanes.drainLive() == [fresh])
    #expect(lanes.drainHistory() == skipped)
  }

  @Test(
    "A refused batch comes again after the pause, with nothing lost and nothing in flight twice")
  func retry() {
    let log = MemoryLog()
    let all = (0..<6).map { _ in log.append(.data, at: time) }
    var lanes = StreamLanes(stream: .data, log: log, destination: destination)
    var taken: [BatchIdentity] = []
    for _ in 0..<3 { if let next = lanes.takeHistory(now: 0) { taken.append(next) } }
    #expect(taken == Array(all[0..<3]))
    // 1 is refused for now, 0 acknowledged, 2 in flight, 3 read but not sent.
    _ = lanes.history(now: 0) { _ in false }
    log.acknowledge(all[0], by: destination)
    lanes.retry(from: LogPosition(generation: 1, offset: 1), at: 5_000)
    #expect(lanes.takeHistory(now: 4_999) == nil)
    #expect(lanes.resumesAt == 5_000)
    #expect(lanes.drainHistory(now: 5_000, skipping: [all[2]]) == [all[1], all[3], all[4], all[5]])
  }

  @Test("A batch that is next in a lane no longer is when the lane moves on, and not in a pause")
  func next() {
    let log = MemoryLog()
    let old = log.append(.data, at: time)
    var lanes = StreamLanes(stream: .data, log: log, destination: destination)
    let live = log.append(.data, at: time)
    #expect(!lanes.isNext(old, now: 0) && !lanes.isNext(live, now: 0))
    _ = lanes.live { _ in false }
    _ = lanes.history(now: 0) { _ in false }
    #expect(lanes.isNext(old, now: 0) && lanes.isNext(live, now: 0))
    lanes.moveLiveToTail()
    #expect(!lanes.isNext(live, now: 0) && lanes.isNext(old, now: 0))
    lanes.retry(from: LogPosition(generation: 1, offset: 0), at: 5_000)
    #expect(!lanes.isNext(old, now: 4_999))
    #expect(lanes.isNext(old, now: 5_000))
    lanes.take(isHistory: true)
    #expect(!lanes.isNext(old, now: 5_000))
  }

  @Test("A live batch that was refused is retried as backlog")
  func retryLive() {
    let log = MemoryLog()
    var lanes = StreamLanes(stream: .data, log: log, destination: destination)
    let batches = (0..<3).map { _ in log.append(.data, at: time) }
    #expect(lanes.takeLive() == batches[0])
    #expect(lanes.takeLive() == batches[1])
    lanes.retry(from: LogPosition(generation: 1, offset: 0), at: 5_000)
    #expect(lanes.drainHistory(now: 5_000, skipping: [batches[1]]) == [batches[0]])
    #expect(lanes.drainLive() == [batches[2]])
  }

  @Test(
    "Whatever is appended, moved and refused, each batch comes until it is acknowledged",
    arguments: 1...100)
  func property(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let log = MemoryLog()
    var all: Set<BatchIdentity> = []
    for _ in 0..<Int.random(in: 0...20, using: &generator) {
      all.insert(log.append(.data, at: time))
    }
    var lanes = StreamLanes(stream: .data, log: log, destination: destination)
    var inFlight: [BatchIdentity: LogPosition] = [:]
    var now: Int64 = 0
    func settle(_ identity: BatchIdentity, _ isRefused: Bool) {
      guard let start = inFlight.removeValue(forKey: identity) else { return }
      if isRefused {
        lanes.retry(from: start, at: now + 10)
      } else {
        log.acknowledge(identity, by: destination)
      }
    }
    for step in 0..<400 {
      now += 1
      switch Int.random(in: 0..<5, using: &generator) {
      case 0 where step < 200: all.insert(log.append(.data, at: time))
      case 1 where step < 200: lanes.moveLiveToTail()
      case 2, 3:
        let isHistory = Bool.random(using: &generator)
        let head =
          isHistory
          ? lanes.history(now: now) { inFlight[$0] != nil }
          : lanes.live { inFlight[$0] != nil }
        if let head {
          #expect(inFlight[head.batch.identity] == nil)
          inFlight[head.batch.identity] = head.start
          lanes.take(isHistory: isHistory)
        }
      default:
        let keys = inFlight.keys.sorted { $0.seq < $1.seq }
        if let identity = keys.randomElement(using: &generator) {
          settle(identity, step < 200 && Bool.random(using: &generator))
        }
      }
    }
    for identity in Array(inFlight.keys) { settle(identity, false) }
    now += 1_000
    for identity in lanes.drainLive() + lanes.drainHistory(now: now) {
      log.acknowledge(identity, by: destination)
    }
    #expect(log.unacknowledged(by: destination) == 0)
  }
}

extension StreamLanes {
  mutating func takeLive() -> BatchIdentity? {
    let identity = live { _ in false }?.batch.identity
    take(isHistory: false)
    return identity
  }

  mutating func takeHistory(
    now: Int64 = 0, skipping skipped: Set<BatchIdentity> = []
  ) -> BatchIdentity? {
    let identity = history(now: now) { skipped.contains($0) }?.batch.identity
    take(isHistory: true)
    return identity
  }

  mutating func drainLive() -> [BatchIdentity] {
    var all: [BatchIdentity] = []
    while let next = takeLive() { all.append(next) }
    return all
  }

  mutating func drainHistory(
    now: Int64 = 0, skipping skipped: Set<BatchIdentity> = []
  ) -> [BatchIdentity] {
    var all: [BatchIdentity] = []
    while let next = takeHistory(now: now, skipping: skipped) { all.append(next) }
    return all
  }
}
