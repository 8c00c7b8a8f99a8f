import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("A line's frequency")
struct FrequencyTests {
  private func sensor(
    _ hertz: ClosedRange<Double> = 200...1000, value: ClosedRange<Double> = 0...15,
    window: Int64 = 1000, points: [PointDescription]? = nil
  ) -> LinePlay {
    LinePlay(
      .frequency(
        FrequencyScale(
          hertz: ValueRange(lower: hertz.lowerBound, upper: hertz.upperBound),
          atLowest: value.lowerBound, atHighest: value.upperBound,
          marginHertz: 0.05 * hertz.lowerBound, windowMilliseconds: window)), points: points)
  }

  private func good(_ outcome: Outcome?) -> Double? {
    if case .good(let value) = outcome { value.approximate } else { nil }
  }

  /// Plays a square wave for that time, its edges off by up to `jitter` nanoseconds, read every few
  /// milliseconds.
  private func play(
    _ hertz: Double, seconds: Double, jitter: Int64 = 0, on line: inout LinePlay,
    _ generator: inout SeededGenerator
  ) {
    let start = line.now
    var read = start
    for half in 1...max(1, Int(seconds * hertz * 2)) {
      let exact = start + Int64(Double(half) * 5e8 / hertz)
      line.now = exact + Int64.random(in: -jitter...jitter, using: &generator)
      line.edge()
      if exact - read > 5_000_000 {
        read = exact
        line.drain()
      }
    }
    line.drain()
  }

  @Test(
    "It is within 0.1 % from 0.1 to 1000 Hz, with 50 µs of jitter",
    arguments: [0.1, 0.33, 1, 2.7, 10, 33.3, 50, 100, 200, 471.1, 800, 999.5, 1000])
  func sweep(hertz: Double) throws {
    var generator = SeededGenerator(seed: UInt64(hertz * 10))
    var line = sensor(hertz * 0.5...hertz * 2, value: 0...100)
    line.open()
    play(hertz, seconds: max(3, 4 / hertz), jitter: 50_000, on: &line, &generator)
    line.due()
    let measured = try #require(good(line.newest(1)))
    #expect(abs(measured / hertz - 1) <= 0.001)
    let value = try #require(good(line.newest()))
    #expect(abs(value - 100 / 3) < 0.2)
  }

  @Test("It is not read before two edges came, lost a window after the last, and there again soon")
  func life() throws {
    var generator = SeededGenerator(seed: 1)
    var line = sensor()
    line.open()
    #expect(line.newest() == .bad(.notRead))
    line.pass(999)
    line.due()
    #expect(line.newest() == .bad(.notRead))
    line.pass(1)
    line.due()
    #expect(line.newest() == .bad(.signalLost))
    #expect(line.newest(1) == .bad(.signalLost))
    play(600, seconds: 0.2, on: &line, &generator)
    line.due()
    #expect(good(line.newest(1)) == 600)
    #expect(good(line.newest()) == 7.5)
    line.pass(1001)
    line.due()
    #expect(line.newest() == .bad(.signalLost))
    play(800, seconds: 2, on: &line, &generator)
    line.due()
    #expect(good(line.newest(1)) == 800)
    line.fail(.lineMissing)
    line.due()
    #expect(line.newest(1) == .bad(.lineMissing))
    line.open()
    #expect(line.newest(1) == .bad(.notRead))
  }

  @Test("A window follows a change within its length")
  func change() {
    var generator = SeededGenerator(seed: 2)
    var line = sensor()
    line.open()
    play(400, seconds: 3, on: &line, &generator)
    play(500, seconds: 1, on: &line, &generator)
    line.due()
    #expect(good(line.newest(1)).map { abs($0 - 500) < 0.5 } == true)
  }

