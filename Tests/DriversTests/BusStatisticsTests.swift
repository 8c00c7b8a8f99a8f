import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Statistics of a bus and its units")
struct BusStatisticsTests {
  private func time(_ monotonic: Int64) -> Timestamp {
    Timestamp(monotonic: monotonic, offset: 0, clock: .synced)
  }

  @Test("A quantile is right within an eighth, from 16 µs to a minute")
  func quantiles() throws {
    for time: Int64 in [16, 17, 31, 100, 999, 12_345, 1_000_000, 59_999_999] {
      var histogram = TurnaroundHistogram()
      histogram.record(microseconds: time)
      for share in [0, 0.5, 0.99, 1] {
        let found = try #require(histogram.quantile(share))
        #expect(abs(found - time) <= time / 8 + 1, "\(time) is shown as \(found)")
      }
    }
  }

  @Test("Half and all but one in a hundred of random times, against the sorted times")
  func randomQuantiles() throws {
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<20 {
      var histogram = TurnaroundHistogram()
      let count = Int.random(in: 1...TurnaroundHistogram.remembered, using: &generator)
      let times = (0..<count).map { _ in
        Int64.random(in: 1...Int64.random(in: 20...5_000_000, using: &generator), using: &generator)
      }
      for time in times { histogram.record(microseconds: time) }
      let sorted = times.sorted()
      for share in [0.5, 0.99] {
        let rank = max(1, Int((Double(count) * share).rounded(.up)))
        let right = max(16, sorted[rank - 1])
        let found = try #require(histogram.quantile(share))
        #expect(abs(found - right) <= right / 8 + 1, "\(share) of \(count): \(found), \(right)")
      }
    }
  }

  @Test("What was long ago is forgotten; times beyond the buckets are counted in the outermost")
  func forgets() throws {
    var histogram = TurnaroundHistogram()
    #expect(histogram.quantile(0.5) == nil)
    for _ in 0..<10_000 { histogram.record(microseconds: 900_000) }
    for _ in 0..<10_000 { histogram.record(microseconds: 1000) }
    let half = try #require(histogram.quantile(0.5))
    #expect(half < 1200)
    histogram = TurnaroundHistogram()
    for time: Int64 in [.min, -1, 0, .max] { histogram.record(microseconds: time) }
    #expect(try #require(histogram.quantile(0.5)) < 20)
    #expect(try #require(histogram.quantile(1)) > 50_000_000)
  }

  @Test("Each kind of outcome is counted, exceptions by code; the newest failure has its time")
  func outcomes() {
    var unit = UnitStatistics(unit: 3)
    unit.record(.success(.values([1])), turnaround: 1000, at: time(10))
    #expect(unit.answers == 1 && unit.lastFailure == nil)
    unit.record(.success(.exception(2)), turnaround: 900, at: time(20))
    unit.record(.success(.exception(2)), turnaround: 900, at: time(21))
    unit.record(.success(.exception(99)), turnaround: 900, at: time(22))
    #expect(unit.exceptions.map(\.code) == [0, 2] && unit.exceptions.map(\.count) == [1, 2])
    #expect(unit.lastFailure == .init(reason: .badAnswer, time: time(22)))
    unit.record(.failure(.timeout(brokeOff: false)), turnaround: nil, at: time(30))
    unit.record(.failure(.wrongChecksum), turnaround: nil, at: time(40))
    unit.record(.failure(.badAnswer(.neverSilent)), turnaround: nil, at: time(50))
    unit.record(.failure(.closedBefore(reason: "idle")), turnaround: nil, at: time(60))
    #expect(unit.timeouts == 1 && unit.wrongChecksums == 1 && unit.badAnswers == 1)
    #expect(unit.answers == 1)
    #expect(unit.lastFailure == .init(reason: .badAnswer, time: time(50)))
  }

  @Test("A unit whose connection closes again and again is asked in vain, one that idled is not")
  func closures() {
    let before = Result<ReadAnswer, TransactionError>.failure(.closedBefore(reason: "gone"))
    var unit = UnitStatistics(unit: 3)
    for second: Int64 in 0..<10 {
      unit.record(before, turnaround: nil, at: time(2 * second))
      unit.record(.success(.values([1])), turnaround: 1, at: time(2 * second + 1))
    }
    #expect(unit.lastFailure == nil)
    unit.record(.failure(.closed(reason: "gone")), turnaround: nil, at: time(50))
    for second: Int64 in 51...60 { unit.record(before, turnaround: nil, at: time(second)) }
    #expect(unit.lastFailure == .init(reason: .busClosed, time: time(60)))
    unit.record(.success(.values([1])), turnaround: 1, at: time(61))
    unit.record(before, turnaround: nil, at: time(62))
    #expect(unit.lastFailure == .init(reason: .busClosed, time: time(60)))
    unit.record(before, turnaround: nil, at: time(63))
    #expect(unit.lastFailure == .init(reason: .busClosed, time: time(63)))
  }

  @Test("Use is the share of the last minute, and of less after the start")
  func use() throws {
    var use = BusUse(start: 100_000)
    #expect(use.share(at: 100_500) == nil)
    for second in 1...10 {
      use.record(microseconds: 500_000, until: 100_000 + Int64(second) * 1000)
    }
    #expect(abs(try #require(use.share(at: 110_000)) - 0.5) < 0.01)
    // A silent minute later nothing of it is left.
    #expect(try #require(use.share(at: 140_000)) < 0.2)
    #expect(use.share(at: 176_000) == 0)
    #expect(use.share(at: 10_000_000) == 0)
    use.record(microseconds: 1_000_000, until: 10_001_000)
    #expect(abs(try #require(use.share(at: 10_005_000)) - 1.0 / 65) < 0.01)
  }

  @Test("Whatever it records, use stays within 0 and 1, and near the truth")
  func randomUse() throws {
    var generator = SeededGenerator(seed: 66)
    for _ in 0..<50 {
      let start = Int64.random(in: 0...200_000, using: &generator)
      var use = BusUse(start: start)
      var now = start
      var spans: [ClosedRange<Int64>] = []
      for _ in 0..<200 {
        let begin = now + Int64.random(in: 0...800, using: &generator)
        now = begin + Int64.random(in: 1...900, using: &generator)
        spans.append(begin...now)
        use.record(microseconds: (now - begin) * 1000, until: now)
        guard let share = use.share(at: now) else { continue }
        #expect((0...1).contains(share))
        let window = max(start, (now / 5000 - 12) * 5000)
        let busy = spans.reduce(0.0) { sum, span in
          sum + Double(max(0, span.upperBound - max(span.lowerBound, window)))
        }
        let truth = busy / Double(now - window)
        #expect(abs(share - truth) < 0.02, "\(share), \(truth)")
      }
    }
  }

  @Test("A unit that is backed off says until when, and nothing once it answers")
  func backOff() throws {
    let definition = bus(device("a", unit: 1), device("b", unit: 2))
    var isAlive = false
    var play = Play(definition) { request, _ in
      request.unit == 1 || isAlive
        ? (values(request), 1) : (.failure(.timeout(brokeOff: false)), 300)
    }
    play.run(until: 20_000)
    #expect(play.machine.rest(of: 1) == nil)
    let rest = try #require(play.machine.rest(of: 2))
    #expect(rest.timeouts >= 3 && rest.end > 15_000)
    isAlive = true
    play.run(until: 40_000)
    #expect(play.machine.rest(of: 2) == nil)
  }
}
