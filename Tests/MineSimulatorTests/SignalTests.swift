import Telemetry
import TestSupport
import Testing

@testable import MineSimulator

struct SignalTests {
  static let signals: [Signal] = [
    .methane(Methane(base: 0.2, noise: 0.02, burst: 0.6, burstEvery: 60_000)),
    .wave(Wave(mean: 4, amplitude: 1.5, period: 120_000, noise: 0.03)),
    .duty(Duty(period: 600_000, on: 0.9)),
    .headcount(Headcount(crew: 9, shift: 28_800_000)),
    .power(Power(idle: 4, load: 380, noise: 9, duty: Duty(period: 100_000, on: 0.45))),
    .tank(Tank(low: 0.8, high: 2.9, noise: 0.01, pump: Duty(period: 240_000, on: 0.3))),
    .counter(Counter(start: 100, perHour: 3600)),
    .constant(-7.5),
  ]

  @Test("The same seed and time give the same value", arguments: signals)
  func deterministic(signal: Signal) {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<500 {
      let time = Int64.random(in: 0...30 * 86_400_000, using: &generator)
      let seed = UInt64.random(in: 0...UInt64.max, using: &generator)
      let first = signal.value(at: time, noise: Noise(seed: seed, device: "a", point: "b"))
      let second = signal.value(at: time, noise: Noise(seed: seed, device: "a", point: "b"))
      #expect(first == second)
      #expect(first.isFinite)
    }
  }

  @Test("Another seed, device or point has other noise")
  func noiseIsOnesOwn() {
    let sources = [
      Noise(seed: 1, device: "a", point: "bc"), Noise(seed: 2, device: "a", point: "bc"),
      Noise(seed: 1, device: "ab", point: "c"), Noise(seed: 1, device: "a", point: "bd"),
    ]
    #expect(Set(sources.map { $0.uniform(.reading, 0) }).count == sources.count)
  }

  @Test("Noise is spread evenly and keeps to its bounds")
  func noiseBounds() {
    let noise = Noise(seed: 3, device: "a", point: "b")
    var tenths = [Int](repeating: 0, count: 10)
    for index in 0..<10_000 {
      let uniform = noise.uniform(.reading, Int64(index))
      #expect((0..<1).contains(uniform))
      tenths[Int(uniform * 10)] += 1
      #expect((-1...1).contains(noise.triangular(.reading, Int64(index))))
      #expect(
        (-1...1).contains(noise.wander(.drift, milliseconds: Int64(index * 7), period: 500)))
    }
    // 1,000 expected; 150 are five standard deviations.
    #expect(tenths.allSatisfy { (850...1150).contains($0) }, "\(tenths)")
  }

  @Test("Successive readings of a float signal differ")
  func successiveReadingsDiffer() {
    let noise = Noise(seed: 4, device: "a", point: "b")
    for signal in [Self.signals[0], Self.signals[1], Self.signals[4], Self.signals[5]] {
      let readings = (0..<1000).map { Float(signal.value(at: $0 * 1000, noise: noise)) }
      let repeats = zip(readings, readings.dropFirst()).count { $0 == $1 }
      #expect(repeats == 0, "\(signal)")
    }
  }

  @Test("Methane bursts in every span and comes back to its base")
  func methaneBursts() {
    let signal = Methane(base: 0.2, noise: 0.02, burst: 0.6, burstEvery: 60_000)
    let noise = Noise(seed: 5, device: "return-air", point: "ch4")
    let lowest = 0.2 * 0.9 - 0.02
    // The second span on: the first has no burst before its own.
    for span in 1..<100 {
      let readings = (0..<600).map {
        signal.value(at: Int64(span * 60_000 + $0 * 100), noise: noise)
      }
      let peak = readings.max() ?? 0
      #expect(peak > 0.2 * 0.9 + 0.6 * 0.6 - 0.04)
      #expect(peak < 0.2 * 1.1 + 0.6 * 1.1 + 0.02)
      #expect((readings.min() ?? 0) < 0.3)
      #expect((readings.min() ?? 0) >= lowest)
    }
  }

  @Test("A contact is on for its share of each period, from the beginning")
  func duty() {
    let signal = Duty(period: 1000, on: 0.9)
    let states = (0..<2000).map { signal.isOn(at: $0) }
    #expect(states.count { $0 } == 1800)
    #expect(states[0] && states[899] && !states[900] && !states[999] && states[1000])
    #expect(!Duty(period: 1000, on: 0).isOn(at: 0))
    #expect(Duty(period: 1000, on: 1).isOn(at: 999))
  }

  @Test("A crew is in the mine at the start, and gone at the change of shift")
  func headcount() {
    let shift: Int64 = 8 * 3_600_000
    let signal = Headcount(crew: 9, shift: shift)
    let noise = Noise(seed: 6, device: "a", point: "people")
    #expect(signal.persons(at: 0, noise: noise) >= 8)
    #expect(signal.persons(at: shift / 2, noise: noise) == 0)
    for minute in 0..<1440 {
      #expect((0...9).contains(signal.persons(at: Int64(minute) * 60_000, noise: noise)))
    }
  }

  @Test("A sump falls while its pump runs and rises while it does not")
  func tank() {
    let pump = Duty(period: 10_000, on: 0.3)
    let signal = Tank(low: 1, high: 3, noise: 0, pump: pump)
    let noise = Noise(seed: 7, device: "a", point: "b")
    for time in stride(from: Int64(0), to: 30_000, by: 100) {
      let change =
        signal.value(at: time + 50, noise: noise) - signal.value(at: time, noise: noise)
      #expect(pump.isOn(at: time) ? change < 0 : change > 0)
    }
  }

  @Test("A counter only grows, by what it gains an hour")
  func counter() {
    let signal = Counter(start: 100, perHour: 50)
    #expect(signal.value(at: 0) == 100)
    #expect(signal.value(at: 7_200_000) == 200)
  }
}