  @Test("Outside the band and its margin is no value but raw, within the margin it is one")
  func band() {
    var generator = SeededGenerator(seed: 3)
    var line = sensor()
    line.open()
    for (hertz, isGood) in [(195.0, true), (185, false), (1005, true), (1015, false)] {
      play(hertz, seconds: 1.5, on: &line, &generator)
      line.due()
      let value = (hertz - 200) / 800 * 15
      switch (line.newest(), line.newest(1)) {
      case (.good(let speed), .good(let frequency)):
        #expect(isGood)
        #expect(abs(speed.approximate - value) < 0.02)
        #expect(abs(frequency.approximate - hertz) < 1)
      case (.bad(.outOfBand, let speed?), .bad(.outOfBand, let frequency?)):
        #expect(!isGood)
        #expect(abs(speed.approximate - value) < 0.02)
        #expect(abs(frequency.approximate - hertz) < 1)
      default: Issue.record("\(hertz) Hz: \(line.samples.last?.outcomes ?? [])")
      }
    }
  }

  @Test("A scale may fall, a range holds, and decimals are as the points say")
  func scale() {
    var generator = SeededGenerator(seed: 4)
    var line = sensor(
      100...200, value: 0...10,
      points: [
        PointDescription(
          name: "value", type: "float64", range: ValueRange(lower: 0, upper: 5), decimals: 1),
        PointDescription(name: "frequency", type: "float64", decimals: 0),
      ])
    line.open()
    play(133.4, seconds: 2, on: &line, &generator)
    line.due()
    #expect(line.newest() == .good(.decimal(mantissa: 33, decimals: 1)))
    #expect(line.newest(1) == .good(.decimal(mantissa: 133, decimals: 0)))
    play(180, seconds: 2, on: &line, &generator)
    line.due()
    #expect(line.newest() == .bad(.outOfRange, raw: .decimal(mantissa: 80, decimals: 1)))
    var falling = LinePlay(
      .frequency(
        FrequencyScale(
          hertz: ValueRange(lower: 100, upper: 200), atLowest: 20, atHighest: 4, marginHertz: 5,
          windowMilliseconds: 1000)))
    falling.open()
    play(150, seconds: 2, on: &falling, &generator)
    falling.due()
    #expect(good(falling.newest()) == 12)
  }

  @Test(
    "Edges that the kernel lost never make it lower", arguments: Seeds.given(orFirst: 30))
  func losses(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var line = sensor()
    line.open()
    let isNumbered = seed.isMultiple(of: 2)
    var queue: [LineEdge] = []
    var number: UInt32 = 0
    var values = 0
    var next = line.now
    for half in 1...8000 {
      line.now = Int64(half) * 625_000
      line.isActive.toggle()
      number += 1
      if queue.count == 16, isNumbered { queue.removeFirst() }
      if queue.count < 16 {
        queue.append(
          LineEdge(
            isRising: line.isActive, nanoseconds: line.now, sequence: isNumbered ? number : nil))
      }
      if line.now >= next {
        let isFull = queue.count == 16 && !isNumbered
        for edge in queue {
          line.input.take(edge, at: LinePlay.start.advanced(by: edge.nanoseconds / 1_000_000))
        }
        queue = []
        line.drain(isFull: isFull)
        next += Int64.random(in: 1_000_000...20_000_000, using: &generator)
      }
      if half.isMultiple(of: 800) {
        line.due()
        if let measured = good(line.newest(1)) {
          values += 1
          try #require(abs(measured - 800) <= 0.8)
        }
      }
    }
    #expect(values >= 5)
    #expect(line.input.statistics.suspects > 0)
  }

  @Test("A wall clock that is set amid old kernels' stamps makes no frequency")
  func wallClockStep() {
    var line = sensor(10...50)
    line.open()
    for step in 0..<100 {
      line.isActive.toggle()
      let stamp =
        line.now + (step >= 60 ? 3_600_000_000_000 : 0) - (step >= 80 ? 7_200_000_000_000 : 0)
      line.input.take(
        LineEdge(isRising: line.isActive, nanoseconds: stamp), at: line.time)
      line.drain()
      line.pass(20)
      line.due()
      if let hertz = good(line.newest(1)) { #expect(hertz == 25) }
    }
    #expect(good(line.newest(1)) == 25)
  }
}
