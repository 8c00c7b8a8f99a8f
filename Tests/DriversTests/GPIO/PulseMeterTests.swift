import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("A pulse meter")
struct PulseMeterTests {
  private func meter(
    _ mantissa: Int64, _ decimals: UInt8, edges: CountedEdges = .rising, total: UInt64? = nil
  ) -> LinePlay {
    LinePlay(
      .count(
        edges,
        meter: PulseMeter(valuePerPulse: DecimalNumber(mantissa: mantissa, decimals: decimals))
      ), total: total, reason: "stop")
  }

  private func rate(_ line: LinePlay) -> Double? {
    if case .good(let value) = line.newest(3) { value.approximate } else { nil }
  }

  /// Pulses of 30 ms, that far apart.
  private func pulses(_ count: Int, every milliseconds: Double, on line: inout LinePlay) {
    for _ in 0..<count {
      line.edges(1, every: 30)
      line.edges(1, every: milliseconds - 30)
    }
  }

  @Test("A total is exact after any number of pulses, and a double where no decimal can hold it")
  func total() {
    var line = meter(1, 3, total: 123_456_789_012)
    line.open()
    #expect(line.newest(2) == .good(.decimal(mantissa: 123_456_789_012, decimals: 3)))
    pulses(1, every: 100, on: &line)
    line.due()
    #expect(line.newest(1) == .good(.uint(123_456_789_013)))
    #expect(line.newest(2) == .good(.decimal(mantissa: 123_456_789_013, decimals: 3)))
    line.fail(.lineMissing)
    #expect(
      line.newest(2) == .bad(.lineMissing, raw: .decimal(mantissa: 123_456_789_013, decimals: 3)))
    #expect(line.newest(3) == .bad(.lineMissing))
    var huge = meter(.max, 9, total: .max)
    huge.open()
    guard case .good(.float64(let number)) = huge.newest(2) else {
      Issue.record("\(huge.samples)")
      return
    }
    #expect(abs(number / (0x1p127 / 1e9) - 1) < 1e-9)
    pulses(1, every: 100, on: &huge)
    #expect(huge.input.statistics.total == .max)
  }

  @Test("Its rate is the total's change an hour: a thousand pulses a kWh, one a second, are 3.6 kW")
  func rates() {
    var line = meter(1, 3)
    line.open()
    #expect(line.newest(3) == .bad(.notRead))
    pulses(1, every: 1000, on: &line)
    line.due()
    #expect(line.newest(3) == .bad(.notRead))
    pulses(90, every: 1000, on: &line)
    line.due()
    #expect(rate(line).map { abs($0 - 3.6) < 0.06 } == true)
    // A pause says that it is at most a pulse in it.
    line.pass(9_000)
    line.due()
    #expect(rate(line) == 0.36)
    line.pass(170_000)
    line.due()
    #expect(rate(line) == 0.02)
    line.pass(3_500_000)
    line.due()
    #expect(rate(line) == 0)
    pulses(3, every: 360_000, on: &line)
    line.due()
    #expect(rate(line) == 0.01)
  }

  @Test("Where both edges count, a pulse's length does not show in the rate")
  func bothEdges() {
    var line = meter(5, 1, edges: .both)
    line.open()
    pulses(20, every: 120_000, on: &line)
    line.due()
    #expect(line.newest(1) == .good(.uint(40)))
    #expect(line.newest(2) == .good(.decimal(mantissa: 200, decimals: 1)))
    #expect(rate(line).map { abs($0 - 30) < 0.1 } == true)
  }

  @Test("An hour without a pulse is a rate of 0, a line that was away begins anew")
  func silence() {
    var line = meter(1, 0)
    line.open()
    line.pass(3_599_000)
    line.due()
    #expect(line.newest(3) == .bad(.notRead))
    line.pass(2_000)
    line.due()
    #expect(rate(line) == 0)
    pulses(5, every: 10_000, on: &line)
    line.fail(.lineMissing)
    line.open()
    #expect(line.newest(3) == .bad(.notRead))
    #expect(line.newest(1) == .good(.uint(5)))
  }

  @Test("Totals never fall over random pulses and restarts", arguments: Seeds.given(orFirst: 50))
  func monotone(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let perPulse = Int64.random(in: 1...1000, using: &generator)
    var truth: UInt64 = 0
    var newest = -1.0
    var total: UInt64?
    for _ in 0..<10 {
      var line = meter(perPulse, 2, total: total)
      line.open()
      for _ in 0..<Int.random(in: 0...20, using: &generator) {
        pulses(1, every: .random(in: 40...5000, using: &generator), on: &line)
        truth += 1
        line.due()
      }
      line.input.end(at: line.time)
      line.collect()
      for sample in line.samples {
        guard case .good(let value) = sample.outcomes[2].outcome else { continue }
        try #require(value.approximate >= newest)
        newest = value.approximate
      }
      total = line.input.statistics.total
      #expect(total == truth)
    }
    #expect(newest == Double(Int64(truth) * perPulse) / 100)
  }
}
