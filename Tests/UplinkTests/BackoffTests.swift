import Testing
import TestSupport

@testable import Uplink

@Suite("Reconnecting")
struct BackoffTests {
  @Test("What cost nobody anything is tried again within a second, jittered")
  func quick() {
    var backoff = ReconnectBackoff(generator: SeededGenerator(seed: 1))
    let delays = (0..<1000).map { _ in backoff.delay(after: .nobodys) }
    #expect(delays.allSatisfy { (500...1000).contains($0) })
    #expect(Set(delays).count > 100)
  }

  @Test("What cost a broker something is tried ever more slowly, up to a minute", arguments: 1...20)
  func decorrelated(seed: UInt64) {
    var backoff = ReconnectBackoff(generator: SeededGenerator(seed: seed))
    var previous: Int64 = 1000
    var longest: Int64 = 0
    for _ in 0..<200 {
      let delay = backoff.delay(after: .brokers)
      #expect(delay >= 1000 && delay <= min(60_000, previous * 3))
      previous = delay
      longest = max(longest, delay)
    }
    #expect(longest > 30_000)
    backoff.reset()
    #expect(backoff.delay(after: .brokers) <= 3000)
  }

  @Test("Gateways that lose one broker together do not come back together")
  func spread() {
    let thirdDelays = (UInt64(0)..<1000).map { seed in
      var backoff = ReconnectBackoff(generator: SeededGenerator(seed: seed))
      return (0..<3).reduce(Int64(0)) { sum, _ in sum + backoff.delay(after: .brokers) }
    }
    let perSecond = Dictionary(grouping: thirdDelays) { $0 / 1000 }.mapValues(\.count)
    #expect((perSecond.values.max() ?? 0) < 250)
  }
}

@Suite("The token bucket")
struct TokenBucketTests {
  @Test("Over any long time no more than the rate and one burst is let through", arguments: 1...20)
  func rate(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let rate = Int.random(in: 100...200_000, using: &generator)
    var bucket = TokenBucket(bytesPerSecond: rate, now: 0)
    var now: Int64 = 0
    var sent = 0
    var largest = 0
    while now < 100_000 {
      let ready = bucket.readyAt(now)
      #expect(ready >= now)
      now = ready + Int64.random(in: 0...20, using: &generator)
      #expect(bucket.readyAt(now) == now)
      let bytes = Int.random(in: 1...65_536, using: &generator)
      bucket.take(bytes, now: now)
      sent += bytes
      largest = max(largest, bytes)
    }
    #expect(sent <= rate * Int(now / 1000 + 2) + largest)
    #expect(sent >= rate * 80)
  }

  @Test("Without a rate everything may go at once")
  func unlimited() {
    var bucket = TokenBucket(bytesPerSecond: nil, now: 0)
    bucket.take(1 << 30, now: 0)
    #expect(bucket.readyAt(0) == 0)
  }

  @Test("A pause of years fills the bucket and does not overflow")
  func longPause() {
    var bucket = TokenBucket(bytesPerSecond: 1_000_000_000, now: 0)
    bucket.take(1_500_000_000, now: 0)
    #expect(bucket.readyAt(.max / 2) == .max / 2)
  }
}
