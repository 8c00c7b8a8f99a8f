import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("The kernel's stamps of edges")
struct EventClockTests {
  /// Three days after boot, of which the board slept one.
  private let now = Timestamp(
    monotonic: 259_200_000, offset: 1_795_219_200_000, clock: .synced)
  private let kernelNow: Int64 = 172_800_000 * 1_000_000

  @Test("A monotonic stamp is as long ago in the agent's time, which counts suspend")
  func monotonic() {
    var clock = EventClock()
    for age in [0, 1, 15, 2000, 599_999] as [Int64] {
      let time = clock.time(
        ofNanoseconds: kernelNow - age * 1_000_000, now: now, kernelNow: kernelNow)
      #expect(time == now.advanced(by: -age))
    }
    #expect(!clock.isWallStamped)
  }

  @Test("A kernel before 5.7 is found by its stamps of the wall clock")
  func wall() {
    var clock = EventClock()
    for age in [0, 1, 15, 2000, 599_999] as [Int64] {
      let time = clock.time(
        ofNanoseconds: (now.wall - age) * 1_000_000, now: now, kernelNow: kernelNow)
      #expect(time == now.advanced(by: -age))
    }
    #expect(clock.isWallStamped)
  }

  @Test("A stamp that is ahead, or near neither clock, is now")
  func absurd() {
    var clock = EventClock()
    for stamp in [
      .min, -1, 0, 1, kernelNow + 5_000_000, kernelNow - 700_000_000_000,
      (now.wall - 900_000) * 1_000_000, (now.wall + 10) * 1_000_000, .max,
    ] as [Int64] {
      #expect(clock.time(ofNanoseconds: stamp, now: now, kernelNow: kernelNow) == now)
    }
  }

  @Test("On a board whose wall clock began with the boot, what was learnt before is remembered")
  func bothNear() {
    var clock = EventClock()
    _ = clock.time(ofNanoseconds: now.wall * 1_000_000, now: now, kernelNow: kernelNow)
    // The wall clock is 10 s ahead of the kernel's, and the edge is 8 s old.
    let early = Timestamp(monotonic: 100_000, offset: 10_000, clock: .unsynced)
    let time = clock.time(
      ofNanoseconds: 102_000 * 1_000_000, now: early, kernelNow: 100_000 * 1_000_000)
    #expect(time == early.advanced(by: -8000))
  }

  @Test(
    "It is never later than now, never older than stated, and right where it can be",
    arguments: Seeds.given(orFirst: 200))
  func property(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var clock = EventClock()
    let isWall = Bool.random(using: &generator)
    var offset = Int64.random(in: 1_600_000_000_000...1_800_000_000_000, using: &generator)
    let asleep = Int64.random(in: 0...100_000_000, using: &generator)
    var moment: Int64 = 200_000_000
    for _ in 0..<200 {
      moment += Int64.random(in: 0...10_000, using: &generator)
      let age = Int64.random(in: 0...20_000, using: &generator)
      let stamp = isWall ? moment - age + offset : moment - age - asleep
      let isStepped = Int.random(in: 0..<10, using: &generator) == 0
      if isStepped { offset += Int64.random(in: -7_200_000...7_200_000, using: &generator) }
      let now = Timestamp(monotonic: moment, offset: offset, clock: .synced)
      let time = clock.time(
        ofNanoseconds: stamp * 1_000_000, now: now, kernelNow: (moment - asleep) * 1_000_000)
      #expect(time.monotonic <= now.monotonic)
      #expect(time.monotonic >= now.monotonic - 600_000)
      if !isWall || !isStepped { #expect(time == now.advanced(by: -age)) }
    }
    #expect(clock.isWallStamped == isWall)
  }
}
